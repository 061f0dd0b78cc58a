"""The export bar, driven by its controls without a browser."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import tifffile
from ipywidgets.widgets.widget import _instances
from PIL import Image
from tiny_scan import tiny_scan

from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.ui.panels import export
from ptycho_nb.ui.panels.export import ExportBar, Subject
from ptycho_nb.views import view

SCAN = tiny_scan()
RESULT = refine(SCAN, None, RefinementConfig(epochs=2))
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def nothing_stays(tmp_path, monkeypatch):
    """Every test works in a folder of its own and leaves widgets and threads as they were."""
    monkeypatch.chdir(tmp_path)
    widgets = len(_instances)
    yield
    assert len(_instances) == widgets
    assert not [t.name for t in threading.enumerate() if t.name.startswith("ptycho_nb")]


@pytest.fixture
def make():
    """Bars that are closed at the end."""
    made: list[ExportBar] = []

    def bar(result=RESULT, **more) -> ExportBar:
        made.append(ExportBar(lambda: Subject(result, view(result), SCAN, **more)))
        return made[-1]

    yield bar
    for one in made:
        one.close()


@pytest.fixture
def bar(make):
    return make()


def press(bar: ExportBar, button: str) -> str:
    """What the bar says after a press, its work done."""
    getattr(bar, button).click()
    assert bar.wait(30)
    return bar.problem.value or bar.news.value


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_save_writes_what_the_controls_say_and_tells_the_absolute_path(bar, tmp_path):
    bar.what.value, bar.width.value, bar.dpi.value = "phase", 170.0, 600
    said = press(bar, "save")
    assert files() == ["tiny_iterative_phase.png"]
    assert str(tmp_path / "tiny_iterative_phase.png") in said
    with Image.open("tiny_iterative_phase.png") as image:
        assert image.width == round(170 / 25.4 * 600)


@pytest.mark.parametrize(
    ("what", "ending"), [("pair", ".pdf"), ("amplitude", ".tif"), ("phase_image", ".png"), ("result", ".npz"), ("result", ".h5")]
)
def test_each_content_is_saved_in_each_of_its_formats(bar, what, ending):
    bar.what.value = what
    bar.format.value = ending
    press(bar, "save")
    assert files() == [f"tiny_iterative_{what}{ending}"]


def test_only_the_formats_of_the_content_are_offered_and_the_chosen_one_is_kept(bar):
    bar.format.value = ".pdf"
    bar.what.value = "phase_image"
    assert bar.format.value == ".pdf"
    assert ".tif" not in dict(bar.format.options).values()
    bar.what.value = "result"
    assert list(dict(bar.format.options).values()) == [".npz", ".h5"]
    assert bar.name.value == "tiny_iterative_result.npz"


def test_width_and_dpi_can_be_chosen_for_pictures_only(bar):
    assert not bar.width.disabled
    bar.format.value = ".tif"
    assert bar.width.disabled
    assert bar.dpi.disabled


def test_a_tiff_holds_what_the_view_shows(bar):
    bar.format.value = ".tif"
    press(bar, "save")
    assert tifffile.imread("tiny_iterative_pair.tif").shape == (2, *view(RESULT).shape)


def test_a_file_is_replaced_only_on_a_second_press(bar):
    bar.what.value = "result"
    path = Path("tiny_iterative_result.npz")
    path.write_bytes(b"mine")
    assert "Press Save once more to replace it" in press(bar, "save")
    assert path.read_bytes() == b"mine"
    assert "Saved" in press(bar, "save")
    assert Reconstruction.load(path).name == "tiny"
    assert "once more" in press(bar, "save")


def test_another_name_is_asked_for_anew(bar):
    bar.what.value = "result"
    for name in ("a.npz", "b.npz"):
        Path(name).write_bytes(b"mine")
        bar.name.value = name
        assert "once more" in press(bar, "save")
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes() == b"mine"


def test_an_input_is_not_overwritten_on_a_second_press_either(make):
    scan = Path("scan.npz").absolute()
    scan.write_bytes(b"measured")
    bar = make(inputs=(scan,))
    bar.what.value, bar.name.value = "result", "scan.npz"
    press(bar, "save")
    assert "never overwritten" in press(bar, "save")
    assert scan.read_bytes() == b"measured"


@pytest.mark.parametrize(
    "name", ["a\x00b", "../", "..", ".", "folder/", "~", "CON.png", "x" * 300 + ".png", "no/such/folder/a.png", "~nobody0/a.png", "a.npz"]
)
def test_a_name_that_cannot_be_is_a_sentence_and_nothing_is_written(bar, name):
    bar.name.value = name
    said = press(bar, "save")
    assert said == bar.problem.value
    assert len(said) < 300
    assert files() == []


def test_a_name_of_one_s_own_stays_and_takes_the_ending_of_the_format(bar):
    bar.name.value = "mine"
    bar.what.value = "phase"
    bar.format.value = ".pdf"
    assert bar.name.value == "mine"
    press(bar, "save")
    bar.name.value = "mine.v2.pdf"
    bar.format.value = ".tif"
    assert bar.name.value == "mine.v2.tif"
    assert files() == ["mine.pdf"]


def test_an_ending_that_is_typed_chooses_the_format(bar):
    bar.name.value = "mine.PDF"
    assert bar.format.value == ".pdf"
    assert bar.name.value == "mine.PDF"
    press(bar, "save")
    assert files() == ["mine.PDF"]


@pytest.mark.parametrize("name", [NASTY, "../../x", "a\x00b", "CON", "走" * 200, ""])
def test_a_hostile_scan_name_gives_a_name_that_can_be_written_here(make, name):
    bar = make(RESULT.replace(name=name))
    bar.what.value = "result"
    assert "Saved" in press(bar, "save")
    assert len(files()) == 1
    assert "<img" not in bar.news.value


def test_the_name_follows_the_result_until_one_is_written(make):
    shown = [RESULT]
    bar = ExportBar(lambda: Subject(shown[0], view(shown[0])))
    try:
        shown[0] = RESULT.replace(name="other")
        bar.refresh()
        assert bar.name.value == "other_iterative_pair.png"
        bar.name.value = "mine.png"
        shown[0] = RESULT
        bar.refresh()
        assert bar.name.value == "mine.png"
    finally:
        bar.close()


def test_the_methods_text_is_shown_and_handed_to_the_clipboard(bar, monkeypatch):
    sent = []
    monkeypatch.setattr(bar.copy, "send", sent.append)
    assert bar.text.layout.display == "none"
    press(bar, "copy")
    assert bar.text.value.startswith("The object was reconstructed with ptycho_nb")
    assert bar.copy.text == bar.text.value
    assert bar.text.layout.display is None
    assert sent == [{"ready": True}]
    for copied, said in ((True, export.COPIED), (False, export.BY_HAND)):
        bar.copy._handle_custom_msg({"copied": copied}, [])
        assert said in bar.news.value


def test_the_button_in_the_browser_asks_the_bar(bar):
    bar.copy._handle_custom_msg({"pressed": True}, [])
    assert bar.wait(30)
    assert bar.text.value


def test_the_report_lies_beside_the_other_files(make, monkeypatch, tmp_path):
    written = []
    monkeypatch.setattr("ptycho_nb.write_report", lambda path, *about, **more: (written.append((path, about, more)), path)[1])
    (tmp_path / "folder").mkdir()
    bar = make(python="result = refine(scan)")
    bar.name.value = "folder/mine.png"
    said = press(bar, "report")
    (path, about, more), *_ = written
    assert path == tmp_path / "folder" / "tiny_iterative_report.html"
    assert str(path) in said
    assert about[:2] == (RESULT, SCAN)
    assert more["python"] == "result = refine(scan)"


def test_no_subject_is_a_sentence():
    def none() -> Subject:
        raise InputError("No object yet: reconstruct one first.")

    bar = ExportBar(none)
    try:
        assert "No object yet" in bar.news.value
        assert bar.name.value == ""
        assert "No object yet" in press(bar, "save")
        assert files() == []
    finally:
        bar.close()


def test_one_thing_is_written_at_a_time_and_the_buttons_say_so(make, monkeypatch):
    gate, calls = threading.Event(), []

    def slow(path, *_, **__):
        calls.append(path)
        gate.wait(10)
        return path

    bar = make()
    monkeypatch.setattr(export, "save_picture", slow)
    for _ in range(50):
        bar.save.click()
    end = time.monotonic() + 10
    while not calls and time.monotonic() < end:
        time.sleep(0.01)
    assert bar.busy
    assert bar.save.disabled
    assert bar.copy.disabled
    assert export.WORKING in bar.news.value
    gate.set()
    assert bar.wait(10)
    assert len(calls) == 1
    assert not bar.save.disabled


def test_what_goes_wrong_is_one_sentence_and_save_works_again(bar, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(export, "save_picture", lambda *_, **__: 1 / 0)
        assert "ZeroDivisionError" in press(bar, "save")
    assert bar.news.value == ""
    assert "Saved" in press(bar, "save")
    assert bar.problem.value == ""


def test_every_control_has_a_name_and_a_tooltip(bar):
    for control in (bar.what, bar.format, bar.width, bar.dpi, bar.name, bar.save, bar.copy, bar.report):
        assert control.description
        assert control.tooltip
    assert bar.text.description
    assert repr(bar) == "<ExportBar: Amplitude and phase as PNG>"
