"""The Runs panel, driven by its controls without a browser."""

from __future__ import annotations

import gc
import html
import logging
import re
import threading
import weakref

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from leftovers import names_of_threads, nothing_left, until
from tiny_scan import tiny_scan

from ptycho_nb.config import ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.history import Control, History, Preview, State
from ptycho_nb.refinement import refine
from ptycho_nb.ui.app import Desk
from ptycho_nb.ui.drawing import Line, curves_svg
from ptycho_nb.ui.drawing.loss import COLOURS, DASHES
from ptycho_nb.ui.panels.run import Run
from ptycho_nb.ui.panels.runs import RunsPanel, overlay
from ptycho_nb.ui.panels.runs import panel as panel_module
from ptycho_nb.ui.panels.runs.facts import held
from ptycho_nb.ui.panels.runs.overlay import EPOCHS, SECONDS, Scales, SideBySide, loss_curves, loss_kinds
from ptycho_nb.ui.panels.runs.table import differences
from ptycho_nb.ui.panels.watch import Watch

SCAN = tiny_scan(rows=8, columns=9, N=32)
INSIDE = slice(16, -16), slice(16, -16)


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


@pytest.fixture
def make():
    """Panels that are closed at the end."""
    made: list[RunsPanel] = []

    def panel(*runs: Run) -> RunsPanel:
        made.append(RunsPanel())
        for run in runs:
            made[-1].add(run)
        return made[-1]

    yield panel
    for one in made:
        one.close()


def run_of(number: int, scan=SCAN, **settings) -> Run:
    """A run that has not begun."""
    return Run(number, "Iterative", scan, {"refinement": RefinementConfig(**{"epochs": 3, **settings})})


def ran(number: int, scan=SCAN, **settings) -> Run:
    """A run that reached its end, filmed at each step."""
    run = run_of(number, scan, **settings)
    go(run)
    return run


def go(run: Run, control: Control | None = None) -> None:
    def hear(history: History) -> None:
        run.state, run.histories = State.RUNNING, (("iterative", history),)
        run.film.take(history.elapsed, len(history.steps), history.preview(), INSIDE)

    run.result = refine(run.scan, None, run.configs["refinement"], listener=hear, control=control)
    run.state = run.result.state


THREE = ran(1), ran(2, epochs=5), ran(3, batch_size=16, loss="amplitude")


def words(pane) -> str:
    return html.unescape(re.sub("<[^>]*>", " ", pane.value))


def rows(panel: RunsPanel) -> list[list[str]]:
    body = panel.table.value.split("<tbody>")[1]
    return [[words_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in re.findall(r"<tr>(.*?)</tr>", body)]


def words_of(text: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


def test_without_runs_it_says_what_to_do(make):
    panel = make()
    assert "No runs yet: press Start" in words(panel.news)
    assert panel._parts.layout.display == "none"
    panel.forget.click()
    assert panel.wait(20)
    assert not panel.problem.value


def test_each_run_has_a_row_that_tells_what_it_took_and_reached(make):
    panel = make(*THREE)
    assert panel.wait(20)
    assert [row[0] for row in rows(panel)] == ["1", "2", "3"]
    number, method, state, epochs, took, loss, misfit, differ = rows(panel)[1]
    assert (number, method, state, epochs) == ("2", "Iterative", "done", "5")
    assert took == f"{THREE[1].result.seconds:.3g} s"
    assert loss == f"{THREE[1].result.history['train_loss'][-1]:.4g}"
    assert misfit == f"{THREE[1].result.r_factor(SCAN):.4g}"  # a scan of few patterns: of all
    assert differ == "Epochs 5 Batch size: 16 to 64, default Loss poisson, default"
    assert panel.table.value.count("<th scope=") == 8 + 3
    assert 'aria-label="Runs of this kernel"' in panel.table.value


def test_only_settings_that_are_not_the_same_in_all_runs_are_told():
    told = differences(THREE)
    assert told[THREE[2]] == ["Epochs 3", "Batch size 16", "Loss amplitude"]
    assert list(differences([THREE[0], run_of(4)]).values()) == [["none"], ["none"]]


def test_of_a_single_run_what_is_not_at_its_default_is_told():
    assert list(differences([THREE[0]]).values()) == [["Epochs 3"]]
    alone = Run(1, "Iterative", SCAN, {"refinement": RefinementConfig()})
    assert differences([alone]) == {alone: ["all at their defaults"]}


def test_labels_that_two_sections_share_name_the_section():
    configs = {"training": TrainingConfig(epochs=2), "model": ModelConfig(), "refinement": RefinementConfig(epochs=4)}
    both = Run(4, "Network, then iterative", SCAN, configs)
    assert differences([both])[both] == ["Epochs (training) 2", "Epochs (iterative fit) 4"]


def test_settings_of_another_method_are_no_difference_and_another_scan_is():
    network = Run(4, "Network", SCAN, {"training": TrainingConfig()})
    assert differences([THREE[0], network])[network] == ["none"]
    other = run_of(5, SCAN.replace(name="<b>other</b>"))
    assert differences([THREE[0], other])[other] == ["scan <b>other</b>, 72 patterns"]


def test_losses_are_told_apart_by_colour_and_dash(make):
    panel = make(*THREE)
    assert panel.wait(20)
    lines = re.findall(r'<polyline points="([^"]*)"[^>]*stroke-dasharray="([^"]*)" style="stroke: ([^"]*)"', panel.curves.value)
    assert [len(points.split()) for points, _, _ in lines] == [3, 5, 3]
    assert [dash for _, dash, _ in lines] == list(DASHES[:3])
    assert len({colour for _, _, colour in lines}) == 3
    assert "Run 2: Iterative" in panel.curves.value
    assert len(set(DASHES)) == len(set(COLOURS)) == 5


def test_losses_run_over_epochs_or_seconds():
    run = THREE[1]
    by_epoch, by_time = (overlay._line(run, x) for x in (EPOCHS, SECONDS))
    np.testing.assert_allclose(by_epoch.places, [1, 2, 3, 4, 5])
    np.testing.assert_allclose(by_time.places, run.result.history.seconds)
    np.testing.assert_allclose(by_epoch.values, run.result.history["train_loss"])
    assert "time [s]" in loss_curves([run], SECONDS, True)


def test_the_parts_of_a_run_follow_each_other():
    history = THREE[1].result.history
    run = Run(9, "Network, then iterative", SCAN, {}, histories=(("network", history), ("iterative", history)))
    np.testing.assert_allclose(overlay._line(run, EPOCHS).places, np.arange(1, 11))
    assert (np.diff(overlay._line(run, SECONDS).places) > 0).all()


def test_the_longest_run_is_few_points():
    history = History()
    for i in range(5000):
        history.record_epoch(train_loss=1 / (i + 1))
    run = Run(1, "Iterative", SCAN, {}, histories=(("iterative", history),))
    line = overlay._line(run, SECONDS)
    assert 200 <= len(line.values) <= 400
    assert (np.diff(line.places) >= 0).all()


def test_losses_of_different_kinds_are_told(make):
    panel = make(*THREE)
    assert panel.wait(20)
    assert "different kinds, amplitude and poisson" in words(panel.curves)
    panel.chosen.value = (1, 2)
    assert panel.wait(20)
    assert "different kinds" not in words(panel.curves)
    assert loss_kinds(Run(1, "Network", SCAN, {"training": TrainingConfig(objective="supervised")})) == {"supervised"}


def test_objects_are_registered_and_drawn_on_the_same_scales(make):
    panel = make(*THREE)
    assert panel.wait(20)
    assert panel.objects.value.count("<img") == 6
    assert "registered to run 3" in words(panel.objects)
    assert words(panel.objects).count("Limits of all") == 1


def test_registration_takes_off_phase_and_scale():
    turned = ran(7)
    turned.result = turned.result.replace(object=(0.5j * turned.result.object).astype(np.complex64))
    side = SideBySide()
    own, _ = side._seen(THREE[0], THREE[0], {})
    other, how = side._seen(turned, THREE[0], {})
    assert how == ", registered to run 1"
    assert np.abs(other - own).mean() < 0.02


def test_a_run_on_another_canvas_is_drawn_and_not_registered(make):
    panel = make(ran(1, tiny_scan(rows=6, N=32)), THREE[2])
    assert panel.wait(20)
    assert "on another canvas, not registered" in words(panel.objects)
    assert panel.objects.value.count("<img") == 4
    assert "scan tiny, 42 patterns" in words(panel.table)


def test_scales_hold_every_object():
    dim, bright = np.full((4, 4), 0.2 + 0j), np.full((4, 4), 3 * np.exp(0.5j))
    scales = Scales.of(dim, bright)
    assert scales.amplitude.vmin <= 0.2 < 3 <= scales.amplitude.vmax
    assert scales.phase.vmax >= 0.5


def test_at_most_five_runs_are_drawn_over_each_other(make):
    panel = make(*(ran(i + 1, epochs=1) for i in range(6)))
    assert panel.chosen.value == (2, 3, 4, 5, 6)
    panel.chosen.value = (1, 2, 3, 4, 5, 6)
    assert panel.wait(20)
    assert panel.objects.value.count("<img") == 10
    assert "last 5 of 6 chosen" in words(panel.curves)


def test_no_run_chosen_asks_for_one(make):
    panel = make(*THREE)
    panel.chosen.value = ()
    assert panel.wait(20)
    assert "Choose runs" in words(panel.curves)
    assert not panel.objects.value


def test_the_scrubber_shows_the_kept_moments_of_a_run(make):
    panel = make(*THREE)
    assert panel.wait(20)
    assert panel.film.value == 3
    moments = THREE[2].film.moments
    assert panel.moment.max == panel.moment.value == len(moments)
    panel.moment.value = 2
    assert panel.wait(20)
    assert f"moment 2 of {len(moments)}: step {moments[1].step}, {moments[1].seconds:.3g} s" in words(panel.when)
    assert panel.picture.value.count("<img") == 2
    before = panel.picture.value
    panel.film.value = 1
    assert panel.wait(20)
    assert panel.picture.value != before
    assert panel.moment.max == len(THREE[0].film.moments)


def test_a_film_that_is_halved_keeps_the_scrubber_inside(make):
    run = run_of(1)
    seen = Preview(np.ones((20, 24), np.complex64), (0, 0), np.ones((1, 4, 4), np.complex64))
    for i in range(40):
        run.film.take(float(i), i, seen, (slice(None), slice(None)))
    run.state = State.STOPPED
    panel = make(run)
    assert panel.wait(20)
    assert panel.moment.value == 40
    panel.moment.value = 39
    run.film.take(40.0, 40, seen, (slice(None), slice(None)))
    panel.refresh()
    assert panel.wait(20)
    assert panel.moment.max == len(run.film.moments) == 21
    assert "of 21: step" in words(panel.when)


def test_a_run_is_followed_until_it_ends(make):
    run, control = run_of(1, epochs=10_000), Control()
    panel = make(run)
    assert until(lambda: "loading" in words(panel.table))
    assert "so far" not in words(panel.objects)
    thread = threading.Thread(target=go, args=(run, control))
    thread.start()
    try:
        assert until(lambda: "running" in words(panel.table) and "so far" in words(panel.objects))
        first = panel.curves.value
        assert until(lambda: panel.curves.value != first)
        assert until(lambda: panel.moment.value == panel.moment.max)
        assert not panel.wait(0.01)
    finally:
        control.stop()
        thread.join()
    assert panel.wait(20)
    assert rows(panel)[0][2] == "stopped"
    assert "so far" not in words(panel.objects)
    assert until(lambda: not names_of_threads())


def test_a_run_that_failed_says_why(make):
    run = run_of(1)
    run.summary, run.state = "There is <no> memory.", State.FAILED
    panel = make(run)
    assert panel.wait(20)
    assert rows(panel)[0][2:7] == ["failed: There is <no> memory.", "–", "–", "–", "–"]
    assert "<no>" not in panel.table.value
    assert "No loss yet" in words(panel.curves)
    assert not panel.objects.value
    assert panel._course.layout.display == "none"


def test_forget_takes_the_chosen_runs_and_their_memory(make):
    panel = make(*THREE)
    assert panel.wait(20)
    size = held(THREE) / 2**20
    assert f"3 runs, {size:.3g} MiB" in words(panel.news)
    panel.chosen.value = (1, 3)
    panel.forget.click()
    assert panel.wait(20)
    assert panel.runs == (THREE[1],)
    assert [value for _, value in panel.chosen.options] == [2]
    assert panel.film.value == 2
    assert "1 run, " in words(panel.news)
    assert set(panel._facts) == {THREE[1]}
    panel.chosen.value = (2,)
    panel.forget.click()
    assert panel.wait(20)
    assert "No runs yet" in words(panel.news)


def test_a_run_under_way_is_not_forgotten(make):
    run = run_of(1)
    panel = make(run)
    panel.forget.click()
    assert "Run 1: Iterative is under way" in panel.problem.value
    assert panel.runs == (run,)
    run.state = State.STOPPED
    panel.forget.click()
    assert panel.wait(20)
    assert not panel.problem.value
    assert panel.runs == ()


def test_too_many_runs_make_the_oldest_go(make, monkeypatch):
    monkeypatch.setattr(panel_module, "MOST", 2)
    panel = make(*THREE)
    assert panel.wait(20)
    assert panel.runs == THREE[1:]
    assert "Run 1: Iterative" in words(panel.news)
    assert "at most 2 runs" in words(panel.news)


def test_too_much_memory_makes_the_oldest_go_and_keeps_the_last(make, monkeypatch):
    monkeypatch.setattr(panel_module, "MOST_BYTES", 1)
    panel = make(*THREE)
    assert panel.wait(20)
    assert panel.runs == THREE[2:]


def test_a_run_added_twice_stands_once(make):
    panel = make(THREE[0], THREE[0])
    assert panel.runs == (THREE[0],)


def test_adding_keeps_what_was_chosen_and_adds_the_new_one(make):
    panel = make(*THREE[:2])
    panel.chosen.value = (1,)
    panel.add(THREE[2])
    assert panel.chosen.value == (1, 3)


def test_nothing_is_sent_and_no_object_drawn_when_nothing_has_changed(make, monkeypatch):
    panel = make(*THREE)
    assert panel.wait(20)
    sent = []
    monkeypatch.setattr(panel._side_by_side, "draw", sent.append)
    monkeypatch.setattr(panel_module, "frame", lambda *_: sent.append("frame"))
    for pane in (panel.table, panel.curves, panel.objects, panel.picture, panel.news, panel.when):
        pane.observe(sent.append, "value")
    panel.refresh()
    assert panel.wait(20)
    assert sent == []


def test_no_widget_is_made_after_the_first_moment(make):
    panel = make(THREE[0])
    assert panel.wait(20)
    before = len(_instances)
    for run in THREE[1:]:
        panel.add(run)
    panel.x.value, panel.log.value, panel.moment.value = SECONDS, False, 2
    assert panel.wait(20)
    assert len(_instances) == before


def test_a_picture_that_fails_is_told_and_the_runs_stay(make, monkeypatch, caplog):
    panel = make(THREE[0])
    assert panel.wait(20)
    with monkeypatch.context() as broken, caplog.at_level(logging.CRITICAL):
        broken.setattr(panel_module, "loss_curves", lambda *_: 1 / 0)
        panel.log.value = False
        assert panel.wait(20)
    assert "failed" in panel.problem.value
    assert panel.runs == THREE[:1]


def test_every_control_has_a_name_and_a_tooltip_and_every_picture_words(make):
    panel = make(*THREE)
    assert panel.wait(20)
    for control in (panel.chosen, panel.x, panel.log, panel.forget, panel.film, panel.moment):
        assert control.description
        assert control.tooltip
    pages = panel.objects.value + panel.picture.value
    assert pages.count("<img") == len(re.findall(r'alt="Object of Run [^"]{10,}"', pages)) == 8


def test_closing_under_way_leaves_nothing():
    panel = RunsPanel()
    panel.add(run_of(1))
    panel.close()
    assert until(lambda: not names_of_threads())
    panel.refresh()
    assert not names_of_threads()


def test_a_saved_notebook_gets_a_picture_and_a_stable_text(make):
    panel = make()
    assert panel._repr_mimebundle_()["text/plain"] == repr(panel) == "<RunsPanel: 0 runs>"
    assert "image/png" not in panel._repr_mimebundle_()
    for runs in (THREE, (ran(9, tiny_scan(rows=6, N=32)),)):
        for run in runs:
            panel.add(run)
        assert panel._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")


# What the panels share.


def test_a_watch_draws_the_last_thing_asked_for_and_ends():
    drawn, gate = [], threading.Event()
    watch = Watch(lambda: drawn.append(gate.wait(5)), drawn.append)
    for _ in range(50):
        watch.wake()
    gate.set()
    assert watch.wait(5)
    assert 1 <= len(drawn) <= 2
    watch.close()
    watch.wake()
    assert len(drawn) <= 2


def test_curves_take_any_axes():
    lines = [Line("profile", np.linspace(0, 0.4, 11), np.linspace(-1, 1, 11)), Line("here", np.array([0.25]), np.array([0.5]))]
    page = curves_svg(lines, x="distance [µm]", y="phase [rad]")
    assert "distance [µm]" in page
    assert "phase [rad]" in page
    assert {"0.2", "0.3"} <= set(re.findall(r"<text[^>]*>([^<]*)</text>", page))
    assert ">0.2<" not in curves_svg(lines, x="distance [µm]", y="phase [rad]", whole=True)
    assert "distance [µm] 0.4: profile 1, rising" in page
    numbers = [float(n) for n in re.findall(r'points="([^"]*)"', page)[0].replace(",", " ").split()]
    assert min(numbers[::2]) == pytest.approx(62)
    assert page.count("<circle") == 2  # the dot, and its sample in the legend


def filmed(run: Run, moments: int) -> None:
    """So many further moments, at steps that go on."""
    seen = Preview(np.ones((20, 24), np.complex64), (0, 0), np.ones((1, 4, 4), np.complex64))
    for _ in range(moments):
        run.film.take(float(run.film._seen), run.film._seen, seen, (slice(None), slice(None)))


def test_a_film_that_is_halved_leaves_the_moment_that_is_looked_at(make):
    run = run_of(1)
    filmed(run, 40)
    run.state = State.STOPPED
    panel = make(run)
    assert panel.wait(20)
    panel.moment.value = 25
    assert panel.wait(20)
    for _ in range(3):
        filmed(run, 2)
        panel.refresh()
        assert panel.wait(20)
        shown = run.film.moments[panel.moment.value - 1].step
        assert abs(shown - 24) <= 1, "it follows only who stood at the end"
    assert panel.moment.max == 23


def test_the_memory_of_runs_counts_each_scan_once(make):
    others = [ran(number, tiny_scan(rows=8, columns=9, N=32)) for number in (4, 5)]
    scan = SCAN.intensity.nbytes + SCAN.positions.nbytes + SCAN.probe.nbytes + SCAN.mask.nbytes + SCAN.truth.nbytes
    assert held(others) - sum(held([run]) - scan for run in others) == 2 * scan
    assert held(THREE) - sum(held([run]) - scan for run in THREE) == scan


def test_what_runs_are_forgotten_leaves_memory_but_for_what_is_on_the_screen():
    desk = Desk()
    held_back = []
    try:
        for number in (1, 2):
            run = ran(number, tiny_scan(rows=8, columns=9, N=32), epochs=1)
            held_back += [weakref.ref(run.result), weakref.ref(run.scan)]
            desk._begun(run)
            desk._ended(run)
        del run
        assert desk.runs.wait(20)
        assert desk.object.wait(20)
        desk.runs.chosen.value = (1, 2)
        desk.runs.forget.click()
        assert desk.runs.wait(20)
        assert desk.object.wait(20)
        gc.collect()
        assert [ref() is None for ref in held_back] == [True, True, False, False]
        assert "2: Iterative" in repr(desk.object)
    finally:
        desk.close()
