"""The Reconstruct panel, driven by its buttons without a browser."""

from __future__ import annotations

import gc
import html
import logging
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from leftovers import names_of_threads, nothing_left, until
from matplotlib.figure import Figure
from tiny_scan import tiny_scan

import ptycho_nb
from ptycho_nb.config import InferenceConfig, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig
from ptycho_nb.errors import InputError
from ptycho_nb.estimate import Estimate
from ptycho_nb.history import Preview, State
from ptycho_nb.memory import Memory
from ptycho_nb.ui import ReconstructPanel
from ptycho_nb.ui.panels.reconstruct import forecast
from ptycho_nb.ui.panels.reconstruct import panel as panel_module
from ptycho_nb.ui.panels.reconstruct.controls import BUSY
from ptycho_nb.ui.panels.reconstruct.methods import METHODS
from ptycho_nb.ui.panels.reconstruct.progress import duration
from ptycho_nb.ui.panels.reconstruct.summary import payback
from ptycho_nb.ui.panels.run import Film

SCAN = tiny_scan(N=32)
SHORT = TrainingConfig(epochs=2, batch_size=8), ModelConfig(hidden=12), RefinementConfig(epochs=3, batch_size=32)
ENDLESS = TrainingConfig(epochs=10_000, batch_size=8), ModelConfig(hidden=12), RefinementConfig(epochs=10_000)
WAYS = list(METHODS)


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


@pytest.fixture
def make(monkeypatch):
    """Panels that are closed at the end; what a run takes is not measured beside it."""
    monkeypatch.setattr(forecast, "QUIET", 60.0)
    made: list[ReconstructPanel] = []

    def panel(*configs, scan=SCAN, **more) -> ReconstructPanel:
        made.append(ReconstructPanel(scan, *(configs or SHORT), **more))
        return made[-1]

    yield panel
    for one in made:
        one.close()


def steps(panel: ReconstructPanel) -> int:
    history = panel.drawer._history
    return 0 if history is None else len(history.steps)


def begun(panel: ReconstructPanel) -> bool:
    return until(lambda: steps(panel) > 2 and panel.state is State.RUNNING)


@pytest.mark.parametrize("method", WAYS)
def test_run_gives_an_object_and_says_what_it_took(make, method):
    panel = make(method=method)
    result = panel.run()
    assert result.method == method
    assert result.object.shape == SCAN.truth.shape
    assert panel.state is result.state is State.DONE
    assert "Done" in panel.controls.state.value
    assert "photon noise alone" in panel.controls.after.value
    assert panel.controls.preview.pane.value.count("<img") == 3
    assert 'role="img"' in panel.controls.loss.pane.value
    assert not panel.controls.start.disabled


@pytest.mark.parametrize("method", WAYS)
def test_the_python_shown_makes_the_same_run(make, method):
    panel = make(*SHORT, InferenceConfig(batch_size=9), method=method)
    shown: dict = {"scan": SCAN}
    exec(panel.python, shown)
    np.testing.assert_array_equal(panel.run().object, shown["result"].object)


@pytest.mark.parametrize("method", WAYS)
def test_the_python_shown_after_continue_makes_all_of_it(make, method):
    panel = make(method=method)
    once = panel.python
    panel.run()
    assert panel.python == once
    panel.controls.forms["refinement"].fields["epochs"].box.value = ""  # their defaults: not left out
    panel.controls.forms["training"].fields["epochs"].box.value = "3"
    panel.controls.more.value = "1"  # neither the epochs of the first run nor the default
    for _ in range(2):
        panel.controls.go_on.click()
        assert panel.wait(60)
    assert panel.python.count("resume_from") == 2
    assert panel.python.count("reconstruct(") == (method != "Iterative")
    assert html.unescape(panel.controls.code.value) == f"<pre>{panel.python}</pre>"
    shown: dict = {"scan": SCAN}
    exec(panel.python, shown)
    np.testing.assert_array_equal(panel.result.object, shown["result"].object)
    np.testing.assert_array_equal(panel.result.probe, shown["result"].probe)


def test_the_python_shown_after_a_broken_off_training_goes_on_with_it(make):
    panel = make(TrainingConfig(epochs=10_000, batch_size=8, time_limit=0.1), *SHORT[1:], method="Network, then iterative")
    panel.run()
    assert panel.result.method == "Network"
    assert re.search(r"# In the panel this run was stopped after step \d+\.", panel.python)
    panel.controls.forms["training"].fields["time_limit"].box.value = ""
    panel.controls.more.value = "1"
    panel.controls.go_on.click()
    assert panel.wait(60)
    assert panel.state is State.DONE
    lines = panel.python.splitlines()
    assert lines.index("result = reconstruct(training.model, scan)") == len(lines) - 2
    assert "resume_from=training" in lines[-3]
    assert "training=TrainingConfig(epochs=1, batch_size=8)" in lines[-3]


def test_the_python_of_other_settings_is_that_of_a_start(make):
    panel = make()
    panel.run()
    panel.controls.go_on.click()
    assert panel.wait(60)
    assert "resume_from" in panel.python
    panel.controls.forms["refinement"].fields["epochs"].box.value = "5"
    assert "resume_from" not in panel.controls.code.value
    panel.controls.forms["refinement"].fields["epochs"].box.value = "3"
    assert "resume_from" in panel.controls.code.value
    panel.controls.start.click()
    assert panel.wait(60)
    assert "resume_from" not in panel.controls.code.value


def test_a_continued_training_keeps_its_network_and_says_so(make):
    panel = make(method="Network")
    panel.run()
    panel.controls.forms["model"].fields["hidden"].box.value = "14"
    panel.controls.go_on.click()
    assert panel.wait(20)
    assert panel.state is State.FAILED
    assert "keeps its ModelConfig" in panel.controls.problem.value


def test_the_python_shown_follows_the_form_and_names_the_source(make):
    panel = make(source=SimulationConfig(N=32))
    assert "simulate_scan(SimulationConfig(N=32))" in panel.python
    panel.controls.forms["refinement"].fields["epochs"].box.value = "5"
    assert "epochs=5" in panel.controls.code.value
    assert html.unescape(panel.controls.code.value) == f"<pre>{panel.python}</pre>"
    assert "train(" not in panel.python


def test_each_method_has_its_line_and_shows_its_own_settings(make):
    panel = make()
    assert [label.split(":")[0] for label, _ in panel.controls.method.options] == WAYS
    for method in WAYS:
        panel.controls.method.value = method
        assert panel.controls.shown == set(METHODS[method].sections)


def test_the_forms_of_a_method_are_made_when_it_is_chosen_and_show_the_settings_given(make):
    panel = make(method="Iterative")
    places = panel.controls.forms.places
    assert [name for name, place in places.items() if place.made is not None] == ["refinement"]
    panel.controls.method.value = "Network, then iterative"
    assert all(place.made is not None and place.widget.children == (place.made.widget,) for place in places.values())
    assert panel.configs["training"] == SHORT[0]
    assert panel.configs["model"] == SHORT[1]


def test_a_form_that_is_first_asked_for_in_a_run_cannot_be_edited_before_its_end(make):
    panel = make(*ENDLESS, method="Iterative")
    panel.controls.start.click()
    assert begun(panel)
    assert panel.controls.forms["model"].disabled
    panel.stop()
    assert panel.wait()
    assert until(lambda: not panel.controls.forms["model"].disabled)


def test_the_summary_of_a_run_stands_below_the_pictures_and_pushes_none_away(make):
    controls = make().controls
    run = controls.widget.children[-1].children[-1]
    assert controls.loss.widget in run.children[-2].children
    assert run.children[-1] is controls.after


def test_problems_are_counted_and_start_waits_for_them(make):
    panel = make()
    fields = panel.controls.forms["refinement"].fields
    fields["epochs"].box.value, fields["batch_size"].box.value = "0", "many"
    assert "2 problems to solve before Start. Iterative fit: Epochs is 0;" in panel.controls.state.value
    assert "a setting has a problem" in panel.controls.code.value
    assert panel.controls.start.disabled
    panel.controls.start.click()
    assert panel.result is None
    assert "Epochs" in panel.controls.problem.value
    panel.controls.method.value = "Network"  # whose settings are fine
    assert not panel.controls.start.disabled


def test_a_closed_fold_says_that_a_problem_lies_under_it(make):
    panel = make(method="Network")
    forms, folded = panel.controls.forms, panel.controls._folded
    forms["model"].fields["hidden"].box.value = "many"
    rare = next(name for name, field in forms["data"].fields.items() if field.setting.kind is int and field.setting.advanced)
    forms["data"].fields[rare].box.value = "many"
    assert folded.selected_index is None
    assert [" ● 1 problem" in header.description for header in folded.headers] == [True, True, False]
    assert forms["data"]._fold.headers[0].description == "▸ Advanced ● 1 problem"
    for name in ("model", "data"):
        forms[name].reset.click()
    assert not any("problem" in header.description for header in (*folded.headers, *forms["data"]._fold.headers))


def test_without_a_scan_the_panel_says_what_to_do(make):
    panel = make(scan=None)
    assert "No scan yet" in panel.controls.scan.value
    assert panel.controls.start.disabled
    assert panel.run() is None
    assert "pnb-alert" in panel.controls.problem._dom_classes
    panel.scan = SCAN
    assert not panel.controls.start.disabled
    assert panel.run() is not None
    assert panel.controls.problem.value == ""


def test_an_unknown_method_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="allowed: Iterative"):
        ReconstructPanel(SCAN, method="iterativ")


def test_what_stands_in_a_wrong_place_is_refused_with_the_way_out():
    for given, words in (
        ((SCAN, SimulationConfig()), "goes first"),
        ((SCAN, "Network"), "did you mean method='Network'"),
        (("scan.npz",), "takes a Scan, not str; load_scan"),
    ):
        with pytest.raises(InputError, match=words):
            ReconstructPanel(*given)


@pytest.mark.parametrize("method", ["Iterative", "Network"])
def test_start_pause_resume_stop(make, method):
    panel = make(*ENDLESS, method=method)
    c = panel.controls
    c.start.click()
    assert threading.current_thread() is threading.main_thread()
    assert begun(panel)
    assert (c.start.disabled, c.stop.disabled, c.go_on.disabled) == (True, False, True)
    assert c.forms["training"].disabled
    c.pause.click()
    assert until(lambda: panel.state is State.PAUSED)
    assert until(lambda: (c.pause.description, "Paused" in c.state.value) == ("Resume", True))
    held = steps(panel)
    time.sleep(0.2)
    assert steps(panel) == held
    c.pause.click()
    assert until(lambda: steps(panel) > held)
    assert until(lambda: panel.state is State.RUNNING)
    c.stop.click()
    assert panel.wait(20)
    assert panel.state is panel.result.state is State.STOPPED
    assert panel.result.object.shape == SCAN.truth.shape


def test_stop_wakes_a_paused_run(make):
    panel = make(*ENDLESS)
    panel.controls.start.click()
    assert begun(panel)
    panel.controls.pause.click()
    assert until(lambda: panel.state is State.PAUSED)
    panel.controls.stop.click()
    panel.controls.stop.click()
    assert panel.wait(20)
    assert panel.state is State.STOPPED


def test_fifty_clicks_make_one_run(make, monkeypatch):
    runs = []
    way = METHODS["Iterative"]
    counted = replace(way, run=lambda job: (runs.append(1), way.run(job))[1])
    monkeypatch.setitem(METHODS, "Iterative", counted)
    panel = make(*ENDLESS)
    for _ in range(50):
        panel.controls.start.click()
    clickers = [threading.Thread(target=panel.controls.start.click) for _ in range(10)]
    for clicker in clickers:
        clicker.start()
    assert begun(panel)
    panel.run()  # no second one either
    assert names_of_threads().count("ptycho_nb run") == 1
    panel.controls.stop.click()
    assert panel.wait(20)
    assert len(runs) == 1


def stop_at(panel: ReconstructPanel, seconds: float) -> None:
    panel.controls.start.click()
    time.sleep(seconds)
    panel.controls.stop.click()
    assert panel.wait(30)
    assert panel.state is State.STOPPED
    assert np.isfinite(panel.result.object).all()
    assert not panel.controls.start.disabled


def test_stop_at_any_moment_keeps_what_there_is(make, rng):
    panel = make(*ENDLESS)
    for seconds in [0.0, *rng.uniform(0, 0.15, 7)]:
        stop_at(panel, seconds)
    panel.controls.method.value = "Network, then iterative"
    for seconds in [0.0, *rng.uniform(0, 0.5, 2)]:
        stop_at(panel, seconds)


@pytest.mark.long
def test_stop_at_fifty_moments_keeps_what_there_is(make, rng):
    panel = make(*ENDLESS)
    for method in WAYS:
        panel.controls.method.value = method
        for seconds in rng.uniform(0, 0.6, 17):
            stop_at(panel, seconds)


@pytest.mark.parametrize("method", WAYS)
def test_continue_goes_on_from_where_it_ended(make, method):
    panel = make(method=method)
    assert panel.controls.go_on.disabled
    panel.run()
    before = panel.result.history.epochs
    panel.controls.more.value = "2"
    panel.controls.go_on.click()
    assert panel.wait(30)
    assert panel.result.history.epochs == before + 2
    assert panel.result.method == method
    assert panel.state is State.DONE


@pytest.mark.parametrize("more", ["", "0", "-3", "many", "1e9"])
def test_continue_tells_a_wrong_number(make, more):
    panel = make()
    panel.run()
    panel.controls.more.value = more
    panel.controls.go_on.click()
    assert "1 to 10000" in panel.controls.problem.value
    assert panel.state is State.DONE


def test_a_run_is_not_continued_by_another_method(make):
    panel = make()
    panel.run()
    panel.controls.method.value = "Network"
    assert panel.controls.go_on.disabled
    panel.controls.go_on.click()
    assert "no run of Network" in panel.controls.problem.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("The scan is too small."), "The scan is too small."),
        (MemoryError(), "not enough memory"),
        (RuntimeError("<img src=x onerror=alert(1)>\nmore"), "RuntimeError: &lt;img"),
        (SystemExit(3), "something in it called exit (3)"),
    ],
)
def test_a_failure_is_one_sentence_and_the_panel_lives(make, monkeypatch, caplog, error, words):
    way = METHODS["Iterative"]

    def fail(job):
        raise error

    monkeypatch.setitem(METHODS, "Iterative", replace(way, run=fail))
    panel = make()
    with caplog.at_level(logging.ERROR):
        panel.controls.start.click()
        assert panel.wait(20)
    assert panel.state is State.FAILED
    assert words in panel.controls.problem.value
    assert "<img" not in panel.controls.problem.value
    assert panel.failure is error
    monkeypatch.setitem(METHODS, "Iterative", way)
    panel.run()
    assert panel.state is State.DONE
    assert panel.failure is None


def test_a_run_that_is_interrupted_says_so_and_the_interrupt_goes_on(make, monkeypatch):
    def interrupted(job):
        raise KeyboardInterrupt

    panel = make()
    with monkeypatch.context() as patch:
        patch.setitem(METHODS, "Iterative", replace(METHODS["Iterative"], run=interrupted))
        with pytest.raises(KeyboardInterrupt):
            panel.run()
    assert panel.state is State.FAILED
    assert "interrupted" in panel.controls.problem.value
    assert panel.run() is not None


def test_a_run_that_diverges_says_so(make, monkeypatch):
    way = METHODS["Iterative"]

    def diverge(job):
        outcome = way.run(job)
        outcome.history.diverge("The misfit became nan", 0.1)
        return replace(outcome, result=outcome.result.replace(state=State.DIVERGED))

    monkeypatch.setitem(METHODS, "Iterative", replace(way, run=diverge))
    panel = make()
    panel.run()
    assert panel.state is State.DIVERGED
    assert "lower the learning rate" in panel.controls.problem.value
    assert panel.controls.go_on.disabled
    assert panel.result is not None


@pytest.mark.parametrize("part", ["progress", "loss", "preview"])
def test_a_picture_that_fails_is_off_and_the_run_goes_on(make, monkeypatch, caplog, part):
    panel = make()
    frame = panel.progress if part == "progress" else vars(panel.controls)[part]
    monkeypatch.setattr(frame, "draw", lambda history: 1 / 0)
    with caplog.at_level(logging.CRITICAL):
        assert panel.run() is not None
    assert panel.state is State.DONE


def test_the_state_is_told_where_the_numbers_cannot_be_drawn(make, monkeypatch, caplog):
    panel = make(*ENDLESS)
    monkeypatch.setattr(panel.progress, "draw", lambda history: 1 / 0)
    with caplog.at_level(logging.CRITICAL):
        for _ in range(2):
            panel.controls.start.click()
            assert begun(panel)
            assert not panel.controls.pause.disabled
            panel.controls.pause.click()
            assert until(lambda: panel.state is State.PAUSED)
            panel.controls.stop.click()
            assert panel.wait(20)


def test_a_pause_between_two_parts_is_told_and_holds_the_second(make, monkeypatch):
    panel, reached, go = make(method="Network, then iterative"), threading.Event(), threading.Event()
    put_together = ptycho_nb.reconstruct

    def slowly(*given):
        reached.set()
        assert go.wait(20)
        return put_together(*given)

    monkeypatch.setattr("ptycho_nb.reconstruct", slowly)
    panel.controls.start.click()
    assert reached.wait(20)
    assert "putting the patches together" in panel.controls.state.value
    panel.controls.pause.click()
    assert panel.state is State.PAUSING
    assert panel.controls.pause.description == "Resume"
    go.set()
    assert until(lambda: panel.state is State.PAUSED)
    panel.controls.pause.click()
    assert panel.wait(20)
    assert panel.state is State.DONE


def shown(panel: ReconstructPanel) -> list[str]:
    """What stands below the buttons of the last run."""
    c = panel.controls
    return [pane.value for pane in (c.loss.pane, c.preview.pane, c.numbers, c.after, c.problem)]


def test_another_scan_takes_every_picture_of_the_one_before_away(make):
    panel = make()
    empty = shown(panel)
    panel.run()
    assert shown(panel) != empty
    panel.scan = tiny_scan(N=32, seed=1)
    assert shown(panel) == empty


def test_a_run_that_fails_gives_nothing_and_shows_no_picture_of_the_one_before(make, monkeypatch):
    panel = make()
    empty = shown(panel)
    first = panel.run()
    monkeypatch.setitem(METHODS, "Iterative", replace(METHODS["Iterative"], run=lambda job: 1 / 0))
    assert panel.run() is None
    assert panel.result is first
    assert shown(panel)[:-1] == empty[:-1]
    assert "ZeroDivisionError" in panel.controls.problem.value


def test_a_result_that_cannot_be_judged_is_kept(make, monkeypatch, caplog):
    monkeypatch.setattr(panel_module, "in_words", lambda *_: 1 / 0)
    panel = make()
    with caplog.at_level(logging.CRITICAL):
        assert panel.run() is not None
    assert panel.state is State.DONE


def test_those_who_wait_hear_of_each_run_and_may_fail(make, caplog):
    panel, begun_runs, ended = make(method="Network, then iterative"), [], []
    panel.on_begin(lambda run: 1 / 0)
    panel.on_begin(lambda run: begun_runs.append((run.number, run.state, run.result)))
    panel.on_end(lambda run: 1 / 0)
    panel.on_end(ended.append)
    with caplog.at_level(logging.CRITICAL):
        panel.run()
        panel.run()
    assert panel.state is State.DONE
    first, second = ended
    assert begun_runs == [(run.number, State.LOADING, None) for run in ended]
    assert second.number == first.number + 1
    assert (second.method, second.scan, second.result) == ("Network, then iterative", SCAN, panel.result)
    assert [part for part, _ in second.histories] == ["network", "iterative"]
    assert [len(history.steps) for _, history in second.histories] == [6, 6]
    assert "photon noise alone" in second.summary
    fit = {"refinement.epochs": 3, "refinement.batch_size": 32}
    assert second.changes == {"training.epochs": 2, "training.batch_size": 8, "model.hidden": 12} | fit


def test_those_who_wait_hear_of_a_run_that_fails(make, monkeypatch):
    def fail(job):
        raise InputError("The scan is too small.")

    monkeypatch.setitem(METHODS, "Iterative", replace(METHODS["Iterative"], run=fail))
    panel, ended = make(), []
    panel.on_end(ended.append)
    panel.run()
    (run,) = ended
    assert (run.state, run.result, run.summary) == (State.FAILED, None, "The scan is too small.")


def test_the_film_of_a_run_goes_from_its_first_preview_to_its_end(make):
    panel, ended = make(*ENDLESS), []
    panel.on_end(ended.append)
    panel.controls.start.click()
    (run,) = [panel._runner.run]
    assert until(lambda: len(run.film.moments) >= 2)
    panel.controls.stop.click()
    assert panel.wait(20)
    moments = run.film.moments
    assert [m.step for m in moments] == sorted(m.step for m in moments)
    assert [m.seconds for m in moments] == sorted(m.seconds for m in moments)
    assert moments[-1].step == len(panel.result.history.steps)
    np.testing.assert_array_equal(moments[-1].object, panel.result.object[panel.result.scanned])
    assert moments[0].step < moments[-1].step


def test_a_film_keeps_so_many_moments_evenly_with_the_first_and_the_last():
    film, seen = Film(8), Preview(np.ones((300, 200), np.complex64), (0, 0), np.ones((1, 8, 8), np.complex64))
    for step in range(101):
        film.take(step / 10, step, seen, (slice(0, 300), slice(0, 200)))
    film.take_last(10.1, 101, seen, (slice(0, 300), slice(0, 200)))
    steps = [moment.step for moment in film.moments]
    assert 4 <= len(steps) <= 8
    assert (steps[0], steps[-1]) == (0, 101)
    assert set(np.diff(steps[:-1])) == {16}
    assert film.moments[0].object.shape == (100, 66)


def test_closing_stops_a_run_and_leaves_nothing():
    before = len(_instances)
    panel = ReconstructPanel(SCAN, *ENDLESS)
    panel.controls.start.click()
    assert begun(panel)
    panel.close()
    assert len(_instances) == before
    assert until(lambda: names_of_threads() == [], 5)
    assert panel.run() is None
    assert panel.result is not None  # what it had
    assert panel.state not in BUSY


def started_and_stopped(panel: ReconstructPanel, count: int) -> None:
    for i in range(count):
        panel.controls.start.click()
        if i % 2:
            panel.controls.stop.click()
        assert panel.wait(20)


@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.long)])
def test_many_runs_leave_no_widget_no_thread_and_no_figure(make, count):
    panel = make(RefinementConfig(epochs=1))
    started_and_stopped(panel, 2)  # what is made once is made
    before = (len(_instances), names_of_threads(), figures())
    started_and_stopped(panel, count)
    assert until(lambda: (len(_instances), names_of_threads(), figures()) == before, 5)


@pytest.mark.long
def test_a_hundred_runs_leave_no_memory():
    """In a process of their own: what other tests freed and the allocator kept is not counted."""
    code = "from test_ui_reconstruct import memory_of_runs; print(*memory_of_runs(100))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split()[-2:])
    assert after < 1.02 * before


def memory_of_runs(count: int) -> tuple[int, int]:
    """This process's memory [bytes] before and after so many runs; some went before, since what is made once is made then."""
    panel = ReconstructPanel(SCAN, RefinementConfig(epochs=1), *SHORT[:2])
    started_and_stopped(panel, 20)
    before = resident()
    started_and_stopped(panel, count)
    after = resident()
    panel.close()
    return before, after


def figures() -> int:
    gc.collect()
    return sum(issubclass(type(one), Figure) for one in gc.get_objects())


def resident() -> int:
    """Bytes of this process in main memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_names_of_strangers_are_text(make):
    panel = make(scan=SCAN.replace(name="<img src=x onerror=alert(1)>\x00$x$"))
    panel.run()
    c = panel.controls
    for pane in (c.scan, c.state, c.problem, c.numbers, c.after, c.code):
        assert "<img" not in pane.value
    assert "&lt;img" in c.scan.value


def test_a_saved_notebook_gets_a_picture_and_a_stable_text(make):
    panel = make()
    assert panel._repr_mimebundle_()["text/plain"] == repr(panel) == "<ReconstructPanel: Iterative, scan given>"
    assert "image/png" not in panel._repr_mimebundle_()
    panel.run()
    bundle = panel._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_live_numbers_name_epoch_rate_and_time_left(make):
    panel = make(*ENDLESS)
    panel.controls.start.click()
    assert until(lambda: " left" in panel.controls.numbers.value)
    words = re.sub("<[^>]*>", "", panel.controls.numbers.value)
    assert re.match(r"epoch [\d]+ of 10000, [\d,.]+ steps/s, about [\d.]+ \w+ left, loss ", words)
    assert "<progress" in panel.controls.numbers.value


def test_a_training_pays_back_when_its_reconstruction_is_quicker():
    assert "after 11 scans" in payback(iterative=7, method="Network", again=1, training=60)  # equal after ten
    assert "does not pay back" in payback(iterative=7, method="Network", again=8, training=60)
    assert "Run Iterative once" in payback(iterative=None, method="Network", again=8, training=60)


def test_the_payback_is_told_once_both_ways_were_run(make):
    panel = make(method="Network")
    panel.run()
    assert "Run Iterative once" in panel.controls.after.value
    panel.controls.method.value = "Iterative"
    panel.run()
    assert re.search(r"Training the network (pays back|does not).* s by Network, ", panel.controls.after.value)  # of the run before
    for method in WAYS[1:]:
        panel.controls.method.value = method
        panel.run()
        assert re.search(r"Training the network (pays back after \d+ scans|does not pay back)", panel.controls.after.value)
    panel.scan = tiny_scan(N=32, seed=1)
    panel.run()
    assert "Run Iterative once" in panel.controls.after.value  # on this scan


def test_the_payback_counts_what_each_scan_takes_this_way(make):
    panel = make(method="Network, then iterative")
    panel.run()
    done = panel._runner.outcome
    assert done.again >= done.once + done.result.history.seconds[-1]  # of the fit, to the end of its last epoch
    assert done.result.seconds == pytest.approx(done.training.seconds + done.again)
    assert f"training {done.training.seconds:.1f} s" in panel.controls.after.value


@pytest.mark.parametrize(("method", "part"), [("Network", "training"), ("Iterative", "fit"), ("Network, then iterative", "fit")])
def test_the_held_out_misfit_is_of_patterns_that_the_last_part_never_saw(make, method, part):
    panel = make(*SHORT[:2], RefinementConfig(epochs=3, holdout=0.1), method=method)
    panel.run()
    words = panel.controls.after.value
    count = 2 if part == "training" else 4  # of 42
    assert re.search(rf"Held-out misfit [\d.e+]+ a pixel \((amplitude|poisson); {count} patterns that the {part} never saw\)", words)
    panel.controls.forms["refinement"].fields["holdout"].box.value = "0"
    panel.run()
    assert ("No pattern was held out of the fit" in panel.controls.after.value) is (part == "fit")


def test_a_scan_is_not_exchanged_under_a_run(make):
    panel = make(*ENDLESS)
    panel.controls.start.click()
    assert begun(panel)
    with pytest.raises(InputError, match="stop it before"):
        panel.scan = SCAN
    panel.stop()
    assert panel.wait(20)
    panel.scan = SCAN
    assert panel.result is None


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (180, "3 min"), (9000, "2.5 h")])
def test_a_time_is_told_in_a_unit_that_suits(seconds, words):
    assert duration(seconds) == words


# The parts of one run.


def curves(panel: ReconstructPanel) -> list[str]:
    """What is drawn, by the names in the drawing's words."""
    return re.findall(r"(\w+: (?:training |validation )?loss) [\d.]", re.search('aria-label="([^"]*)"', panel.controls.loss.pane.value)[1])


def test_two_parts_are_two_curves_one_after_the_other(make):
    panel = make(method="Network, then iterative")
    panel.run()
    assert curves(panel) == ["network: training loss", "network: validation loss", "iterative: loss"]
    assert "Loss up to step 12" in panel.controls.loss.pane.value
    lines = re.findall(r'<polyline points="([^"]*)"', panel.controls.loss.pane.value)
    left, _, right = (np.array([float(pair.split(",")[0]) for pair in line.split()]) for line in lines)
    assert left.max() < right.min()
    panel.controls.more.value = "2"
    panel.controls.go_on.click()
    assert panel.wait(20)
    assert curves(panel) == ["network: training loss", "network: validation loss", "iterative: loss"]
    assert "Loss up to step 16" in panel.controls.loss.pane.value
    panel.controls.method.value = "Iterative"
    panel.run()
    assert curves(panel) == ["iterative: loss"]


def test_both_parts_of_a_run_are_drawn_as_their_histories_tell_them(make):
    panel, ended = make(*SHORT[:2], RefinementConfig(epochs=3), method="Network, then iterative"), []
    panel.on_end(ended.append)
    panel.run()
    (_, training), (_, fit) = ended[0].histories
    words = re.search('aria-label="([^"]*)"', panel.controls.loss.pane.value)[1]
    assert f"network: training loss {training.steps[-1][1]:.4g}" in words
    assert f"network: validation loss {training['val_loss'][-1]:.4g}" in words
    assert f"iterative: loss {fit.steps[-1][1]:.4g}" in words
    panel.controls.method.value = "Network"
    panel.run()
    assert f"network: training loss {ended[1].histories[0][1].steps[-1][1]:.4g}" in panel.controls.loss.pane.value


def test_the_time_left_ends_with_the_time_limit(make):
    panel = make(RefinementConfig(epochs=10_000, time_limit=7.0))
    panel.controls.start.click()
    assert until(lambda: " left" in panel.controls.numbers.value)
    assert int(re.search(r"about (\d+) s left", panel.controls.numbers.value)[1]) <= 7
    panel.stop()


def test_device_and_time_limit_are_among_the_first_settings_of_each_method(make):
    panel = make()
    for name in ("training", "refinement"):
        basic = {s.name for s in panel.controls.forms[name].kind.settings() if not s.advanced}
        assert {"accelerator", "time_limit"} <= basic
    shown = {}
    for method in WAYS:
        panel.controls.method.value = method
        shown[method] = panel.controls.twice.layout.display != "none"
    assert shown == {"Iterative": False, "Network": False, "Network, then iterative": True}
    assert "for each part" in panel.controls.twice.value


@pytest.mark.parametrize("method", ["Iterative", "Network"])
def test_a_time_limit_ends_a_run_and_says_so(make, method):
    limited = TrainingConfig(epochs=10_000, batch_size=8, time_limit=0.2), RefinementConfig(epochs=10_000, time_limit=0.2)
    panel = make(*limited, ModelConfig(hidden=12), method=method)
    panel.run()
    assert panel.state is State.STOPPED
    assert "time limit" in panel.controls.problem.value


# The estimate.


class Timed:
    """Stands in for the measurement: keeps what it was asked."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.asked: list[dict] = []
        self.stopped = 0

    def __call__(self, scan, *, control, **configs) -> Estimate:
        end = time.monotonic() + self.seconds
        self.asked.append(configs)
        while time.monotonic() < end and not control.stopping:
            time.sleep(0.005)
        self.stopped += control.stopping
        if self.error is not None:
            raise self.error
        return Estimate(40.0, 64, 2, 0.6, 1000, 10**9)


@pytest.fixture
def timed(make, monkeypatch):
    def of(*arguments, quiet: float = 0.1, **more) -> Timed:
        one = Timed(*arguments, **more)
        monkeypatch.setattr("ptycho_nb.estimate", one)
        monkeypatch.setattr(forecast, "QUIET", quiet)
        return one

    return of


def test_what_a_run_takes_is_told_once_the_settings_rest(make, timed, monkeypatch):
    measured = timed(quiet=60.0)
    panel = make()
    fields = panel.controls.forms["refinement"].fields
    for epochs in ("4", "5"):
        fields["epochs"].box.value = epochs
    monkeypatch.setattr(forecast, "QUIET", 0.1)
    fields["epochs"].box.value = "6"
    assert until(lambda: "about 40 s" in panel.controls.estimate.value)
    assert [set(configs) for configs in measured.asked] == [{"refinement"}]
    assert measured.asked[0]["refinement"].epochs == 6
    panel.controls.method.value = "Network, then iterative"
    assert panel.controls.estimate.value == ""
    assert until(lambda: "about 40 s" in panel.controls.estimate.value)
    assert set(measured.asked[-1]) == set(METHODS["Network, then iterative"].sections)


def test_nothing_is_measured_without_a_scan_with_a_problem_or_beside_a_run(make, timed):
    measured = timed(quiet=0.01)
    panel = make(*ENDLESS, scan=None)
    time.sleep(0.1)
    assert measured.asked == []
    panel.controls.forms["refinement"].fields["epochs"].box.value = "none"
    panel.scan = SCAN
    time.sleep(0.1)
    assert measured.asked == []
    panel.controls.forms["refinement"].reset.click()
    assert until(lambda: "about 40 s" in panel.controls.estimate.value)
    count = len(measured.asked)
    panel.set(*ENDLESS)
    panel.controls.start.click()
    assert begun(panel)
    time.sleep(0.1)
    assert panel.controls.estimate.value == ""
    assert len(measured.asked) <= count + 1  # that between the setting and the click
    panel.stop()


def test_start_ends_a_measurement_and_a_known_answer_is_told_again(make, timed):
    measured = timed(30.0, quiet=0.0)
    panel = make()
    assert until(lambda: len(measured.asked) == 1)
    assert until(lambda: "timing" in panel.controls.estimate.value)
    measured.seconds = 0.0  # of the next one
    began = time.monotonic()
    panel.run()
    assert time.monotonic() - began < 20
    assert measured.stopped == 1
    assert panel.state is State.DONE
    assert until(lambda: "about 40 s" in panel.controls.estimate.value)
    count = len(measured.asked)
    panel.run()
    assert until(lambda: "about 40 s" in panel.controls.estimate.value)
    assert len(measured.asked) == count


@pytest.mark.parametrize(
    ("error", "words"), [(InputError("The scan has <b>3</b> patterns."), "&lt;b&gt;3"), (RuntimeError("deep inside"), "log has the reason")]
)
def test_an_estimate_that_fails_says_so_and_start_is_free(make, timed, caplog, error, words):
    timed(0.0, error, quiet=0.0)
    with caplog.at_level(logging.CRITICAL):
        panel = make()
        assert until(lambda: words in panel.controls.estimate.value)
    assert not panel.controls.start.disabled
    assert panel.run() is not None


@pytest.fixture
def memory_is(monkeypatch):
    """A machine on which a run needs this much memory, this much is free and this much is there."""

    def told(needed: float, available: float, total: float) -> None:
        monkeypatch.setattr("ptycho_nb.memory_needed", lambda scan, **configs: int(needed))
        monkeypatch.setattr(forecast, "memory", lambda: Memory(int(available), int(total)))

    return told


def test_a_lack_of_memory_is_told_at_once_with_the_way_out_and_start_is_free(make, timed, memory_is):
    measured = timed(quiet=60.0)
    memory_is(3 * 2**30, 2 * 2**30, 8 * 2**30)
    panel = make()
    assert until(lambda: "needs about 3 GiB of memory and 2 GiB are free, so it may fail: crop or bin" in panel.controls.estimate.value)
    assert "<strong>" in panel.controls.estimate.value
    assert measured.asked == []  # the steps that it would time need memory too
    assert not panel.controls.start.disabled
    assert panel.run() is not None


def test_memory_that_was_short_is_looked_at_again(make, timed, memory_is):
    timed(quiet=0.0)
    memory_is(3 * 2**30, 2 * 2**30, 8 * 2**30)
    panel = make()
    assert until(lambda: "it may fail" in panel.controls.estimate.value)
    memory_is(3 * 2**30, 4 * 2**30, 8 * 2**30)
    panel.controls.forms["refinement"].fields["epochs"].box.value = "4"
    assert until(lambda: "about 40 s" in panel.controls.estimate.value)


@pytest.mark.parametrize("looked", [True, False])
def test_a_run_that_no_memory_here_can_hold_is_refused(make, timed, memory_is, looked):
    timed(quiet=60.0)
    memory_is(20 * 2**30, 7 * 2**30, 8 * 2**30)
    panel = make()
    assert until(lambda: "8 GiB are all there is" in panel.controls.estimate.value)
    if not looked:
        panel._forecast._looked = None  # it was edited a moment ago
    panel.controls.start.click()
    assert "needs about 20 GiB of memory and 8 GiB are all there is: crop or bin" in panel.controls.problem.value
    assert (panel.state, panel.busy, panel.result) == (State.IDLE, False, None)
    memory_is(1, 2, 8)
    panel.controls.forms["refinement"].fields["epochs"].box.value = "2"
    assert panel.run() is not None
    assert panel.controls.problem.value == ""


def test_the_memory_of_a_gpu_is_not_judged_by_that_of_the_machine(monkeypatch, memory_is):
    memory_is(20, 7, 8)
    question = forecast.Question(SCAN, {"training": TrainingConfig(), "model": ModelConfig()})
    assert forecast.Room.of(question).hopeless
    monkeypatch.setattr("ptycho_nb.pick_device", lambda name: SimpleNamespace(type="cuda"))
    assert forecast.Room.of(question) is None


def test_closing_ends_a_measurement(timed):
    measured = timed(30.0, quiet=0.0)
    panel = ReconstructPanel(SCAN, *SHORT)
    assert until(lambda: len(measured.asked) == 1)
    panel.close()
    assert measured.stopped == 1


@pytest.mark.long
@pytest.mark.parametrize("method", WAYS)
def test_a_real_measurement_tells_time_and_memory(make, monkeypatch, method):
    monkeypatch.setattr(forecast, "QUIET", 0.0)
    panel = make(method=method)
    assert until(lambda: re.search(r"(about|less than) [\d.]+ \w+ here, about [\d.]+ \w+B of memory", panel.controls.estimate.value))


# Whatever comes.


def test_a_cell_run_again_shows_the_run_that_it_left_behind_and_a_button_ends_it(make):
    left = make(*ENDLESS, scan=SCAN.replace(name="<b>left</b>"))
    alone = left.controls._elsewhere.layout.display
    left.controls.start.click()
    assert begun(left)
    again = make()
    assert f"In another panel: {left._runner.run.name} on &lt;b&gt;left&lt;/b&gt;." in again.controls.others.value
    assert again.controls._elsewhere.layout.display is None
    assert left.controls._elsewhere.layout.display == alone == "none"
    again.controls.stop_others.click()
    assert left.wait(20)
    assert left.state is State.STOPPED
    assert again.controls._elsewhere.layout.display == "none"


def test_two_panels_run_side_by_side_and_do_not_touch_each_other(make):
    panels = [make(method="Iterative"), make(method="Network, then iterative")]
    alone = [panel.run().object for panel in panels]
    for panel in panels:
        panel.controls.start.click()
    for panel in panels:
        assert panel.wait(60)
        assert panel.state is State.DONE
    for panel, before in zip(panels, alone, strict=True):
        np.testing.assert_array_equal(panel.result.object, before)
    assert curves(panels[0]) == ["iterative: loss"]


def test_closing_at_any_state_leaves_nothing(monkeypatch, caplog):
    def fail(job):
        raise RuntimeError("broken")

    def paused(panel):
        panel.pause()
        return until(lambda: panel.state is State.PAUSED)

    def failed(panel):
        panel.stop()
        assert panel.wait(20)
        monkeypatch.setitem(METHODS, "Iterative", replace(METHODS["Iterative"], run=fail))
        panel.run()
        return panel.state is State.FAILED

    stages = {
        "idle": lambda panel: True,
        "loading": lambda panel: panel.controls.start.click() is None,
        "running": lambda panel: panel.controls.start.click() or begun(panel),
        "paused": lambda panel: panel.controls.start.click() or (begun(panel) and paused(panel)),
        "stopping": lambda panel: panel.controls.start.click() or (begun(panel) and panel.stop() is None),
        "stopped": lambda panel: panel.controls.start.click() or panel.stop() or panel.wait(20),
        "failed": lambda panel: panel.controls.start.click() or failed(panel),
    }
    before = len(_instances)
    for name, reach in stages.items():
        panel = ReconstructPanel(SCAN, *ENDLESS)
        with caplog.at_level(logging.CRITICAL):
            assert reach(panel), name
            panel.close()
        assert len(_instances) == before, name
        assert until(lambda: names_of_threads() == [], 5), name
        assert panel.state not in BUSY, name


def test_a_stop_that_comes_late_changes_nothing(make):
    panel = make()
    panel.run()
    panel.stop()
    panel.controls.stop.click()
    assert panel.state is State.DONE
    assert "Done" in panel.controls.state.value
    panel._runner.reflect()
    assert panel.state is State.DONE


def test_another_scan_begins_anew(make):
    panel = make()
    panel.run()
    panel.scan = tiny_scan(5, 5, N=32)
    assert panel.state is State.IDLE
    assert panel.controls.after.value == ""
    assert panel.controls.go_on.disabled
    assert panel.result is None


def test_settings_are_given_at_once_and_not_under_a_run(make):
    panel = make(*ENDLESS)
    panel.set(RefinementConfig(epochs=7), method="Network")
    assert panel.controls.forms["refinement"].config.epochs == 7
    assert panel.method == "Network"
    with pytest.raises(InputError, match="allowed: Iterative"):
        panel.set(method="Netwerk")
    panel.controls.start.click()
    with pytest.raises(InputError, match="stop it before"):
        panel.set(RefinementConfig())
    assert panel.busy
    panel.stop()
    assert panel.wait(20)
    assert not panel.busy


def test_the_source_can_be_told_later(make):
    panel = make()
    assert "the scan that the panel was given" in panel.controls.code.value
    panel.source = "scans/one.npz"
    assert "load_scan(&#x27;scans/one.npz&#x27;)" in panel.controls.code.value
