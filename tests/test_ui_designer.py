"""The experiment designer and the forward explorer, driven by their controls without a browser."""

from __future__ import annotations

import html
import threading
import time

import numpy as np
import pytest
from leftovers import nothing_left

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.figures import Picture
from ptycho_nb.history import State
from ptycho_nb.lessons.design import design, exchanged, forward, likeness
from ptycho_nb.refinement import refine
from ptycho_nb.ui import ExperimentDesigner, ForwardExplorer
from ptycho_nb.ui.lessons.designer import panel, trials
from ptycho_nb.ui.lessons.dial import Dial
from ptycho_nb.ui.lessons.forward import panel as forward_panel

SMALL = SimulationConfig(N=32, height=80, width=96, probe_diameter=12, nphotons=1e5, object="lines")
GOOD = "find nothing wrong"


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


@pytest.fixture
def make():
    """Designers that are closed at the end."""
    made: list[ExperimentDesigner] = []

    def one(config=SMALL) -> ExperimentDesigner:
        made.append(ExperimentDesigner(config))
        assert made[-1].wait()
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def explorer():
    """An explorer that is closed at the end."""
    with_probe = ForwardExplorer(SMALL.replace(object="dead_leaves"))
    assert with_probe.wait()
    yield with_probe
    with_probe.close()


def shown(pane) -> str:
    return html.unescape(pane.value)


def moved(designer, **values) -> None:
    """Move sliders and wait for the drawing."""
    for name, value in values.items():
        designer.settings.dials[name].slider.value = value
    assert designer.wait()


def test_a_designer_shows_the_plan_of_its_config(make):
    designer = make()
    assert designer.config == SMALL
    assert all(words in shown(designer.numbers) for words in design(SMALL).facts.values())
    assert GOOD in shown(designer.findings)
    assert not designer.problem.value
    assert repr(designer) == f"<ExperimentDesigner: {designer.plan.M} patterns, overlap {100 * designer.plan.overlap:.0f} %>"


def test_a_moved_slider_is_drawn_at_once_and_its_check_speaks(make):
    designer = make()
    before = designer.map.marks, designer.patterns._shots
    moved(designer, overlap=0.3)
    assert designer.plan.config == SMALL.replace(overlap=0.3)
    assert "overlap" in shown(designer.findings)
    assert (designer.map.marks, designer.patterns._shots) != before
    assert "overlap=0.3" in shown(designer.code)


def test_step_and_overlap_are_one_setting(make):
    designer = make()
    assert designer.settings.dials["step"].value == pytest.approx(0.3 * 12)
    moved(designer, step=6.0)
    assert designer.config.overlap == pytest.approx(0.5)
    moved(designer, overlap=0.8)
    assert designer.settings.dials["step"].value == pytest.approx(2.4)
    moved(designer, probe_diameter=10.0)
    assert designer.config.overlap == pytest.approx(0.8)
    assert designer.settings.dials["step"].value == pytest.approx(2.0)


def test_a_probe_keeps_within_what_its_window_holds(make):
    designer = make()
    designer.settings.choices["N"].value = 16
    assert designer.wait()
    assert designer.config.probe_diameter == pytest.approx(9.6)
    assert designer.settings.dials["probe_diameter"].slider.max == pytest.approx(9.6)


def test_settings_that_make_no_scan_are_told_and_the_plan_before_stays(make):
    designer = make()
    before = designer.plan
    designer.settings.choices["N"].value = 128
    assert designer.wait()
    assert "each side needs at least" in shown(designer.problem)
    assert "settings before" in shown(designer.problem)
    assert designer.plan is before
    assert designer.trials.button.disabled
    designer.settings.choices["N"].value = 32
    assert designer.wait()
    assert not designer.problem.value
    assert not designer.trials.button.disabled


def test_first_settings_that_make_no_scan_are_told(make):
    designer = make(SMALL.replace(height=32))
    assert "each side needs at least" in shown(designer.problem)
    assert repr(designer) == "<ExperimentDesigner: no scan>"
    assert "image/png" not in designer._repr_mimebundle_()
    moved(designer, height=80)
    assert designer.plan.config == SMALL


def test_what_cannot_be_typed_is_told_beside_the_slider(make):
    designer = make()
    dial = designer.settings.dials["overlap"]
    for typed in ("2", "much", "nan"):
        dial.box.value = typed
        assert "it must be a number in 0 to 0.95" in shown(dial._problem)
        assert designer.config == SMALL
    dial.box.value = "0.55"
    assert designer.wait()
    assert not dial._problem.value
    assert designer.config.overlap == 0.55


def test_settings_without_a_control_stay_as_given(make):
    given = SMALL.replace(coma=0.05, probe_modes=2, pixel_size=None, nphotons=2e10)
    designer = make(given)
    assert designer.config == given
    moved(designer, overlap=0.6)
    assert designer.config == given.replace(overlap=0.6)
    designer.set(SMALL.replace(seed=5, N=40, height=120, width=120))
    assert designer.wait()
    assert designer.config == SMALL.replace(seed=5, N=40, height=120, width=120)
    assert designer.plan.config == designer.config


def test_of_many_moves_the_last_is_drawn_and_no_queue_of_others(make, monkeypatch):
    designer, drawn, gate = make(), [], threading.Event()

    def slow(config, bench):
        gate.wait(10)
        drawn.append(config.overlap)
        return design(config, bench)

    monkeypatch.setattr(panel, "design", slow)
    for overlap in np.linspace(0.5, 0.8, 31):
        designer.settings.dials["overlap"].slider.value = float(overlap)
    gate.set()
    assert designer.wait()
    assert len(drawn) <= 3
    assert drawn[-1] == designer.plan.config.overlap == 0.8


def test_a_program_from_the_designer_makes_what_it_shows(make, monkeypatch):
    designer = make(SMALL.replace(overlap=0.5))
    space: dict[str, object] = {}
    exec(designer.python, space)
    assert space["config"] == designer.config
    assert repr(space["plan"]) == repr(designer.plan)
    assert space["scan"].M == designer.plan.M
    assert space["result"].object.shape == (80, 96)


def test_a_try_shows_object_beside_truth_and_its_errors(make, monkeypatch):
    monkeypatch.setattr(trials, "truth_comparison", lambda result, scan: Picture(1, 1, name="pair"))
    designer = make()
    tries = designer.trials
    tries.button.click()
    assert designer.wait()
    trial = tries.tries[0]
    assert trial.result.state is State.DONE
    assert trial.scores.phase.ssim > 0.8
    assert f"{trial.scores.phase.ssim:.3f}" in shown(tries.table)
    assert "Misfit R" in shown(tries.news)
    assert "Against the known object: SSIM" in shown(tries.news)
    assert "good" not in shown(tries.news)
    assert "SSIM of the amplitude" in shown(tries.picture)
    moved(designer, overlap=0.2)
    assert "The settings have changed since" in shown(tries.news)
    tries.button.click()
    assert designer.wait()
    assert "overlap=0.2" in shown(tries.table).rpartition("<tr>")[2]
    assert tries.tries[1].scores.phase.ssim < trial.scores.phase.ssim - 0.1
    moved(designer, overlap=0.7)
    assert "The settings have changed since" in shown(tries.news)


def test_a_try_of_settings_that_changed_meanwhile_says_so(make, monkeypatch):
    designer, begun, go = make(), threading.Event(), threading.Event()
    tries = designer.trials

    def long(scan, config, control):
        begun.set()
        assert go.wait(20)
        return refine(scan, config=config.replace(epochs=2), control=control)

    monkeypatch.setattr(trials, "truth_comparison", lambda result, scan: Picture(1, 1, name="pair"))
    monkeypatch.setattr(trials, "refine", long)
    tries.button.click()
    assert begun.wait(20)
    designer.settings.dials["overlap"].slider.value = 0.3
    assert designer._watch.wait(20)
    go.set()
    assert designer.wait()
    assert "The settings have changed since" in shown(tries.news)


def test_each_try_is_of_as_many_epochs_however_busy_the_machine_is(make, monkeypatch):
    designer = make()
    monkeypatch.setattr(trials, "truth_comparison", lambda result, scan: Picture(1, 1, name="pair"))
    designer.trials.run()
    moved(designer, overlap=0.6)
    designer.trials.run()
    assert [one.result.history.epochs for one in designer.trials.tries] == [trials.EPOCHS] * 2


def test_a_try_can_be_stopped_and_one_that_fails_says_so(make, monkeypatch):
    designer, begun = make(), threading.Event()
    tries = designer.trials

    def long(scan, config, control):
        begun.set()
        while not control.stopping:
            time.sleep(0.01)
        raise InputError("No epoch was completed; try again.")

    monkeypatch.setattr(trials, "refine", long)
    tries.button.click()
    assert begun.wait(20)
    assert tries.button.disabled
    assert not tries.stop.disabled
    tries.stop.click()
    assert designer.wait()
    assert "No epoch was completed" in shown(tries.problem)
    assert trials.OFFER in shown(tries.news)
    assert not tries.button.disabled
    assert tries.stop.disabled


def test_a_designer_closed_during_a_try_leaves_nothing(monkeypatch):
    designer, begun = ExperimentDesigner(SMALL), threading.Event()

    def told(scan, config, control):
        begun.set()
        return refine(scan, config=config.replace(epochs=10_000), control=control)

    monkeypatch.setattr(trials, "refine", told)
    monkeypatch.setattr(trials, "truth_comparison", lambda result, scan: Picture(1, 1, name="pair"))
    designer.trials.button.click()
    assert begun.wait(20)
    designer.close()


@pytest.mark.parametrize("kind", [ExperimentDesigner, ForwardExplorer])
def test_what_is_no_config_is_refused(kind):
    with pytest.raises(InputError, match="SimulationConfig"):
        kind("quick")


@pytest.mark.long
def test_both_panels_leave_a_picture_where_widgets_cannot_be_shown(make, explorer):
    for one in (make(), explorer):
        bundle = one._repr_mimebundle_()
        assert bundle["image/png"].startswith(b"\x89PNG")
        assert bundle["text/plain"] == repr(one)
        assert "application/vnd.jupyter.widget-view+json" in bundle


def test_every_control_has_a_name_and_a_tip(make, explorer):
    controls = [*make().settings.choices.values(), *(d.box for d in make().settings.dials.values())]
    c = explorer.controls
    controls += [c.object, c.guess, c.exchange, c.kind, c.row.box, c.column.box, c.diameter.box, c.defocus.box]
    assert all(control.description and control.tooltip for control in controls)


def test_an_explorer_shows_what_the_forward_model_gives(explorer):
    c = explorer.controls
    c.row.slider.value, c.column.slider.value = 44.5, 30.0
    assert explorer.wait()
    expected = forward(explorer.pair[0], explorer._lit(), (44.5, 30.0))
    assert np.array_equal(explorer.seen.photons, expected.photons)
    assert "row 44.5, column 30.0" in shown(explorer.numbers)
    assert explorer.map.marks[0]["at"] == [44.5, 30.0]
    assert explorer.map.marks[1]["at"] == [28.5, 14.0, 60.5, 46.0]
    assert repr(explorer) == "<ForwardExplorer: object A, probe at (44.5, 30.0)>"


def test_a_point_on_the_object_moves_the_probe_and_keeps_its_window_inside(explorer):
    explorer.map.point = (30.25, 50.0)
    assert explorer.wait()
    assert explorer.seen.position == (30.25, 50.0)
    assert explorer.controls.row.box.value == "30.25"
    explorer.map.point = (-5.0, 500.0)
    assert explorer.wait()
    assert explorer.seen.position == (16.0, 80.0)
    explorer.controls.row.slider.value = 40.0
    assert explorer.wait()
    assert explorer.map.point == ()  # where it was picked is no longer where it stands
    assert explorer.seen.position == (40.0, 80.0)


def test_an_explorer_swaps_amplitude_and_phase_of_its_objects(explorer):
    a, b = explorer.pair
    for choice, size, phase in (("b", b, b), ("a b", a, b), ("b a", b, a), ("a", a, a)):
        explorer.controls.object.value = choice
        assert explorer.wait()
        np.testing.assert_allclose(np.abs(explorer.canvas(choice)), np.abs(size), rtol=1e-5)
        np.testing.assert_allclose(np.angle(explorer.canvas(choice)), np.angle(phase), atol=1e-5)
        assert np.array_equal(explorer.seen.patch, forward(explorer.canvas(choice), explorer._lit(), explorer.controls.position).patch)


@pytest.mark.parametrize("guess", ["true", "zero", "random", "other"])
def test_a_guessed_phase_has_no_misfit_whatever_its_wave(explorer, guess):
    explorer.controls.guess.value = guess
    assert explorer.wait()
    told = shown(explorer.guess)
    assert "Misfit of their patterns R 0.00000" in told
    assert ("Likeness of the two waves 1.000" in told) is (guess == "true")


def test_an_explorer_says_whom_the_exchanged_picture_resembles(explorer):
    explorer.controls.exchange.value = "b a"
    assert explorer.wait()
    a, b = explorer.pair
    out = exchanged(b, a)
    told = shown(explorer.exchange)
    for one in (a, b):
        assert f"<td>{likeness(np.abs(out), np.abs(one)):.2f}</td>".replace("-", "\N{MINUS SIGN}") in told
    assert "amplitude of B, phase of A" in told


def test_a_probe_that_does_not_fit_is_told_and_the_explorer_goes_on(explorer):
    c = explorer.controls
    before = explorer.seen
    c.defocus.slider.value, c.diameter.slider.value = 4.0, 4.0
    assert explorer.wait()
    assert "raise probe_diameter or lower defocus" in shown(explorer.problem)
    assert explorer.seen is before
    c.defocus.slider.value, c.diameter.slider.value = 0.5, 12.0
    assert explorer.wait()
    assert not explorer.problem.value


def test_a_probe_too_wide_for_its_window_is_narrowed_and_that_is_said():
    explorer = ForwardExplorer(SimulationConfig(N=32, height=80, width=96, defocus=6.0, object="lines"))
    c = explorer.controls
    assert (c.diameter.value, c.diameter.box.value, c.diameter.slider.value) == (19.2, "19.2", 19.2)
    assert c.defocus.value == 4.0
    assert "24 was asked for; 19.2 is the nearest" in shown(c.diameter._problem)
    assert "6 was asked for; 4 is the nearest" in shown(c.defocus._problem)
    assert explorer.config.probe_diameter == 19.2
    assert "text/plain" in explorer._repr_mimebundle_()
    explorer.close()


def test_an_explorer_without_a_picture_yet_can_be_shown(explorer):
    explorer.seen = None
    assert "image/png" not in explorer._repr_mimebundle_()


@pytest.mark.parametrize("choice", ["a", "b a"])
def test_a_program_from_the_explorer_makes_what_it_shows(explorer, choice, monkeypatch):
    explorer.controls.object.value, explorer.controls.guess.value = choice, "other"
    assert explorer.wait()
    space: dict[str, object] = {}
    exec(explorer.python.replace("\nforward_picture(seen)", ""), space)
    np.testing.assert_allclose(space["seen"].photons, explorer.seen.photons, rtol=1e-6)
    assert ("mixed" in space) is (choice == "b a")


def test_only_what_changes_is_drawn_again(explorer, monkeypatch):
    laid: list[str] = []
    monkeypatch.setattr(forward_panel, "object_shots", lambda canvas, name: laid.append(name) or [])
    monkeypatch.setattr(forward_panel, "exchange_markup", lambda pair, choice: laid.append(choice) or "")
    explorer.controls.row.slider.value = 50.0
    assert explorer.wait()
    assert laid == []


def test_a_dial_in_powers_of_ten_is_moved_by_hand_only():
    told: list[float] = []
    dial = Dial("Photons", (10.0, 1e9, 0.1), 1e6, "Dose", lambda: told.append(dial.value), log=True)
    dial.slider.value = 10**6.03  # what the browser sends back of itself
    assert told == []
    dial.slider.value = 10**5.5
    assert told == [316000.0]
    assert dial.box.value == "316000"
    dial.limit(10.0, 1e5)
    assert dial.value == 1e5
    assert dial.slider.max == 5
    dial.box.value = "3e5"
    assert "10 to 100000" in shown(dial._problem)
    dial.limit(1e6, 1e7)
    assert (dial.slider.min, dial.slider.max, dial.value) == (6, 7, 1e6)
    panel.close_all(dial.widget)


def test_pictures_of_the_explorer_are_described(explorer):
    for pane in (explorer.steps, explorer.guess, explorer.exchange):
        assert pane.value.count("<img") == pane.value.count("alt=") > 0
