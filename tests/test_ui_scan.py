"""The Scan panel, driven by its buttons without a browser."""

from __future__ import annotations

import base64
import html
import io
import logging
import os
import re
import threading
import time

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from leftovers import names_of_threads, nothing_left, until
from matplotlib.colors import LogNorm
from PIL import Image
from tiny_scan import tiny_scan

import ptycho_nb
from ptycho_nb import load_scan, simulate_scan
from ptycho_nb.checks import Finding, Severity
from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError, ScanError
from ptycho_nb.history import Control
from ptycho_nb.quick_look import Orientation, quick_look
from ptycho_nb.readers import save_scan
from ptycho_nb.ui.drawing import Pane, close_all
from ptycho_nb.ui.forms import FileSource, Oriented, show_python
from ptycho_nb.ui.panels.scan import ScanPanel, browser, look, overview, panel
from ptycho_nb.ui.panels.scan.look import Verdict
from ptycho_nb.ui.panels.scan.mapping import typed
from ptycho_nb.ui.panels.scan.orientation import OrientationCheck
from ptycho_nb.ui.panels.scan.patterns import pattern_image

SCAN = tiny_scan()
SCALE = LogNorm(1, 100, clip=True)
HOSTILE = "<img src=x onerror=alert(1)>"
SMALL = SimulationConfig(N=32, height=64, width=72, probe_diameter=12)


@pytest.fixture(autouse=True)
def nothing_stays():
    """Every test leaves widgets and threads as they were."""
    with nothing_left():
        yield


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of the kernel, with scans in it; no files opened yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(browser, "_recent", [])
    (tmp_path / "data").mkdir()
    (tmp_path / ".hidden").mkdir()
    np.savez(tmp_path / "known.npz", **plain())
    np.savez(
        tmp_path / "unknown.npz", **{"my photons": SCAN.intensity, "stage": SCAN.positions, "beam": SCAN.probe[0], "extra": np.ones(3)}
    )
    (tmp_path / "notes.txt").write_text("no scan")
    (tmp_path / "broken.npz").write_bytes(b"no zip")
    return tmp_path


def plain() -> dict[str, np.ndarray]:
    return {"diff3d": SCAN.intensity, "xcoords": SCAN.positions[:, 1], "ycoords": SCAN.positions[:, 0], "probeGuess": SCAN.probe[0]}


@pytest.fixture
def make(home, monkeypatch):
    """Panels that are closed at the end; the map of positions, which takes longest, is left out; a quick look has time for its epochs."""
    monkeypatch.setattr(overview, "positions", lambda scan: "")
    monkeypatch.setattr(look, "SECONDS", 60.0)
    made: list[ScanPanel] = []

    def one(source=None) -> ScanPanel:
        made.append(ScanPanel(source))
        assert made[-1].wait()
        return made[-1]

    yield one
    for old in made:
        old.close()


def click(panel: ScanPanel, button) -> None:
    button.click()
    assert panel.wait(30)


def opened(panel: ScanPanel, path) -> ScanPanel:
    panel.controls.browser.path.value = str(path)
    click(panel, panel.controls.browser.open)
    return panel


def shown(pane: Pane) -> str:
    return html.unescape(re.sub("<[^>]*>", "", pane.value))


def same(one, other) -> bool:
    arrays = all(np.array_equal(vars(one)[name], vars(other)[name]) for name in ("intensity", "positions", "probe", "mask"))
    return arrays and one.pixel_size == other.pixel_size and one.notes == other.notes


def executed(program: str):
    room: dict = {}
    exec(program, room)
    return room["scan"]


def rows(panel: ScanPanel) -> dict:
    mapping = panel.controls.mapping
    return {info.name: row for row, info in zip(mapping._rows, mapping._arrays.found, strict=False)}


def test_without_a_scan_the_panel_teaches(make):
    empty = make()
    assert "No scan yet" in empty.controls.scan.value
    assert shown(empty.controls.state) == "No scan"
    assert empty.scan is empty.source is empty.glance is None
    assert empty.controls._seen.layout.display == "none"
    assert empty.controls.look.button.disabled
    empty.controls.look.button.click()
    assert "open a file or simulate one first" in empty.controls.problem.value


def test_a_scan_given_in_python_is_there_at_once_and_shown(home):
    given = ScanPanel(SCAN)
    assert given.scan is SCAN
    assert given.wait()
    c = given.controls
    assert "42 of 16 × 16 px" in shown(c.facts)
    assert "nothing was assumed" in shown(c.notes)
    assert c.patterns.mean.value.count("<img") == 2  # mean pattern and probe
    assert c.patterns.single.value.count("<img") == c.positions.value.count("<img") == 1
    assert all("alt=" in image for p in (c.patterns.mean, c.positions) for image in re.findall("<img[^>]*>", p.value))
    assert "# scan: the scan that the panel was given" in given.python
    given.close()


def test_words_and_numbers_of_a_file_are_told(make):
    c = opened(make(), "known.npz").controls
    told = shown(c.facts)
    for words in (
        "Overlap",
        "% linear",
        "90 % within",
        "unknown: lengths are in px",
        "in a mean pattern",
        "a run (Iterative)",
        "(Network)",
    ):
        assert words in told
    assert "patterns 'diff3d' (42, 16, 16), 42 positions" in shown(c.notes)
    assert shown(c.state) == "Ready"
    assert c.choose.selected_index is None


def test_the_browser_shows_folders_first_and_only_what_can_be_read(make):
    b = make().controls.browser
    labels = [label for label, _ in b.entries.options]
    assert labels[:2] == [browser.UP, "data/"]
    assert [label.split("  (")[0] for label in labels[2:]] == ["broken.npz", "known.npz", "unknown.npz"]
    assert b.entries.value is None


def test_open_enters_a_folder_and_up_leaves_it(make, home):
    one = make()
    b = one.controls.browser
    b.entries.value = str(home / "data")
    assert b.path.value == "data"
    b.open.click()
    assert b.folder == home / "data"
    assert "No scan in this folder" in b.news.value
    assert b.path.value == ""
    b.entries.value = str(home)
    b.open.click()
    assert b.folder == home


def test_a_file_picked_from_the_list_is_opened_and_remembered(make, home):
    one = make()
    b = one.controls.browser
    assert b.recent.layout.display == "none"
    b.entries.value = str(home / "known.npz")
    click(one, b.open)
    assert same(one.scan, load_scan("known.npz"))
    assert one.source == "known.npz"
    again = make().controls.browser
    assert [label for label, _ in again.recent.options][1:] == ["known.npz"]
    again.recent.value = str(home / "known.npz")
    assert again.path.value == "known.npz"


def test_a_file_that_comes_or_goes_does_so_in_the_list_and_what_was_chosen_stays(make, home, monkeypatch):
    monkeypatch.setattr(browser, "PERIOD", 0.01)
    b = make().controls.browser
    b.widget._view_count = 1
    b.entries.value = str(home / "known.npz")
    np.savez(home / "come.npz", **plain())
    assert until(lambda: str(home / "come.npz") in dict(b.entries.options).values())
    assert until(lambda: "New in this folder: come.npz." in b.news.value)
    assert (b.entries.value, b.path.value) == (str(home / "known.npz"), "known.npz")
    (home / "known.npz").unlink()
    assert until(lambda: str(home / "known.npz") not in dict(b.entries.options).values())
    assert (b.entries.value, b.path.value) == (None, "known.npz")
    b.entries.value = str(home / "come.npz")
    assert b.path.value == "come.npz"


def test_a_refresh_changes_nothing_where_nothing_has_changed(make, home):
    one = make()
    b, one.controls.choose.selected_index = one.controls.browser, 1  # no longer watched: refreshed by hand only
    assert until(lambda: "ptycho_nb watch" not in names_of_threads())
    seen = []
    b.entries.observe(seen.append)
    b.refresh()
    assert seen == []
    for i in range(browser.NAMED + 2):
        np.savez(home / f"new{i}.npz", **plain())
    b.refresh()
    assert "New in this folder: new0.npz, new1.npz, new2.npz, 2 more." in b.news.value
    b.folder = home / "gone"
    b.refresh()
    assert len(b.entries.options) == 10


def test_the_folder_is_watched_only_while_its_list_can_be_seen(make, monkeypatch):
    monkeypatch.setattr(browser, "PERIOD", 0.01)
    one = make()
    assert "ptycho_nb watch" not in names_of_threads(), "it is on no page"
    one.controls.browser.widget._view_count = 1
    assert "ptycho_nb watch" in names_of_threads()
    one.controls.choose.selected_index = 1
    assert until(lambda: "ptycho_nb watch" not in names_of_threads())
    one.controls.choose.selected_index = 0
    assert "ptycho_nb watch" in names_of_threads()
    one.controls.browser.widget._view_count = 0
    assert until(lambda: "ptycho_nb watch" not in names_of_threads())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_told(make, home):
    (home / "data").chmod(0)
    b = make().controls.browser
    b.show(home / "data")
    assert "permission denied" in b.problem.value
    assert b.folder == home


def test_a_folder_that_is_gone_is_told_and_the_one_before_stays(make, home):
    b = make().controls.browser
    b.show(home / "gone")
    assert "pnb-alert" in b.problem._dom_classes
    assert "choose another folder" in b.problem.value
    assert b.folder == home


def test_a_name_that_the_screen_cannot_show_is_opened_from_the_list(make, home):
    name = os.fsdecode(b"caf\xe9.npz")
    np.savez(home / name, **plain())
    one = make()
    one.controls.browser.entries.value = str(home / name)
    assert one.controls.browser.path.value == "caf?.npz"
    click(one, one.controls.browser.open)
    assert one.scan is not None
    assert same(executed(one.python), one.scan)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "No file is chosen"),
        ("gone.npz", "There is no file"),
        ("notes.txt", "no reader for"),
        ("a\0b.npz", "cannot be opened"),
        ("x" * 5000, ""),
    ],
)
def test_a_path_that_cannot_be_read_is_one_sentence(make, path, words):
    one = opened(make(), path)
    assert "pnb-alert" in one.controls.problem._dom_classes
    assert words in one.controls.problem.value
    assert len(shown(one.controls.problem)) < 220
    assert not one.controls.mapping.shown
    assert one.scan is None
    opened(one, "known.npz")
    assert one.scan is not None
    assert one.controls.problem.value == ""


def test_a_broken_file_is_told_and_has_no_fields(make):
    one = opened(make(), "broken.npz")
    with pytest.raises(ScanError) as told:
        load_scan("broken.npz")
    assert shown(one.controls.problem) == str(told.value)
    assert not one.controls.mapping.shown


def test_a_file_of_unknown_names_shows_its_fields_filled_in(make):
    one = opened(make(), "unknown.npz")
    assert one.controls.mapping.shown
    assert "no diffraction patterns found by name. Choose a role" in shown(one.controls.problem)
    assert {name: row.role.value for name, row in rows(one).items()} == {
        "my photons": "patterns",
        "stage": "positions",
        "beam": "probe",
        "extra": "",
    }
    assert shown(rows(one)["stage"].words) == "shape (42, 2), float64"
    click(one, one.controls.mapping.load)
    given = {"patterns": "my photons", "positions": "stage", "probe": "beam"}
    assert same(one.scan, load_scan("unknown.npz", **given))
    assert one.source == FileSource("unknown.npz", given)
    assert not one.controls.mapping.shown
    assert one.controls.problem.value == ""


def test_the_code_shown_gives_the_mapped_scan(make):
    one = opened(make(), "unknown.npz")
    mapping = one.controls.mapping
    mapping.texts["crop"].value, mapping.choices["quantity"].value = "12", "counts"
    click(one, mapping.load)
    assert one.scan.N == 12
    assert "load_scan('unknown.npz', patterns='my photons', positions='stage', probe='beam', quantity='counts', crop=12)" in one.python
    assert same(executed(one.python), one.scan)
    assert html.unescape(one.controls.code.value) == f"<pre>{one.python}</pre>"


def test_an_array_can_be_the_mask(make, home):
    good = np.ones((16, 16), bool)
    good[:, 3] = False
    np.savez(home / "masked.npz", **plain(), believe=good)
    one = make()
    one.controls.browser.path.value = "masked.npz"
    click(one, one.controls.browser.fields)
    rows(one)["believe"].role.value = "mask"
    click(one, one.controls.mapping.load)
    assert not one.scan.mask[:, 3].any()
    assert "16 px masked" in shown(one.controls.facts)
    assert "16 px masked, drawn light" in shown(one.controls.patterns.single)
    assert same(executed(one.python), one.scan)


def test_fields_on_demand_leave_out_what_the_reader_knows(make):
    one = make()
    one.controls.browser.path.value = "known.npz"
    click(one, one.controls.browser.fields)
    assert one.scan is None
    assert {name: row.role.value for name, row in rows(one).items()} == {
        "diff3d": "patterns",
        "xcoords": "x",
        "ycoords": "y",
        "probeGuess": "probe",
    }
    click(one, one.controls.mapping.load)
    assert one.source == "known.npz"


def test_a_file_of_our_own_goes_through_the_fields_unchanged(make):
    save_scan("own.npz", SCAN)
    one = make()
    one.controls.browser.path.value = "own.npz"
    click(one, one.controls.browser.fields)
    click(one, one.controls.mapping.load)
    assert same(one.scan, SCAN)


@pytest.mark.parametrize(
    ("name", "text", "argument"),
    [
        ("energy_ev", "many", "many"),
        ("energy_ev", "-3", -3),
        ("distance_m", "nan", float("nan")),
        ("detector_pixel_m", "7,5", (7, 5)),
        ("crop", "11", 11),
        ("crop", "12.5", 12.5),
        ("bin", "0", 0),
        ("center", "8", 8),
        ("center", "8, 99", (8, 99)),
        ("center", HOSTILE, HOSTILE),
    ],
)
def test_what_load_scan_refuses_is_told_in_its_own_sentence_and_nothing_is_lost(make, name, text, argument):
    one = opened(make(), "unknown.npz")
    mapping = one.controls.mapping
    mapping.texts[name].value, mapping.choices["zero_frequency"].value = text, "centre"
    rows(one)["beam"].role.value = ""
    click(one, mapping.load)
    with pytest.raises(ScanError) as told:
        load_scan("unknown.npz", patterns="my photons", positions="stage", zero_frequency="centre", **{name: argument})
    assert shown(one.controls.problem) == str(told.value)
    assert "pnb-alert" in one.controls.problem._dom_classes
    assert mapping.shown
    assert (mapping.texts[name].value, mapping.choices["zero_frequency"].value, rows(one)["beam"].role.value) == (text, "centre", "")
    mapping.texts[name].value = ""
    click(one, mapping.load)
    assert one.scan is not None


def test_two_arrays_of_one_role_are_told(make):
    one = opened(make(), "unknown.npz")
    rows(one)["extra"].role.value = "patterns"
    click(one, one.controls.mapping.load)
    assert "Two arrays are called patterns: my photons and extra" in shown(one.controls.problem)


def test_the_fields_of_another_file_start_anew_and_use_the_same_widgets(make, home):
    one = opened(make(), "unknown.npz")
    one.controls.mapping.texts["crop"].value = "12"
    np.savez(home / "short.npz", a=SCAN.intensity, b=SCAN.positions)
    count = len(_instances)
    opened(one, "short.npz")
    assert len(_instances) == count
    assert one.controls.mapping.texts["crop"].value == ""
    assert [row.widget.layout.display for row in one.controls.mapping._rows] == [None, None, "none", "none"]
    click(one, one.controls.mapping.load)
    assert one.source == FileSource("short.npz", {"patterns": "a", "positions": "b"})


@pytest.mark.parametrize(
    ("text", "value"),
    [("8", 8), ("7.5e3", 7500.0), (" 3 , 4.5 ", (3, 4.5)), ("(1, 2)", (1, 2)), ("many", "many"), ("9" * 5000, float("inf"))],
)
def test_what_is_typed_becomes_a_number_where_it_is_one(text, value):
    assert typed(text) == value


def test_names_of_strangers_are_text_everywhere(make, home):
    arrays = {HOSTILE: SCAN.intensity, "$s$": SCAN.positions, f"{HOSTILE}$": np.ones(3)}
    np.savez(home / "hostile", **arrays)
    (home / "hostile.npz").rename(home / f"{HOSTILE}.npz")
    (home / HOSTILE).mkdir()
    one = make()
    one.controls.browser.entries.value = str(home / f"{HOSTILE}.npz")
    click(one, one.controls.browser.open)
    click(one, one.controls.mapping.load)
    assert one.scan is not None
    assert one.scan.name == HOSTILE
    click(one, one.controls.look.button)
    one.controls.browser.show(home / HOSTILE)
    one.controls.choose.selected_index = 1  # the form is there too
    panes = [w for w in _instances.values() if isinstance(w, Pane)]
    assert not [p.value for p in panes if "<img src=x" in p.value]
    assert "&lt;img" in one.controls.mapping.title.value
    assert "&lt;img" in one.controls.scan.value
    assert all("$" not in w.description and "\\" not in w.description for w in _instances.values() if isinstance(w, ipywidgets.Dropdown))


def test_simulate_makes_the_scan_of_the_form_and_its_code(make):
    one = make()
    one.controls.form.set(SMALL)
    click(one, one.controls.simulate)
    assert one.source == SMALL
    assert same(one.scan, simulate_scan(SMALL))
    assert same(executed(one.python), one.scan)


def test_the_form_of_a_simulation_is_there_once_it_is_looked_at(make):
    one = make()
    (place, _) = one.controls.choose.parts[1].children
    assert place.children == ()
    one.controls.choose.selected_index = 1
    assert place.children == (one.controls.form.widget,)


def test_a_wrong_setting_of_the_simulation_is_told(make):
    one = make()
    one.controls.form.fields["N"].box.value = "7"
    click(one, one.controls.simulate)
    assert "Pattern width is 7;" in shown(one.controls.problem)
    assert one.scan is None


@pytest.mark.parametrize("source", [SCAN, SMALL, "known.npz"])
def test_who_waits_is_told_of_a_new_scan_and_may_fail(make, caplog, source):
    one, got = make(), []
    one.on_scan(lambda: 1 / 0)
    one.on_scan(lambda: got.append((one.scan, one.source)))
    with caplog.at_level(logging.CRITICAL):
        one.open(source)
        assert one.wait()
    assert got == [(one.scan, one.source)]
    assert one.scan is not None
    assert one.source == (None if source is SCAN else source)


def test_what_is_no_source_is_refused(home):
    one = ScanPanel()
    with pytest.raises(InputError, match="not a float"):
        one.open(3.0)
    one.close()


def test_checks_are_told_with_their_gravity_and_what_to_try():
    found = [Finding("overlap", "it is 1 %", "scan more densely", Severity.SERIOUS), Finding("grid", "a<b", "jitter", Severity.NOTE)]
    told = html.unescape(re.sub("<[^>]*>", "", overview.findings(found)))
    assert "Serious, overlap: it is 1 %. Try: scan more densely." in told
    assert "Note, grid: a<b. Try: jitter." in told
    assert "&lt;b" in overview.findings(found)
    assert "Map fields" not in told
    assert "Map fields" in overview.findings([Finding("centre", "it is off", "give center=")])
    assert "nothing looks wrong" in overview.findings([])


def test_a_sparse_scan_is_warned_of(make):
    sparse = make(tiny_scan(3, 3, step=12.0))
    assert "Serious" in shown(sparse.controls.findings) or "Warning" in shown(sparse.controls.findings)
    assert "Try: " in shown(sparse.controls.findings)
    assert "or more is the rule" in shown(sparse.controls.facts)


def test_a_scan_of_one_pattern_is_shown(make):
    one = make(SCAN.select([3]))
    assert one.controls.problem.value == ""
    assert "none, one position" in shown(one.controls.facts)
    assert one.controls.patterns.slider.disabled


def test_slider_and_box_show_the_same_pattern(make):
    p = make(SCAN).controls.patterns
    assert f"Pattern {SCAN.middle}:" in shown(p.single)
    p.slider.value = 5
    assert p.number.value == "5"
    assert "Pattern 5:" in shown(p.single)
    picture = p.single.value
    p.number.value = "41"
    assert p.slider.value == 41
    assert p.single.value != picture
    for wrong in ("42", "-1", "many"):
        p.number.value = wrong
        assert "whole number in 0 to 41" in p.problem.value
        assert "Pattern 41:" in shown(p.single)
    p.number.value = "0"
    assert p.problem.value == ""


def test_a_pattern_is_drawn_by_its_logarithm_and_masked_pixels_apart():
    photons, mask = np.ones((8, 8), np.float32), np.ones((8, 8), bool)
    photons[0, 0], mask[1, 1] = 100.0, False
    told = html.unescape(pattern_image(photons, mask, SCALE, "P"))
    assert "1 px masked, drawn light" in told
    assert "100 in the brightest px" in told
    assert "masked" not in pattern_image(photons, np.ones((8, 8), bool), SCALE, "P")


def test_a_masked_pixel_tints_no_block_and_a_masked_block_is_light():
    photons, mask = np.full((512, 512), 10, np.float32), np.ones((512, 512), bool)
    photons[0, 0], mask[0, 0] = 1e9, False  # one of four pixels that are drawn as one
    mask[2:4, 2:4] = False
    data = re.search('base64,([^"]*)', pattern_image(photons, mask, SCALE, "P")).group(1)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert image.shape == (256, 256, 3)
    assert (image[0, 0] == image[9, 9]).all()
    assert image[1, 1].min() > 200


def test_a_drawing_that_fails_leaves_the_scan(make, monkeypatch, caplog):
    monkeypatch.setattr(overview, "positions", lambda scan: 1 / 0)
    with caplog.at_level(logging.CRITICAL):
        one = make(SCAN)
    assert one.scan is SCAN
    assert "it can be used all the same" in one.controls.problem.value
    assert not one.controls.look.button.disabled


def test_quick_look_shows_an_object_and_says_that_it_is_good(make):
    one = make(SCAN)
    click(one, one.controls.look.button)
    seen = one.controls.look.seen
    assert seen.value.count("<img") == 3
    assert "Looks good" in shown(one.controls.look.news)
    assert "photon noise alone gives" in shown(one.controls.look.news)
    assert one.glance.object.shape == SCAN.truth.shape
    assert not one.controls.orientation.offered


def test_a_poor_quick_look_offers_the_orientation_and_turns_nothing(make):
    wrong = SCAN.oriented(flip_rows=True)
    one = make(wrong)
    click(one, one.controls.look.button)
    assert "Looks poor" in shown(one.controls.look.news)
    o = one.controls.orientation
    assert o.offered
    click(one, o.button)
    assert len(o.ranking) == 4
    assert "Handedness is not in the data" in shown(o.table)
    assert "Fits exactly as well" in shown(o.table)
    assert "fits clearly better than the one in use" in shown(o.news)
    assert one.scan is wrong
    assert o.chosen == Orientation()  # nothing is chosen either
    o.choice.value = 2  # rows flipped
    click(one, o.use)
    assert "The one in use fits best" in shown(o.news)
    click(one, one.controls.look.button)
    assert "Looks good" in shown(one.controls.look.news)
    assert o.offered


def test_a_fixed_probe_ranks_all_eight(make):
    one = make(SCAN.oriented(transpose=True))
    o = one.controls.orientation
    o.probe.value = False
    click(one, o.button)
    assert len(o.ranking) == 8
    assert "sign of the guessed defocus" in shown(o.table)
    assert o.ranking[0].transpose


@pytest.mark.parametrize("source", [SMALL, "known.npz", SCAN])
def test_an_orientation_is_applied_by_the_person_and_stands_in_the_code(make, source):
    one, told = make(source), []
    recorded = one.scan
    one.on_scan(lambda: told.append(one.scan))
    click(one, one.controls.look.button)
    o = one.controls.orientation
    o.offer(True)
    o.choice.value = 4 + 2  # rows and columns swapped, rows flipped
    click(one, o.use)
    flags = {"transpose": True, "flip_rows": True}
    assert same(one.scan, recorded.oriented(**flags))
    assert told == [one.scan]
    assert o.offered
    assert "its positions turned" in shown(one.controls.scan)
    assert one.glance is None  # that was of the scan before
    if source is SCAN:
        assert one.source == Oriented(None, flags)
    else:
        assert one.source == (FileSource(source, {}, flags) if source == "known.npz" else Oriented(SMALL, flags))
        assert same(executed(one.python), one.scan)
    o.choice.value = 1  # anew from what was recorded
    click(one, o.use)
    assert same(one.scan, recorded.oriented(flip_columns=True))
    o.choice.value = 0
    click(one, o.use)
    assert one.scan is recorded
    assert one.source == (None if source is SCAN else source)


def test_the_code_of_a_given_scan_turns_it():
    lines = show_python([], Oriented(None, {"transpose": True}))
    assert lines.endswith("# scan: the scan that the panel was given\nscan = scan.oriented(transpose=True)\n")


def test_a_new_scan_hides_the_orientation_of_the_one_before(make):
    one = make(SCAN.oriented(flip_rows=True))
    click(one, one.controls.look.button)
    assert one.controls.orientation.offered
    opened(one, "known.npz")
    assert not one.controls.orientation.offered
    assert one.controls.look.seen.value == ""
    assert one.glance is None


@pytest.mark.parametrize(
    ("misfit", "noise", "featureless", "poor", "words"),
    [
        (0.079, 0.046, 0.193, False, "78% of what the object does is explained. Looks good"),
        (0.134, 0.046, 0.193, True, "40% of what the object does is explained. Looks poor"),
        (0.04, 0.046, 0.193, False, "100% of"),
        (0.25, 0.046, 0.193, True, ": 0% of"),
        (1.2, 1.25, 0.78, False, "Noise hides"),
        (float("nan"), 0.1, 0.2, True, "diverged"),
    ],
)
def test_the_verdict_stands_between_noise_and_a_mean_pattern(misfit, noise, featureless, poor, words):
    verdict = Verdict(misfit, noise, featureless)
    assert verdict.poor is poor
    assert words in verdict.words


def test_axes_that_are_wrong_are_not_called_good_where_photons_are_few():
    given = {"probe": "gaussian", "scan": "raster", "overlap": 0.6, "probe_diameter": 12.9, "probe_error": 0.2, "phase_range": 3.0}
    scan = simulate_scan(SimulationConfig(N=32, height=93, width=66, nphotons=4216, seed=917167, **given))
    right, wrong = (Verdict.of(quick_look(one, 60), one) for one in (scan, scan.oriented(flip_rows=True, transpose=True)))
    assert (right.judges, wrong.judges) == (7, 7)
    assert not right.poor
    assert "of 7 patterns that it did not fit" in right.words
    assert "Looks good" in right.words
    assert wrong.poor


@pytest.mark.parametrize(("poor", "told"), [(True, True), (False, False)])
def test_a_hurried_look_that_is_poor_says_so(make, monkeypatch, poor, told):
    one = make(SCAN)
    monkeypatch.setattr(look, "ENOUGH", 2.0 if poor else -1.0)
    monkeypatch.setattr(look, "FEW", 10_000)
    click(one, one.controls.look.button)
    assert ("Few epochs fitted into the time" in shown(one.controls.look.news)) is told


@pytest.mark.parametrize(
    ("ranking", "words"),
    [
        ([Orientation(misfit=0.1), Orientation(transpose=True, misfit=0.2)], "The one in use fits best"),
        ([Orientation(transpose=True, misfit=0.098), Orientation(misfit=0.1)], "None fits clearly better"),
        ([Orientation(transpose=True, misfit=0.05), Orientation(misfit=0.1)], "Rows and columns swapped fits clearly better"),
        ([Orientation(transpose=True, misfit=0.05)], "Rows and columns swapped fits best"),
        ([], "stopped before anything"),
    ],
)
def test_a_ranking_is_told_against_the_one_in_use(monkeypatch, ranking, words):
    monkeypatch.setattr("ptycho_nb.rank_orientations", lambda *_, **__: ranking)
    check = OrientationCheck()
    check.run(SCAN, Orientation(), Control())
    assert words in shown(check.news)
    close_all(check.widget)


def test_a_check_that_was_stopped_says_that_not_all_were_tried(monkeypatch):
    monkeypatch.setattr("ptycho_nb.rank_orientations", lambda *_, **__: [Orientation(misfit=0.1)])
    check, control = OrientationCheck(), Control()
    control.stop()
    check.run(SCAN, Orientation(), control)
    assert "The check was stopped" in shown(check.table)
    close_all(check.widget)


def endless(scan, seconds, *, control, quick_look=ptycho_nb.quick_look):
    """A quick look that ends when it is asked to."""
    while not control.stopping:
        time.sleep(0.005)
    return quick_look(scan, 0.2, control=control)


def test_stop_ends_a_quick_look_and_keeps_what_there_is(make, monkeypatch):
    one = make(SCAN)
    monkeypatch.setattr("ptycho_nb.quick_look", endless)
    c = one.controls
    assert c.look.stop.disabled
    c.look.button.click()
    assert until(lambda: not c.look.stop.disabled and "Looking" in c.state.value)
    assert c.look.button.disabled
    assert c.browser.open.disabled
    click(one, c.look.stop)
    assert "stopped after" in shown(c.look.news)
    assert one.glance is not None
    assert shown(c.state) == "Ready"


def test_fifty_clicks_make_one_load(make, monkeypatch):
    loads, go = [], threading.Event()
    monkeypatch.setattr(panel, "load_scan", lambda *a, **k: (loads.append(1), go.wait(10), load_scan(*a, **k))[2])
    one = make()
    one.controls.browser.path.value = "known.npz"
    for _ in range(50):
        one.controls.browser.open.click()
    assert until(lambda: loads)
    assert one.busy
    assert names_of_threads().count("ptycho_nb task") == 1
    assert "Loading known.npz" in one.controls.state.value
    go.set()
    assert one.wait()
    assert loads == [1]


def test_another_scan_ends_a_quick_look_under_way(make, monkeypatch):
    one = make(SCAN)
    monkeypatch.setattr("ptycho_nb.quick_look", endless)
    one.controls.look.button.click()
    assert until(lambda: "Looking" in one.controls.state.value)
    one.open(SMALL)
    assert one.wait()
    assert one.source == SMALL
    assert one.glance is None


def test_closing_ends_a_quick_look_and_leaves_nothing(home, monkeypatch):
    monkeypatch.setattr("ptycho_nb.quick_look", endless)
    before = len(_instances)
    one = ScanPanel(SCAN)
    assert one.wait()
    one.controls.look.button.click()
    assert until(lambda: "Looking" in one.controls.state.value)
    one.close()
    assert len(_instances) == before
    assert not one.busy


def test_a_failure_is_one_sentence_and_the_panel_lives(make, monkeypatch, caplog):
    one = make()
    with caplog.at_level(logging.CRITICAL), monkeypatch.context() as broken:
        broken.setattr(panel, "load_scan", lambda *_, **__: 1 / 0)
        opened(one, "known.npz")
    assert "ZeroDivisionError" in one.controls.problem.value
    opened(one, "known.npz")
    assert one.scan is not None
    assert one.controls.problem.value == ""


def test_every_control_has_a_name_and_a_tip(make):
    one = opened(make(), "unknown.npz")
    kinds = (ipywidgets.Button, ipywidgets.Text, ipywidgets.Dropdown, ipywidgets.Select)
    preset = one.controls.form.preset
    controls = [w for w in _instances.values() if isinstance(w, kinds) and w is not preset]
    assert len(controls) > 30
    assert [w for w in controls if not w.description or not w.tooltip] == []


def test_a_saved_notebook_gets_a_picture_and_a_stable_text(make):
    one = make()
    assert one._repr_mimebundle_()["text/plain"] == repr(one) == "<ScanPanel: no scan>"
    assert "image/png" not in one._repr_mimebundle_()
    one.open(SCAN)
    assert one.wait()
    bundle = one._repr_mimebundle_()
    assert bundle["text/plain"] == "<ScanPanel: scan given>"
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_refusal_that_names_an_argument_says_where_the_panel_has_it(home):
    amplitudes, positions = np.sqrt(SCAN.intensity), 1e-8 * SCAN.positions
    np.savez(home / "metres.npz", diff3d=amplitudes, ycoords=positions[:, 0], xcoords=positions[:, 1])
    panel = ScanPanel(home / "metres.npz")
    assert panel.wait()
    assert "looks like metres" in panel.controls.problem.value
    assert panel.controls.problem.value.count("Under Map fields: Positions in.") == 1
    panel.close()
