"""Pictures: they show, save whole, say what they show with units, and take foreign names as they are."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from scipy.ndimage import gaussian_filter

from ptycho_nb import figures
from ptycho_nb.errors import InputError
from ptycho_nb.figures import colours, picture
from ptycho_nb.history import History, State
from ptycho_nb.metrics import frc
from ptycho_nb.quantities import count
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

N = 16
NASTY = r"$\frac{ <script>alert(1)</script> {{}} 走 " + "\x00\n" + "x" * 300


@pytest.fixture
def truth(rng):
    """An oblong object, phase within about ±1 rad."""
    amplitude, phase = (gaussian_filter(rng.normal(size=(56, 72)), 1.5) for _ in range(2))
    return ((0.75 + 0.1 * amplitude / amplitude.std()) * np.exp(0.4j * phase / phase.std())).astype(np.complex64)


@pytest.fixture
def scan(truth, rng):
    rows, columns = np.meshgrid(np.arange(10.0, 48, 4), np.arange(10.0, 64, 4), indexing="ij")
    distance = np.hypot(*(np.indices((N, N)) - N // 2))
    probe = 40 * np.exp(-(distance**2) / 30 + 0.1j * distance**2)
    photons = rng.poisson(50, (rows.size, N, N)).astype(float)
    mask = np.ones((N, N), bool)
    mask[7:9, 7:9] = False
    return Scan(photons, np.stack([rows.ravel(), columns.ravel()], 1), probe, truth=truth, mask=mask, pixel_size=2e-8, name="sample")


@pytest.fixture
def history():
    record = History()
    for value in (1.0, 0.5, 0.25):
        for _ in range(4):
            record.record_step("train_loss", value)
        record.record_epoch(train_loss=value, val_loss=1.2 * value)
    return record


@pytest.fixture
def reconstruction(scan, truth, history):
    coverage = np.zeros(truth.shape, np.float32)
    coverage[4:52, 6:70] = 1
    found = (1j * truth).astype(np.complex64)
    return Reconstruction(found, coverage, scan.probe, scan.positions, (0, 0), 2e-8, "Iterative", State.DONE, history, 1.5, name="sample")


def every_picture(scan, reconstruction):
    """Each kind of picture there is."""
    return {
        "loss": figures.loss_curves(reconstruction.history),
        "object": figures.object_pair(reconstruction),
        "probe": figures.probe_picture(np.concatenate([scan.probe] * 5), scan.pixel_size, scan.name),
        "positions": figures.positions_picture(scan),
        "scan": figures.scan_picture(scan),
        "frc": figures.frc_curve(frc(scan.truth, scan.truth), pixel_size=scan.pixel_size, name=scan.name),
        "patterns": figures.patterns(scan, reconstruction, (0, 5)),
        "truth": figures.truth_comparison(reconstruction, scan),
        "comparison": figures.comparison({scan.name: reconstruction, "Network": reconstruction}),
        "comparison with truth": figures.comparison({scan.name: reconstruction}, truth=scan.truth),
    }


def words(drawn):
    """All text of a figure."""
    return [t.get_text() for t in drawn.findobj(Text) if t.get_text()]


def test_every_picture_shows_and_has_units_on_its_scales(scan, reconstruction):
    for name, drawn in every_picture(scan, reconstruction).items():
        assert drawn._repr_png_().startswith(b"\x89PNG"), name
        assert any("[" in w and "]" in w for w in words(drawn)) or name == "loss", name  # a loss has no unit
        assert "sample" in repr(drawn) or name == "loss"
        for axes in drawn.axes:
            if axes.get_xticks().size and axes.get_xlabel():
                assert "[" in axes.get_xlabel() or axes.get_xlabel() == "epoch", name


def test_foreign_names_are_drawn_as_they_stand(scan, reconstruction, recwarn):
    object.__setattr__(reconstruction, "method", NASTY)
    object.__setattr__(reconstruction, "name", NASTY)
    pictures = every_picture(scan.replace(name=NASTY), reconstruction)
    for name, drawn in pictures.items():
        drawn._repr_png_()
        for text in drawn.findobj(Text):
            assert "$" not in text.get_text() or not text.get_parse_math() or r"\mathdefault" in text.get_text(), name
            assert "\x00" not in text.get_text()
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


def test_plain_text_is_one_short_line_of_known_letters():
    assert picture.plain("a\n\tb\x00c 走 µ") == "a b?c ? µ"
    assert len(picture.plain("y" * 300)) == 60


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")])
def test_a_picture_saves_in_the_format_of_its_name(tmp_path, history, suffix, start):
    path = tmp_path / f"loss{suffix}"
    figures.loss_curves(history).save(path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_is_never_saved_over_an_input_or_in_an_unknown_format(tmp_path, history):
    path = tmp_path / "scan.png"
    path.write_bytes(b"measured")
    drawn = figures.loss_curves(history)
    with pytest.raises(InputError, match=r"scan\.png"):
        drawn.save(path, inputs=(path,))
    assert path.read_bytes() == b"measured"
    with pytest.raises(InputError, match="'pgn'; allowed: png, pdf, svg"):
        drawn.save(tmp_path / "loss.pgn")
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_can_be_drawn_by_several_threads_at_once(scan, reconstruction):
    shown, failed = [], []

    def draw():
        try:
            shown.append(figures.object_pair(reconstruction)._repr_png_())
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(set(shown)) == 1


def test_the_object_is_cut_to_its_coverage_without_its_mean_phase(reconstruction):
    amplitude, phase = (axes.images[0].get_array() for axes in figures.object_pair(reconstruction).axes[:2])
    assert amplitude.shape == phase.shape == (48, 64)
    assert abs(np.angle(np.exp(1j * phase[6:42, 4:58]).sum())) < 0.1


def test_what_was_never_covered_is_not_drawn(reconstruction):
    reconstruction.coverage[4:10, 6:10] = 0
    drawn = figures.object_pair(reconstruction).axes[0].images[0].get_array()
    assert drawn.mask[:6, :4].all()
    assert not drawn.mask[6:].any()


def test_one_stray_pixel_does_not_take_the_contrast(reconstruction):
    before = figures.object_pair(reconstruction).axes[0].images[0].norm.vmax
    reconstruction.object[30, 30] = 1000
    assert figures.object_pair(reconstruction).axes[0].images[0].norm.vmax == pytest.approx(before, rel=0.2)


def test_a_small_phase_is_symmetric_and_a_wrapped_one_is_a_circle(rng):
    cmap, norm, ticks = colours.phase_scale(rng.uniform(-0.3, 0.2, (40, 50)))
    assert (cmap, ticks) == ("RdBu_r", None)
    assert norm.vmax == -norm.vmin == pytest.approx(0.3, rel=0.01)
    cmap, norm, ticks = colours.phase_scale(rng.uniform(-np.pi, np.pi, (40, 50)))
    assert cmap == "twilight"
    assert (norm.vmin, norm.vmax) == (-np.pi, np.pi)
    assert ticks[np.pi] == "π"


def test_a_constant_image_still_has_limits():
    for value in (0.0, 1.0, -3.0):
        norm = colours.limits(np.full((5, 7), value))
        assert norm.vmin < value < norm.vmax
    assert colours.symmetric(np.zeros((5, 7))).vmax > 0
    assert colours.photon_scale(np.zeros((5, 7))).vmin > 0


def test_domain_colours_hold_amplitude_in_brightness_and_phase_in_hue():
    phases = np.linspace(-np.pi, np.pi, 9)[:-1]
    full, half = (colours.domain_colours(size * np.exp(1j * phases)[None], brightest=1.0) for size in (1.0, 0.5))
    np.testing.assert_allclose(half, full / 2)
    distances = np.linalg.norm(full[0][:, None] - full[0], axis=-1) + 10 * np.eye(8)
    assert distances.min() > 0.1
    assert not colours.domain_colours(np.zeros((1, 1))).any()


def test_opposite_phases_differ_for_eyes_blind_to_red_and_green():
    """Deuteranopia as the projection of Viénot, Brettel & Mollon, Color Res. Appl. 24, 243 (1999), on linear light."""
    phases = np.linspace(-np.pi, np.pi, 12, endpoint=False)
    linear = colours.domain_colours(np.exp(1j * phases)[None], brightest=1.0)[0] ** 2.2
    seen = (linear @ np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]).T).clip(0) ** (1 / 2.2)
    opposite = np.linalg.norm(seen - np.roll(seen, 6, axis=0), axis=-1)
    assert opposite.min() > 0.1


def test_lines_of_a_plot_are_told_apart_without_colour(history):
    lines = [line for line in figures.loss_curves(history).axes[0].get_lines() if line.get_linewidth() > 1]
    assert len({line.get_linestyle() for line in lines}) == len(lines) == 2
    assert len({to_rgb(line.get_color()) for line in lines}) == 2


def test_a_loss_below_zero_is_drawn_on_a_linear_scale(history):
    assert figures.loss_curves(history).axes[0].get_yscale() == "log"
    history.record_epoch(train_loss=-0.1, val_loss=0.2)
    assert figures.loss_curves(history).axes[0].get_yscale() == "linear"


def test_the_ring_correlation_reads_off_its_crossing(rng):
    f = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(128))
    common, a, b = (np.fft.fft2(rng.normal(size=f.shape)) for _ in range(3))
    first, second = (np.fft.ifft2(np.where(f < 0.25, common, own)) for own in (a, b))
    (axes,) = figures.frc_curve(frc(first, second), pixel_size=1e-8, name="halves").axes
    assert "half-period 2.0" in axes.get_title() or "half-period 1.9" in axes.get_title()
    assert "nm" in axes.get_title()


def test_patterns_show_the_mask_and_the_noise_as_unit(scan, reconstruction):
    measured, predicted, left = (axes.images[0].get_array() for axes in figures.patterns(scan, reconstruction, 3).axes[:3])
    for shown in (measured, predicted, left):
        assert shown.mask[7:9, 7:9].all()
        assert shown.mask.sum() == 4
    np.testing.assert_allclose(left.compressed(), 2 * (np.sqrt(predicted) - np.sqrt(measured)).compressed(), rtol=1e-3, atol=1e-3)


def test_photons_of_a_masked_pixel_are_not_counted(scan):
    bad = scan.intensity.copy()
    bad[:, 0, 0] = 1e9
    mask = scan.mask.copy()
    mask[0, 0] = False
    masked = scan.replace(intensity=bad, mask=mask)
    seen = f"Pattern {scan.middle}, {count(scan.intensity[scan.middle][mask].sum())} photons"
    assert figures.scan_picture(masked).axes[1].get_title() == seen


def test_the_comparison_uses_one_scale_for_all(reconstruction, truth):
    drawn = figures.comparison({"one": reconstruction, "two": reconstruction}, truth=truth)
    for row in (drawn.axes[:3], drawn.axes[3:6]):
        assert len({(axes.images[0].norm.vmin, axes.images[0].norm.vmax) for axes in row}) == 1
    np.testing.assert_allclose(drawn.axes[0].images[0].get_array(), np.abs(truth[reconstruction.scanned]), atol=1e-4)


def test_the_light_of_a_scan_is_the_probes_at_their_places(scan):
    axes = figures.positions_picture(scan).axes[0]
    assert axes.images[0].get_array().sum() == pytest.approx(scan.M * np.square(np.abs(scan.probe)).sum(), rel=1e-5)
    assert axes.get_xlabel() == "column [µm]"
    assert figures.positions_picture(scan.replace(pixel_size=6e-11)).axes[0].get_xlabel() == "column [nm]"
    assert figures.positions_picture(scan.replace(pixel_size=None)).axes[0].get_xlabel() == "column [px]"


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda scan, r: figures.loss_curves(History()), "no completed epoch"),
        (lambda scan, r: figures.truth_comparison(r, scan.replace(truth=None)), "no known object"),
        (lambda scan, r: figures.patterns(scan, r, (0, scan.M)), "0 to"),
        (lambda scan, r: figures.patterns(scan, r, 0.5), "whole numbers"),
        (lambda scan, r: figures.comparison({}), "at least one"),
        (lambda scan, r: figures.frc_curve(frc(scan.truth, scan.truth), threshold="halfbit"), "half-bit"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_sentence(scan, reconstruction, draw, sentence):
    with pytest.raises(InputError, match=sentence):
        draw(scan, reconstruction)


def test_a_dark_pattern_is_drawn_without_a_misfit(scan, reconstruction):
    photons = scan.intensity.copy()
    photons[2] = 0
    dark = figures.patterns(scan.replace(intensity=photons), reconstruction, [2])
    assert [axes.get_title() for axes in dark.axes[:3]][2] == "Residual of a dark pattern"
