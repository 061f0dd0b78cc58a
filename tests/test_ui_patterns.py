"""The Pattern panel, driven by its controls without a browser."""

from __future__ import annotations

import html
import logging
import re
import threading

import numpy as np
import pytest
from leftovers import names_of_threads, nothing_left, until
from tiny_scan import tiny_scan

from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import Control
from ptycho_nb.metrics import r_factor
from ptycho_nb.refinement import refine
from ptycho_nb.ui.panels.patterns import PatternPanel, ranking
from ptycho_nb.ui.panels.patterns import panel as panel_module
from ptycho_nb.ui.panels.patterns.pictures import Ground, pattern_shots

SCAN = tiny_scan(N=32)
RESULT = refine(SCAN, None, RefinementConfig(epochs=3))
OTHER = tiny_scan(rows=4, N=32, seed=1)


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


@pytest.fixture
def make():
    """Panels that are closed at the end."""
    made: list[PatternPanel] = []

    def panel(*given) -> PatternPanel:
        made.append(PatternPanel(*given))
        assert made[-1].wait(20)
        return made[-1]

    yield panel
    for one in made:
        one.close()


def words(pane) -> str:
    return html.unescape(re.sub("<[^>]*>", "", pane.value))


def titles(viewer) -> list[str]:
    return [shot["title"] for shot in viewer._shots]


def misfit(number: int) -> float:
    return r_factor(RESULT.predicted([number])[0], SCAN.intensity[number], SCAN.mask)


def test_without_a_scan_it_says_what_to_do(make):
    panel = make()
    assert "No scan yet" in words(panel.news)
    assert panel._parts.layout.display == "none"
    panel.after.click()
    panel.box.value = "3"
    assert panel.number == 0
    assert not panel.problem.value


def test_a_scan_alone_shows_what_was_measured_and_says_what_a_run_adds(make):
    panel = make(SCAN)
    assert titles(panel.patterns) == ["Measured, log"]
    assert titles(panel.map) == ["Light on the object"]
    assert "after a run" in words(panel.news)
    assert "photons measured." in words(panel.numbers)
    assert "R" not in words(panel.numbers)
    assert panel.worst.layout.display == "none"
    assert panel.ranking is None


def test_a_result_adds_prediction_residual_object_and_misfit(make):
    panel = make(SCAN, RESULT)
    assert titles(panel.patterns) == ["Measured, log", "Predicted, log", "Residual"]
    assert titles(panel.map) == ["Amplitude", "Phase"]
    assert panel.patch.value.count("<img") == 2
    assert f"Misfit R {misfit(SCAN.middle):.3g}" in words(panel.numbers)
    median = np.median([misfit(i) for i in range(SCAN.M)])
    assert f"median of all {median:.3g}" in words(panel.numbers)
    assert 'role="img"' in panel.curve.value


@pytest.mark.parametrize("move", ["slider", "box", "next", "worst", "pick"])
def test_each_control_takes_a_pattern_and_the_others_follow(make, move):
    panel = make(SCAN, RESULT)
    worst = panel.ranking.worst[1]
    wanted = {"slider": 7, "box": 9, "next": SCAN.middle + 1, "worst": worst, "pick": 5}[move]
    if move == "slider":
        panel.slider.value = wanted
    if move == "box":
        panel.box.value = f" {wanted} "
    if move == "next":
        panel.after.click()
    if move == "worst":
        panel.worst.value = wanted
    if move == "pick":
        panel.pick(wanted)
    assert panel.wait(20)
    assert panel.number == panel.slider.value == wanted
    assert panel.box.value == str(wanted)
    assert panel.worst.value == (wanted if wanted in panel.ranking.worst else panel_module.NONE)
    assert words(panel.numbers).startswith(f"Pattern {wanted} ")
    assert f"Misfit R {misfit(wanted):.3g}" in words(panel.numbers)
    assert f"pattern {wanted}" in panel.patterns._shots[0]["words"]


def test_a_click_on_the_map_takes_the_nearest_position(make):
    panel = make(SCAN, RESULT)
    row, column = panel._ground.positions[17]
    panel.map.point = (row + 0.3, column - 0.2)
    assert panel.wait(20)
    assert panel.number == 17
    circle = next(mark for mark in panel.map.marks if mark["kind"] == "circle")
    np.testing.assert_allclose(circle["at"], (row, column), atol=0.01)
    panel.map.point = ()
    assert panel.number == 17


def test_the_map_and_the_scan_agree_on_where_a_position_lies(make):
    ground = Ground.of(SCAN, RESULT)
    number = 20
    window = np.abs(RESULT.object[tuple(slice(round(at) - 2, round(at) + 3) for at in RESULT.positions[number] - RESULT.origin)])
    row, column = (round(at) for at in ground.positions[number])
    np.testing.assert_allclose(ground.layers[0].values[row - 2 : row + 3, column - 2 : column + 3], window, rtol=1e-5)


def test_the_first_and_the_last_pattern_are_the_ends(make):
    panel = make(SCAN, RESULT)
    panel.pick(0)
    assert panel.before.disabled
    panel.before.click()
    assert panel.number == 0
    panel.pick(10_000)
    assert panel.number == SCAN.M - 1
    assert panel.after.disabled
    assert not panel.before.disabled


@pytest.mark.parametrize("text", ["", "x", "-1", "42", "1.5", "<b>1</b>"])
def test_a_number_that_is_none_is_told_in_a_sentence(make, text):
    panel = make(SCAN)
    panel.box.value = text or " "
    assert "whole number in 0 to 41" in panel.problem.value
    assert "pnb-alert" in panel.problem._dom_classes
    assert "<b>" not in panel.problem.value
    assert panel.number == SCAN.middle
    panel.after.click()
    assert not panel.problem.value


def test_the_worst_fits_are_the_greatest_misfits_in_order(make):
    panel = make(SCAN, RESULT)
    misfits = np.array([misfit(i) for i in range(SCAN.M)])
    order = np.argsort(-misfits)[: len(panel.worst.options) - 1]
    assert [value for _, value in panel.worst.options][1:] == order.tolist()
    assert panel.worst.options[1][0] == f"pattern {order[0]}: R {misfits[order[0]]:.3g}"
    panel.pick(int(order[0]))
    assert panel.wait(20)
    assert f"place 1 of {SCAN.M}" in words(panel.numbers)


def test_patterns_are_judged_in_batches_with_the_same_misfits(monkeypatch):
    whole = ranking.ranking(SCAN, RESULT, Control(), lambda _: None)
    told = []
    monkeypatch.setattr(ranking, "PIXELS", 5 * SCAN.N**2)
    parts = ranking.ranking(SCAN, RESULT, Control(), told.append)
    assert told == [5, 10, 15, 20, 25, 30, 35, 40, 42]
    np.testing.assert_allclose(parts.misfits, whole.misfits)


def test_judging_stops_when_asked():
    control = Control()
    control.stop()
    assert ranking.ranking(SCAN, RESULT, control, lambda _: None) is None


def test_a_dark_pattern_has_no_misfit_and_no_place_among_the_worst(make):
    photons = SCAN.intensity.copy()
    photons[4] = 0
    panel = make(SCAN.replace(intensity=photons), RESULT)
    assert np.isnan(panel.ranking.misfits[4])
    assert 4 not in panel.ranking.worst
    panel.pick(4)
    assert panel.wait(20)
    assert not panel.problem.value
    assert "0 photons measured" in words(panel.numbers)
    assert "no misfit" in words(panel.numbers)


def test_masked_pixels_are_told_and_not_drawn(make):
    mask = np.ones((SCAN.N, SCAN.N), bool)
    mask[3, :7] = False
    scan = SCAN.replace(mask=mask)
    panel = make(scan, RESULT)
    assert "7 of 1,024 detector pixels are masked" in words(panel.hint)
    for shot in pattern_shots(scan, 0, RESULT.predicted([0])[0]):
        np.testing.assert_array_equal(np.isnan(shot.values), ~mask)
        np.testing.assert_array_equal(np.asarray(shot.image) == 255, ~mask)


def test_the_residual_is_in_units_of_the_counting_noise():
    expected = np.full((SCAN.N, SCAN.N), 100.0, np.float32)
    draw = np.random.default_rng(0).poisson(expected).astype(np.float32)
    photons = SCAN.intensity.copy()
    photons[0] = draw
    residual = pattern_shots(SCAN.replace(intensity=photons), 0, expected)[2].values
    assert np.std(residual) == pytest.approx(1, abs=0.06)
    assert residual[np.unravel_index(draw.argmax(), draw.shape)] < 0  # predicted less measured


def test_a_result_of_another_scan_is_left_out_and_told(make):
    panel = make(OTHER, RESULT)
    assert panel.result is None
    assert "another scan" in panel.problem.value
    assert titles(panel.patterns) == ["Measured, log"]
    panel.show(SCAN, RESULT)
    assert panel.wait(20)
    assert not panel.problem.value
    assert panel.ranking is not None


def test_a_new_scan_begins_in_its_middle_and_one_of_as_many_patterns_keeps_the_pattern(make):
    panel = make(SCAN)
    assert panel.number == panel.slider.value == SCAN.middle
    panel.pick(SCAN.M - 1)
    panel.show(SCAN.oriented(transpose=True))
    assert panel.wait(20)
    assert panel.number == SCAN.M - 1
    panel.show(OTHER)
    assert panel.wait(20)
    assert panel.slider.max == OTHER.M - 1
    assert panel.number == panel.slider.value == OTHER.middle
    panel.show(None)
    assert panel.wait(20)
    assert "No scan yet" in words(panel.news)


def test_a_result_is_judged_where_the_judging_before_it_ends_at_that_moment(make, monkeypatch):
    panel = make(SCAN)
    start, refused = panel._task.start, []
    monkeypatch.setattr(panel._task, "start", lambda work: start(work) if refused else bool(refused.append(work)))
    panel.show(SCAN, RESULT)
    assert panel.wait(20)
    assert panel.ranking is not None


def test_a_result_shown_again_and_again_is_judged_to_the_end(make):
    panel = make(SCAN)
    for _ in range(5):
        panel.show(SCAN, RESULT)
        panel.show(SCAN)
    panel.show(SCAN, RESULT)
    assert panel.wait(20)
    assert panel.ranking is not None
    assert f"median of all {panel.ranking.median:.3g}" in words(panel.numbers)


def test_it_may_be_shown_from_any_thread_while_someone_slides(make):
    panel = make(SCAN, RESULT)
    other = threading.Thread(target=lambda: [panel.show(SCAN, r) for r in (None, RESULT) * 5])
    other.start()
    for i in range(30):
        panel.slider.value = i
    other.join()
    assert panel.wait(20)
    assert panel.number == panel.slider.value == 29
    assert words(panel.numbers).startswith("Pattern 29 ")
    assert panel.ranking is not None


def test_patterns_are_drawn_once_when_nothing_changes(make, monkeypatch):
    panel = make(SCAN, RESULT)
    drawn = []
    monkeypatch.setattr(panel.patterns, "put", lambda *_, **__: drawn.append(1))
    panel.show(SCAN, RESULT)
    assert panel.wait(20)
    assert not drawn
    panel.after.click()
    assert panel.wait(20)
    assert drawn == [1]


def test_a_picture_that_fails_is_told_and_the_next_one_comes(make, monkeypatch, caplog):
    panel = make(SCAN)
    with monkeypatch.context() as broken, caplog.at_level(logging.CRITICAL):
        broken.setattr(panel_module, "pattern_shots", lambda *_: 1 / 0)
        panel.after.click()
        assert panel.wait(20)
    assert "failed" in panel.problem.value
    panel.after.click()
    assert panel.wait(20)
    assert not panel.problem.value
    assert words(panel.numbers).startswith(f"Pattern {SCAN.middle + 2} ")


def test_every_control_has_a_name_and_a_tooltip(make):
    panel = make(SCAN, RESULT)
    for control in (panel.slider, panel.box, panel.before, panel.after, panel.worst):
        assert control.description
        assert control.tooltip
    pages = panel.patch.value + panel.curve.value
    assert pages.count("<img") == len(re.findall(r'alt="[^"]{10,}"', pages)) == 2
    assert all(shot["words"] for shot in [*panel.patterns._shots, *panel.map._shots])


def test_names_of_strangers_are_text(make):
    panel = make(SCAN.replace(name="<img src=x onerror=alert(1)>$x$"), RESULT)
    assert "<img" not in panel.news.value
    assert "&lt;img" in panel.news.value


def test_closing_while_patterns_are_judged_leaves_nothing():
    panel = PatternPanel(SCAN)
    panel.show(SCAN, RESULT)
    panel.close()
    assert until(lambda: not names_of_threads())
    panel.show(SCAN)
    panel.wait(1)


def test_a_saved_notebook_gets_a_picture_and_a_stable_text(make):
    panel = make(SCAN)
    assert panel._repr_mimebundle_()["text/plain"] == repr(panel) == f"<PatternPanel: scan, pattern {SCAN.middle}>"
    alone = panel._repr_mimebundle_()["image/png"]
    panel.show(SCAN, RESULT)
    bundle = panel._repr_mimebundle_()
    assert alone != bundle["image/png"]
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_it_is_there_before_all_patterns_are_judged(monkeypatch):
    gate = threading.Event()
    whole = ranking.ranking
    monkeypatch.setattr(panel_module, "ranking", lambda *given: gate.wait(20) and whole(*given))
    panel = PatternPanel(SCAN, RESULT)
    assert "are being judged" in words(panel.numbers)
    panel.slider.value = 3
    assert until(lambda: words(panel.numbers).startswith("Pattern 3 "))
    gate.set()
    assert panel.wait(20)
    assert "median of all" in words(panel.numbers)
    panel.close()


def test_the_misfits_of_a_result_no_longer_shown_are_not_taken(make):
    panel = make(SCAN, RESULT)
    kept = panel.ranking
    panel._judge(SCAN, RESULT.replace(object=RESULT.object * 2), Control())
    assert panel.ranking is kept


def test_the_same_place_on_the_map_can_be_picked_again_and_no_ring_stays(make):
    panel = make(SCAN, RESULT)
    place = tuple(map(float, panel._ground.positions[40]))
    for _ in range(2):
        panel.map.point = place
        assert panel.number == 40
        assert panel.map.point == ()
        panel.after.click()
        assert panel.number == 41


def test_another_pattern_sends_its_circle_and_not_every_position(make):
    panel = make(OTHER)
    sent = []
    panel.map.observe(lambda change: sent.append(change["name"]), ["marks", "fixed"])
    panel.pick(3)
    assert panel.wait(20)
    assert sent == ["marks"]
    assert [mark["kind"] for mark in panel.map.marks] == ["circle"]
    assert len(panel.map.fixed[0]["at"]) == OTHER.M


def test_judging_that_fails_is_said_until_another_result_comes(make, monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(panel_module, "ranking", fails)
    panel = make(SCAN, RESULT)
    for _ in range(2):
        assert "the other patterns could not be judged" in words(panel.numbers)
        assert "not enough memory for this;" in panel.problem.value
        panel.after.click()
        assert panel.wait(20)
    monkeypatch.undo()
    panel.show(SCAN, RESULT.replace(seconds=9.0))
    assert panel.wait(20)
    assert "median of all" in words(panel.numbers)
    assert not panel.problem.value
