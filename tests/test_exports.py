"""Exports measured: widths, dots, fonts, values; and no input is ever overwritten."""

from __future__ import annotations

import io
import re
from typing import NamedTuple

import matplotlib
import numpy as np
import pytest
import tifffile
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.transforms import Bbox
from PIL import Image
from tiny_scan import landscape, tiny_scan

from ptycho_nb.config import ViewConfig
from ptycho_nb.errors import InputError
from ptycho_nb.exports import proposed_name, save_arrays, save_picture, save_tiff
from ptycho_nb.figures import printed, printed_image
from ptycho_nb.files import write_atomic
from ptycho_nb.history import State
from ptycho_nb.result import Reconstruction
from ptycho_nb.views import view

SCAN = tiny_scan(N=32)
NASTY = [
    "<img src=x onerror=alert(1)>",
    "../../etc/passwd",
    "a\x00b\nc",
    "CON",
    "x" * 300,
    "走" * 100,
    "",
    ".",
    "a/b\\c:d*?",
    "$\\frac{",
    "nul.txt",
]


@pytest.fixture
def result():
    """An oblong object, dark at its rim, without a run."""
    coverage = np.zeros(SCAN.truth.shape, np.float32)
    coverage[6:-6, 4:-8] = 1
    coverage[6, 4] = 0
    return Reconstruction(SCAN.truth, coverage, SCAN.probe, SCAN.positions, (0, 0), 1.25e-8, "Iterative", State.DONE, name="sample 3")


@pytest.fixture
def shown(result):
    return view(result)


def wrapped(shape: tuple[int, int] = (60, 100)) -> Reconstruction:
    """The phase of its left half either side of π from pixel to pixel; its right half bright, at phase 0."""
    rows, columns = np.indices(shape)
    left = columns < shape[1] // 2
    phase = np.where(left, np.where((rows + columns) % 2, 3.1, -3.1), 0)
    object = np.where(left, 1, 3) * np.exp(1j * phase)
    light = np.ones(object.shape, np.float32)
    positions = (SCAN.positions - SCAN.positions.min(0)) / np.ptp(SCAN.positions, axis=0) * np.subtract(shape, 1)
    return Reconstruction(object.astype(np.complex64), light, SCAN.probe, positions, (0, 0), None, "Iterative", State.DONE)


class Word(NamedTuple):
    """A text as it was drawn: size [pt] and box [px], y downwards."""

    text: str
    size: float
    box: Bbox


@pytest.fixture
def words(monkeypatch):
    """The texts that drawing a picture draws."""

    def drawn(picture) -> list[Word]:
        found = []

        def note(renderer, gc, x, y, s, prop, angle, ismath=False, mtext=None):
            w, h, d = renderer.get_text_width_height_descent(s, prop, ismath)
            found.append(Word(s, prop.get_size_in_points(), Bbox([[x, y - h + d], [x + w, y + d]])))

        with monkeypatch.context() as patch:
            patch.setattr(RendererAgg, "draw_text", note)
            picture.png(200)
        return found

    return drawn


@pytest.mark.parametrize(
    ("what", "width", "dpi"), [("pair", 85, 300), ("pair", 170, 600), ("amplitude", 85, 600), ("phase", 170, 300), ("phase_image", 85, 300)]
)
def test_a_png_has_the_width_asked_for_to_the_dot_and_says_its_dpi(tmp_path, shown, what, width, dpi):
    path = save_picture(tmp_path / "a.png", shown, what, width=width, dpi=dpi)
    assert path.is_absolute()
    with Image.open(path) as image:
        assert image.width == round(width / 25.4 * dpi)
        assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.01)


@pytest.mark.parametrize(("what", "width"), [("pair", 85), ("pair", 170), ("phase", 85), ("amplitude_image", 170)])
def test_a_pdf_has_the_width_asked_for_in_points(tmp_path, shown, what, width):
    data = save_picture(tmp_path / "a.pdf", shown, what, width=width).read_bytes()
    left, _, right, _ = (float(n) for n in re.search(rb"/MediaBox \[([^]]*)\]", data)[1].split())
    assert right - left == pytest.approx(width / 25.4 * 72, abs=0.01)


def test_the_fonts_of_a_pdf_are_inside_as_truetype(tmp_path, shown):
    data = save_picture(tmp_path / "a.pdf", shown).read_bytes()
    assert b"/FontFile2" in data
    assert b"/Type3" not in data


@pytest.mark.parametrize("width", [85, 170])
@pytest.mark.parametrize("parts", [(), ("phase",)])
def test_print_is_in_7_points_inside_the_picture_and_nothing_overlaps(words, shown, width, parts):
    picture = printed(shown, *parts, width=width)
    found = words(picture)
    right, bottom = 200 * picture.get_size_inches()
    assert {word.size for word in found} == {7.0}
    assert [w for w in found if not (w.box.x0 >= 0 and w.box.x1 <= right and w.box.y0 >= 0 and w.box.y1 <= bottom)] == []
    assert [(a.text, b.text) for i, a in enumerate(found) for b in found[:i] if a.box.overlaps(b.box)] == []


def test_print_says_amplitude_phase_in_rad_and_a_length(words, shown, result):
    said = [word.text for word in words(printed(shown))]
    assert "Amplitude" in said
    assert "Phase [rad]" in said
    assert sum(text.endswith("nm") for text in said) == 2
    assert len([text for text in said if text[-1].isdigit()]) >= 6
    assert any(word.text.endswith("px") for word in words(printed(view(result.replace(pixel_size=None)))))
    assert "Phase [rad]" not in [word.text for word in words(printed(shown, "amplitude"))]


def test_a_phase_that_wraps_has_a_bar_in_pi(words):
    assert {"−π", "0", "π"} <= {word.text for word in words(printed(view(wrapped())))}


def test_an_image_alone_is_its_pixels_and_nothing_else(tmp_path, words, result):
    shown = view(result, ViewConfig(amplitude_map="viridis"))
    assert words(printed_image(shown, "amplitude")) == []
    path = save_picture(tmp_path / "a.png", shown, "amplitude_image", dpi=600)
    with Image.open(path) as image:
        drawn = np.asarray(image.convert("RGB"))
    low, high = shown.amplitude_limits
    rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in zip(drawn.shape[:2], shown.shape, strict=True))
    middle = (np.abs(rows % 1 - 0.5) < 0.2)[:, None] & (np.abs(columns % 1 - 0.5) < 0.2)
    values = shown.amplitude[rows.astype(int)[:, None], columns.astype(int)]
    expected = 255 * matplotlib.colormaps["viridis"]((np.clip(values, low, high) - low) / (high - low))[..., :3]
    assert np.abs(drawn - expected)[middle & np.isfinite(values)].max() < 4


@pytest.mark.parametrize("shape", [(600, 1000), (60, 100)], ids=["finer", "nearly as fine"])
def test_a_phase_that_wraps_is_averaged_as_colours(shape):
    """Between π and -π lies π, drawn bright, and not 0, drawn dark."""
    picture = printed_image(view(wrapped(shape)), "phase", width=30)
    with Image.open(io.BytesIO(picture.png(100))) as image:
        drawn = np.asarray(image.convert("L"), dtype=float)
    bright = 255 * np.mean(matplotlib.colormaps["twilight"](0.0)[:3])
    assert np.abs(drawn - bright)[5:-5, 5 : drawn.shape[1] // 2 - 5].max() < 15


def test_a_tall_object_keeps_the_width_and_fits_a_page(result):
    tall = result.replace(object=landscape(*np.mgrid[:900, :40]).astype(np.complex64), coverage=np.ones((900, 40), np.float32))
    picture = printed(view(tall), width=85)
    assert picture.get_size_inches()[0] * 25.4 == pytest.approx(85)
    assert picture.get_size_inches()[1] * 25.4 < 240


def test_export_leaves_matplotlib_s_settings(tmp_path, shown):
    before = dict(matplotlib.rcParams)
    save_picture(tmp_path / "a.pdf", shown)
    assert dict(matplotlib.rcParams) == before


def test_a_tiff_holds_the_values_as_floats_with_the_pixel_size(tmp_path, shown):
    path = save_tiff(tmp_path / "a.tif", shown)
    with tifffile.TiffFile(path) as file:
        stack, about, tags = file.asarray(), file.imagej_metadata, file.pages[0].tags
    assert stack.dtype == np.float32
    np.testing.assert_array_equal(stack, [shown.amplitude, shown.phase])
    assert np.isnan(stack).any()
    assert about["unit"] == "um"
    assert about["Labels"] == ["amplitude", "phase [rad]"]
    for tag in ("XResolution", "YResolution"):
        pixels, um = tags[tag].value
        assert um / pixels == pytest.approx(shown.pixel_size * 1e6)
    assert "ptycho_nb" in tags["Software"].value


def test_a_tiff_of_one_part_opens_at_the_limits_of_the_view(tmp_path, shown):
    with tifffile.TiffFile(save_tiff(tmp_path / "a.tif", shown, "phase")) as file:
        np.testing.assert_array_equal(file.asarray(), shown.phase)
        assert (file.imagej_metadata["min"], file.imagej_metadata["max"]) == pytest.approx(shown.phase_limits)


def test_a_tiff_states_no_size_that_is_not_known(tmp_path, result):
    with tifffile.TiffFile(save_tiff(tmp_path / "a.tif", view(result.replace(pixel_size=None)))) as file:
        assert "unit" not in file.imagej_metadata
        assert file.pages[0].tags["XResolution"].value == (1, 1)


@pytest.mark.parametrize("ending", [".npz", ".h5"])
def test_arrays_come_back_to_the_bit(tmp_path, result, ending):
    path = save_arrays(tmp_path / f"a{ending}", result)
    assert path.is_absolute()
    np.testing.assert_array_equal(Reconstruction.load(path).object, result.object)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("scan.png", lambda path, result: save_picture(path, view(result), inputs=[path])),
        ("scan.pdf", lambda path, result: save_picture(path, view(result), inputs=[path])),
        ("scan.tif", lambda path, result: save_tiff(path, view(result), inputs=[path])),
        ("scan.npz", lambda path, result: save_arrays(path, result, inputs=[path])),
    ],
)
def test_an_input_is_never_overwritten(tmp_path, result, name, save):
    path = tmp_path / name
    path.write_bytes(b"measured")
    with pytest.raises(InputError, match="never overwritten"):
        save(path, result)
    assert path.read_bytes() == b"measured"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("what", ["pair", "result"])
@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_the_name_proposed_for_any_scan_can_be_written(tmp_path, result, name, what):
    proposed = proposed_name(result.replace(name=name), what, ".png")
    assert proposed.endswith(f"_iterative_{what}.png")
    write_atomic(tmp_path / proposed, lambda stream: stream.write(b"."))
    assert [p.name for p in tmp_path.iterdir()] == [proposed]


def test_the_name_proposed_tells_scan_method_and_content(result):
    assert proposed_name(result, "phase", ".pdf") == "sample_3_iterative_phase.pdf"
    assert proposed_name(result.replace(method="Network, then iterative"), "pair", ".tif") == "sample_3_network_then_iterative_pair.tif"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda f, v: save_picture(f / "a.jpg", v), "a.jpg must be named *.png or *.pdf"),
        (lambda f, v: save_tiff(f / "a.png", v), "a.png must be named *.tif or *.tiff"),
        (lambda f, v: save_tiff(f / "a.tif", v, "phases"), "phases"),
        (lambda f, v: save_picture(f / "a.png", v, "phases"), "phases"),
        (lambda f, v: save_picture(f / "a.png", v, "result"), "result"),
        (lambda f, v: save_picture(f / "a.png", v, width=5), "5 mm wide"),
        (lambda f, v: save_picture(f / "no" / "a.png", v), "There is no folder"),
    ],
)
def test_what_cannot_be_written_is_one_sentence_and_no_file(tmp_path, shown, wrong, said):
    with pytest.raises(InputError) as error:
        wrong(tmp_path, shown)
    assert said in str(error.value)
    assert len(str(error.value)) <= 170
    assert list(tmp_path.iterdir()) == []
