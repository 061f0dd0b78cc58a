"""The Ambiguities panel, driven by its controls without a browser."""

from __future__ import annotations

import html
import re

import pytest
from leftovers import nothing_left

from ptycho_nb.lessons.ambiguities import Moves
from ptycho_nb.ui import Ambiguities
from ptycho_nb.ui.drawing import close_all
from ptycho_nb.ui.lessons.ambiguities.changes import FREE, RULED_OUT
from ptycho_nb.ui.lessons.ambiguities.panel import CANNOT, NOTHING, TELL, UNMOVED
from ptycho_nb.ui.lessons.dial import Dial

AFAR = {"phase": 2.0, "scale": 0.6, "ramp": -2.5, "shift": -7, "grid": 0.8, "object_shift": 3}


@pytest.fixture
def panel():
    """A panel that is closed at the end, with all it made."""
    with nothing_left():
        made = Ambiguities()
        yield made
        made.close()


def words(pane) -> str:
    return html.unescape(re.sub("<[^>]*>", " ", pane.value))


def alts(pane) -> list[str]:
    return [html.unescape(alt) for alt in re.findall('alt="([^"]*)"', pane.value)]


def set_far(panel, name: str) -> None:
    if name in panel.dials:
        panel.dials[name].slider.value = AFAR[name]
    else:
        panel.switches[name].value = True


def test_every_change_has_a_control_and_a_sentence():
    changes = (*FREE, *RULED_OUT)
    assert [c.field for c in changes] == list(vars(Moves()))
    assert all(c.sentence.endswith(".") and c.sentence.count(". ") == 0 and len(c.sentence) < 260 for c in changes)


def test_what_a_change_does_is_told_once_it_is_made(panel):
    for change in panel._changes:
        assert change.sentence not in words(panel.why)
        set_far(panel, change.field)
        assert change.sentence in words(panel.why)
    panel.reset.click()
    assert UNMOVED in words(panel.why)


def test_at_first_it_shows_the_truth(panel):
    assert NOTHING in words(panel.news)
    assert panel.misfit == panel.experiment.noise
    assert panel.before.amplitude == pytest.approx(1)


@pytest.mark.parametrize("change", FREE, ids=lambda c: c.field)
def test_a_free_change_leaves_the_number_on_the_screen(panel, change):
    set_far(panel, change.field)
    truth = f"{panel.experiment.noise:.6f}"
    assert words(panel.news).split().count(f"{truth};") == 1
    assert f"of the truth {truth}. {CANNOT}" in words(panel.news)
    assert min(panel.before.amplitude, panel.before.phase) < 0.9


@pytest.mark.parametrize("change", RULED_OUT, ids=lambda c: c.field)
def test_a_change_that_is_no_ambiguity_raises_the_number(panel, change):
    set_far(panel, change.field)
    assert TELL in words(panel.news)
    assert panel.misfit > 1.5 * panel.experiment.noise


def test_the_periodic_function_shows_once_the_path_is_jittered(panel):
    panel.dials["grid"].slider.value = 0.5
    assert CANNOT in words(panel.news)
    panel.path.value = "jittered"
    assert TELL in words(panel.news)


def test_scores_are_told_before_and_after_alignment(panel):
    panel.dials["phase"].slider.value = 2.0
    assert panel.before.phase < 0.5 < 0.999 < panel.after.phase
    assert f"{panel.before.phase_error:.3f}" in words(panel.scores)
    assert "Changed, aligned" in words(panel.scores)


def test_a_twin_is_turned_back_before_it_is_aligned(panel):
    panel.switches["twin"].value = True
    assert panel.before.amplitude < 0.5 < 0.999 < panel.after.amplitude
    assert "Changed, turned back and aligned" in words(panel.scores)


def test_the_number_of_a_slider_stands_in_its_box_and_back(panel):
    dial = panel.dials["ramp"]
    dial.slider.value = 1.25
    assert (dial.box.value, dial.value, panel.moves.ramp) == ("1.25", 1.25, 1.25)
    dial.box.value = "-3.1"
    assert (dial.slider.value, panel.moves.ramp) == (pytest.approx(-3.1, abs=0.13), -3.1)


@pytest.mark.parametrize(
    ("name", "typed"), [("phase", "x"), ("scale", "0"), ("shift", "1.5"), ("shift", "9"), ("ramp", ""), ("ramp", "nan")]
)
def test_what_cannot_be_taken_is_said_and_changes_nothing(panel, name, typed):
    before = panel.moves
    panel.dials[name].box.value = typed
    said = words(panel.dials[name]._problem)
    assert "it must be" in said
    assert (typed or "nothing") in said
    assert panel.moves == before
    panel.reset.click()
    assert words(panel.dials[name]._problem) == ""


def test_back_to_the_truth_undoes_everything_and_draws_once(panel, monkeypatch):
    for change in (*FREE, *RULED_OUT):
        set_far(panel, change.field)
    drawn = []
    monkeypatch.setattr(panel, "_row", lambda *_: drawn.append(1))
    panel.reset.click()
    assert panel.moves == Moves()
    assert len(drawn) == 1
    assert NOTHING in words(panel.news)


def test_a_slider_draws_once_for_each_move(panel, monkeypatch):
    drawn = []
    monkeypatch.setattr(panel, "_row", lambda *_: drawn.append(1))
    for value in (0.5, 1.0, 1.5):
        panel.dials["phase"].slider.value = value
    assert len(drawn) == 3


def test_every_picture_tells_its_numbers(panel):
    panel.dials["scale"].slider.value = 2.0
    told = [alt for pane in panel._rows.values() for alt in alts(pane)]
    assert len(told) == 10
    assert any("amplitude 0.50 times the true one's" in alt for alt in told)
    assert sum("SSIM to the truth" in alt for alt in told) == 4


def test_the_whole_truth_is_drawn_again_for_another_path_only(panel):
    before = panel._rows["True"].value
    panel.dials["phase"].slider.value = 1.0
    assert panel._rows["True"].value == before
    panel.path.value = "jittered"
    assert panel._rows["True"].value != before


def test_where_widgets_cannot_be_shown_there_is_a_picture(panel):
    panel.switches["mirror"].value = True
    shown = panel._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG")
    assert shown["text/plain"] == f"<Ambiguities: raster path, R {panel.misfit:.4f}>"


def test_controls_have_names_and_tooltips(panel):
    controls = [panel.path, panel.reset, *panel.switches.values(), *(part for d in panel.dials.values() for part in (d.box, d.slider))]
    assert all(control.tooltip for control in controls)
    assert all(control.description for control in controls if control not in [d.slider for d in panel.dials.values()])


def test_a_dial_of_whole_numbers_takes_whole_numbers():
    with nothing_left():
        heard = []
        dial = Dial("Steps", (0, 9, 1), 3, "How many", lambda: heard.append(dial.value))
        dial.slider.value = 6.0
        dial.box.value = "2"
        assert heard == [6, 2]
        assert isinstance(dial.value, int)
        close_all(dial.widget)
