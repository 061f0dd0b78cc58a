"""The Reconstruct panel, driven by its buttons without a browser."""

from __future__ import annotations

import html
import logging
import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from tiny_scan import tiny_scan

from ptycho_nb.config import InferenceConfig, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.ui import ReconstructPanel
from ptycho_nb.ui.panels.reconstruct import panel as panel_module
from ptycho_nb.ui.panels.reconstruct.controls import BUSY
from ptycho_nb.ui.panels.reconstruct.methods import METHODS, payback
from ptycho_nb.ui.panels.reconstruct.progress import duration

SCAN = tiny_scan(N=32)
SHORT = TrainingConfig(epochs=2, batch_size=8), ModelConfig(hidden=12), RefinementConfig(epochs=3)
ENDLESS = TrainingConfig(epochs=10_000, batch_size=8), ModelConfig(hidden=12), RefinementConfig(epochs=10_000)
WAYS = list(METHODS)


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    widgets, threads = len(_instances), names_of_threads()
    yield
    assert len(_instances) == widgets
    assert until(lambda: names_of_threads() == threads, 5)


def names_of_threads() -> list[str]:
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("ptycho_nb"))


@pytest.fixture
def make():
    """Panels that are closed at the end."""
    made: list[ReconstructPanel] = []

    def panel(*configs, scan=SCAN, **more) -> ReconstructPanel:
        made.append(ReconstructPanel(scan, *(configs or SHORT), **more))
        return made[-1]

    yield panel
    for one in made:
        one.close()


def until(condition, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


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


def test_problems_are_counted_and_start_waits_for_them(make):
    panel = make()
    fields = panel.controls.forms["refinement"].fields
    fields["epochs"].box.value, fields["batch_size"].box.value = "0", "many"
    assert "2 problems" in panel.controls.state.value
    assert panel.controls.start.disabled
    panel.controls.start.click()
    assert panel.result is None
    assert "epochs" in panel.controls.problem.value
    panel.controls.method.value = "Network"  # whose settings are fine
    assert not panel.controls.start.disabled


def test_without_a_scan_the_panel_says_what_to_do(make):
    panel = make(scan=None)
    assert "No scan yet" in panel.controls.scan.value
    assert panel.controls.start.disabled
    assert panel.run() is None
    assert 'role="alert"' in panel.controls.problem.value
    panel.scan = SCAN
    assert not panel.controls.start.disabled
    assert panel.run() is not None
    assert panel.controls.problem.value == ""


def test_an_unknown_method_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'Iterative'"):
        ReconstructPanel(SCAN, method="iterativ")


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
    assert (c.pause.description, "Paused" in c.state.value) == ("Resume", True)
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


def test_a_result_that_cannot_be_judged_is_kept(make, monkeypatch, caplog):
    monkeypatch.setattr(panel_module, "in_words", lambda *_: 1 / 0)
    panel = make()
    with caplog.at_level(logging.CRITICAL):
        assert panel.run() is not None
    assert panel.state is State.DONE


def test_those_who_wait_for_a_result_get_it_and_may_fail(make, caplog):
    panel, got = make(), []
    panel.on_end(lambda result: 1 / 0)
    panel.on_end(got.append)
    with caplog.at_level(logging.CRITICAL):
        panel.run()
    assert got == [panel.result]
    assert panel.state is State.DONE


def test_closing_stops_a_run_and_leaves_nothing():
    before = len(_instances)
    panel = ReconstructPanel(SCAN, *ENDLESS)
    panel.controls.start.click()
    assert begun(panel)
    panel.close()
    assert len(_instances) == before
    assert until(lambda: names_of_threads() == [], 5)
    assert panel.run() is not None  # what it had; no new run
    assert panel.state not in BUSY


@pytest.mark.long
def test_a_hundred_runs_leave_no_widget_and_no_thread(make):
    panel = make(RefinementConfig(epochs=1))
    panel.run()
    before = len(_instances), names_of_threads()
    for _ in range(100):
        panel.controls.start.click()
        assert panel.wait(20)
    assert until(lambda: (len(_instances), names_of_threads()) == before, 5)


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
    assert "after 11 scans" in payback(iterative=7, once=1, training=60)  # equal after ten
    assert "does not pay back" in payback(iterative=7, once=8, training=60)


def test_the_payback_is_told_once_both_ways_were_run(make):
    panel = make()
    panel.run()
    assert "pay" not in panel.controls.after.value
    panel.controls.method.value = "Network"
    panel.run()
    assert re.search(r"The training (pays back after \d+ scans|does not pay back)", panel.controls.after.value)


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
