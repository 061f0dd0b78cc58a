"""A scan at the door, and as another detector would have given it. The referee is plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from ptycho_nb.errors import InputError, ScanError
from ptycho_nb.scan import ATTRIBUTES, MARGIN, Canvas, Scan


def diffract(patches, probe):
    """Photons behind patches (M, N, N) of modes (P, N, N), by plain numpy."""
    axes = (-2, -1)
    waves = np.fft.ifftshift(patches[:, None] * probe, axes=axes)
    return np.fft.fftshift(np.abs(np.fft.fft2(waves, norm="ortho")) ** 2, axes=axes).sum(1)


def cut(truth, positions, N):
    """Patches of ``truth`` round whole positions."""
    return np.stack([truth[r - N // 2 : r + N // 2, c - N // 2 : c + N // 2] for r, c in np.round(positions).astype(int)])


def smooth(shape, rng, period=24.0):
    """A complex field without detail finer than ``period`` pixels."""
    f = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    noise = rng.normal(size=(2, *shape))
    field = np.fft.ifft2(np.fft.fft2(noise) * (f < 1 / period)).real
    field /= np.abs(field).max(axis=(1, 2), keepdims=True)
    return (0.8 + 0.15 * field[0]) * np.exp(0.8j * field[1])


def gaussian(N, width, photons=1e4, tilt=0.0):
    """A Gaussian beam with a quadratic phase."""
    y, x = np.mgrid[:N, :N] - N // 2
    beam = np.exp(-(x**2 + 1.3 * y**2) / (2 * width**2)) * np.exp(1j * (0.02 * (x**2 + y**2) + tilt * x))
    return beam * np.sqrt(photons / (np.abs(beam) ** 2).sum())


def a_scan(rng, N=48, step=4, shape=(120, 144), width=4.0, **more):
    """Noise-free patterns of an oblong object at positions that are multiples of ``step``."""
    truth = smooth(shape, rng)
    rows, cols = np.meshgrid(np.arange(30, shape[0] - 30, 2 * step), np.arange(30, shape[1] - 30, 2 * step), indexing="ij")
    positions = np.stack([rows.ravel(), cols.ravel()], 1).astype(float)
    probe = np.stack([gaussian(N, width), gaussian(N, width, 2e3, tilt=0.1)])
    return Scan(diffract(cut(truth, positions, N), probe), positions, probe, truth=truth, **more)


def explained(scan, probe=None):
    """Greatest misfit of truth and probe to the patterns, over the brightest pixel."""
    expected = diffract(cut(scan.truth, scan.positions, scan.N), scan.probe if probe is None else probe)
    return np.abs(expected - scan.intensity).max() / scan.intensity.max()


def test_a_scan_is_the_same_where_every_attribute_is(rng):
    scan = a_scan(rng, pixel_size=2e-9, notes=("read",), metadata={"run": {"dark": np.zeros(3)}})
    assert scan.same(scan.replace(intensity=scan.intensity.copy(), metadata={"run": {"dark": np.zeros(3)}}))
    others = {
        "intensity": scan.intensity + 1,
        "positions": scan.positions + 1,
        "probe": scan.probe[:1],
        "truth": None,
        "true_probe": scan.probe,
        "true_positions": scan.positions,
        "mask": np.eye(48) == 0,
        "pixel_size": 1e-9,
        "name": "other",
        "notes": (),
        "metadata": {"run": {"dark": np.ones(3)}},
    }
    assert set(others) == set(ATTRIBUTES)
    assert not any(scan.same(scan.replace(**{name: value})) for name, value in others.items())


def test_the_simulated_scan_explains_itself(rng):
    assert explained(a_scan(rng)) < 1e-5


@pytest.mark.parametrize("crop", [24, 16])
def test_crop_keeps_truth_and_probe_in_agreement_with_the_patterns(rng, crop):
    scan = a_scan(rng, step=6, pixel_size=2e-9)
    cropped = scan.on_detector(crop=crop)
    assert crop == cropped.N
    assert cropped.pixel_size == pytest.approx(2e-9 * 48 / crop)
    np.testing.assert_allclose(cropped.positions, scan.positions * crop / 48)
    assert explained(cropped) < 0.01
    assert explained(cropped, probe=np.roll(cropped.probe, 1, axis=-1)) > 0.02  # the referee can tell


def test_a_cropped_probe_carries_the_photons_that_land_on_the_window(rng):
    scan = a_scan(rng, width=1.5)
    kept = scan.on_detector(crop=16)
    empty = diffract(np.ones((1, 48, 48)), scan.probe)[0, 16:32, 16:32]
    assert np.abs(kept.probe**2).sum() == pytest.approx(empty.sum(), rel=1e-5)
    np.testing.assert_allclose(diffract(np.ones((1, 16, 16)), kept.probe)[0], empty, rtol=1e-3, atol=1e-5 * empty.max())


def test_crop_keeps_each_position_on_its_place_of_an_oblong_truth(rng):
    scan = a_scan(rng, shape=(121, 150))
    small = scan.on_detector(crop=32)
    rows, cols = np.arange(0, 121, 3), np.arange(0, 150, 3)
    middle = np.s_[4:-4, 4:-4]
    np.testing.assert_allclose(small.truth[np.ix_(rows // 3 * 2, cols // 3 * 2)][middle], scan.truth[np.ix_(rows, cols)][middle], atol=5e-3)
    assert (small.positions <= np.array(small.truth.shape) - 1).all()


@pytest.mark.parametrize(("factor", "tolerance"), [(2, 0.03), (3, 0.06)])  # a bin blurs by what the beam's width makes of it
def test_bin_keeps_the_object_pixel_and_narrows_the_probe(rng, factor, tolerance):
    scan = a_scan(rng, width=1.6, pixel_size=3e-9)
    binned = scan.on_detector(bin=factor)
    assert (binned.N, binned.pixel_size) == (48 // factor, 3e-9)
    np.testing.assert_array_equal(binned.positions, scan.positions)
    np.testing.assert_allclose(binned.truth, scan.truth)
    np.testing.assert_allclose(binned.intensity.sum((1, 2)), scan.intensity.sum((1, 2)), rtol=1e-5)
    assert explained(binned) < tolerance
    inner = slice(24 - 24 // factor, 24 + 24 // factor)
    assert explained(binned, probe=scan.probe[:, inner, inner]) > 1.5 * explained(binned)  # without the bins' half-pixel ramp


def test_crop_and_bin_together_change_the_true_probe_and_true_positions_alike(rng):
    scan = a_scan(rng)
    scan = scan.replace(true_probe=scan.probe, true_positions=scan.positions + 0.5)
    both = scan.on_detector(crop=32, bin=2)
    assert both.N == 16
    np.testing.assert_array_equal(both.true_probe, both.probe)
    np.testing.assert_allclose(both.true_positions, (scan.positions + 0.5) * 32 / 48)


def test_center_moves_the_beam_to_the_middle_and_masks_what_was_not_measured(rng):
    scan = a_scan(rng)
    rolled = np.zeros_like(scan.intensity)
    rolled[:, 3:, :-2] = scan.intensity[:, :-3, 2:]
    centred = scan.replace(intensity=rolled).on_detector(center=(24 + 3, 24 - 2))
    np.testing.assert_array_equal(centred.mask[:, :2], False)
    np.testing.assert_array_equal(centred.mask[-3:], False)
    assert centred.mask.sum() == 45 * 46
    np.testing.assert_array_equal(centred.intensity[:, :45, 2:], scan.intensity[:, :45, 2:])


def test_a_bin_with_one_bad_pixel_is_masked(rng):
    mask = np.ones((48, 48), bool)
    mask[5, 7] = False
    binned = a_scan(rng).on_detector(bin=2, mask=mask)
    assert not binned.mask[2, 3]
    assert binned.mask.sum() == 24 * 24 - 1


def test_keeping_the_whole_detector_changes_nothing(rng):
    scan = a_scan(rng)
    same = scan.on_detector(crop=48, bin=1, center=(24, 24))
    np.testing.assert_array_equal(same.intensity, scan.intensity)
    np.testing.assert_array_equal(same.probe, scan.probe)
    np.testing.assert_array_equal(same.truth, scan.truth)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"crop": 50}, "does not fit"),
        ({"crop": 21}, "even"),
        ({"crop": 24, "bin": 4}, "at least 8"),
        ({"crop": 24.0}, "whole number"),
        ({"crop": True}, "whole number"),
        ({"bin": 0}, "at least 1"),
        ({"bin": 5}, "does not fit"),
        ({"center": (24, 60)}, "center"),
        ({"center": (np.nan, 3)}, "center"),
        ({"center": 24}, "center"),
        ({"center": "middle"}, "center"),
        ({"mask": np.zeros((48, 48), bool)}, "no detector pixel"),
        ({"mask": np.ones((48, 48))}, "boolean"),
        ({"mask": np.ones((20, 48), bool)}, "boolean"),
    ],
)
def test_a_window_that_cannot_be_gets_one_sentence(rng, window, words):
    with pytest.raises(ScanError, match=words) as caught:
        a_scan(rng).on_detector(**window)
    assert len(str(caught.value)) <= 160


def faulty(rng, **changes):
    patterns = rng.poisson(5.0, (9, 8, 8)).astype(np.float32)
    positions = rng.uniform(10, 20, (9, 2))
    return Scan(**{"intensity": patterns, "positions": positions, "probe": np.ones((8, 8)), **changes})


def with_value(rng, value, shape=(9, 8, 8)):
    array = rng.poisson(5.0, shape).astype(float)
    array[3, 1, 1] = value
    return array


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda rng: {"intensity": with_value(rng, np.nan)}, "1 of 9 patterns, first 3"),
        (lambda rng: {"intensity": with_value(rng, np.inf)}, "infinite"),
        (lambda rng: {"intensity": with_value(rng, -1)}, "negative"),
        (lambda rng: {"intensity": np.ones((9, 8, 8), complex)}, "complex"),
        (lambda rng: {"intensity": np.zeros((9, 8, 8))}, "zero"),
        (lambda rng: {"intensity": np.ones((9, 8, 10))}, "square"),
        (lambda rng: {"intensity": np.ones((9, 9, 9))}, "even"),
        (lambda rng: {"intensity": np.ones((9, 4, 4))}, "at least 8"),
        (lambda rng: {"intensity": np.ones((8, 8))}, "M, N, N"),
        (lambda rng: {"intensity": np.ones((0, 8, 8))}, "no pattern"),
        (lambda rng: {"intensity": np.full((9, 8, 8), "a")}, "real numbers"),
        (lambda rng: {"positions": np.ones((8, 2))}, "9 patterns but 8 positions"),
        (lambda rng: {"positions": np.ones((9, 3))}, "row and column"),
        (lambda rng: {"positions": np.full((9, 2), np.nan)}, "finite"),
        (lambda rng: {"positions": np.ones((9, 2))}, "same"),
        (lambda rng: {"positions": rng.uniform(0, 1e-5, (9, 2))}, "metres"),
        (lambda rng: {"positions": rng.uniform(0, 1e9, (9, 2))}, "position_unit"),
        (lambda rng: {"positions": rng.uniform(0, 9e4, (9, 2))}, "9 patterns of 8 px can cover"),
        (lambda rng: {"mask": np.zeros((8, 8), bool)}, "leaves no detector pixel"),
        (lambda rng: {"mask": np.eye(8, dtype=bool), "intensity": np.tile(1.0 - np.eye(8), (9, 1, 1))}, "where the mask says True"),
        (lambda rng: {"probe": np.ones((6, 6))}, "like the patterns"),
        (lambda rng: {"probe": np.zeros((8, 8))}, "zero everywhere"),
        (lambda rng: {"probe": np.full((8, 8), np.inf)}, "infinite"),
        (lambda rng: {"truth": np.ones((12, 40))}, "swapped"),
        (lambda rng: {"intensity": np.full((9, 8, 8), 3e38)}, "no detector counts"),
        (lambda rng: {"pixel_size": 1e-300}, "1e-15 to 1 m"),
        (lambda rng: {"pixel_size": -1.0}, "positive"),
        (lambda rng: {"pixel_size": np.nan}, "positive"),
    ],
)
def test_each_fault_of_the_data_gets_its_sentence(rng, make, words):
    with pytest.raises(ScanError, match=words) as caught:
        faulty(rng, **make(rng))
    assert len(str(caught.value)) <= 160


def test_the_canvas_holds_every_patch_and_the_whole_truth(rng):
    scan = faulty(rng)
    (row, col), (H, W) = scan.canvas
    assert (scan.positions - 4 - MARGIN >= (row, col)).all()
    assert (scan.positions + 4 + MARGIN <= (row + H, col + W)).all()
    assert scan.replace(truth=np.ones((30, 40))).canvas == ((0, 0), (30, 40))
    close = scan.replace(positions=scan.positions - scan.positions.min(0), truth=np.ones((21, 40)))
    assert close.canvas == ((-4, -4), (4 + max(21, int(np.ceil(close.positions.max(0)[0])) + 4), 44))


def test_the_truth_lies_on_a_wider_canvas_where_its_positions_lie(rng):
    truth = rng.normal(size=(30, 40)).astype(np.complex64)
    scan = faulty(rng, truth=truth)
    found = scan.truth_on(Canvas((-3, 5), (40, 30)))
    np.testing.assert_array_equal(found[3:33], truth[:, 5:35])
    assert (found[[0, 1, 2, 33, 39]] == 1).all()
    with pytest.raises(InputError, match="lies elsewhere"):
        scan.truth_on(Canvas((-30, -40), (30, 40)))
    with pytest.raises(InputError, match="no known object"):
        faulty(rng).truth_on(scan.canvas)


def test_select_takes_patterns_with_their_positions(rng):
    scan = faulty(rng, true_positions=rng.uniform(10, 20, (9, 2)))
    some = scan.select([4, 2])
    np.testing.assert_array_equal(some.intensity, scan.intensity[[4, 2]])
    np.testing.assert_array_equal(some.true_positions, scan.true_positions[[4, 2]])
    assert scan.select(np.arange(9) < 5).M == 5


def test_the_middle_pattern_was_measured_nearest_to_the_middle_of_the_field(rng):
    scan = a_scan(rng)
    order = rng.permutation(scan.M)
    shuffled = scan.select(order)
    assert order[shuffled.middle] == scan.middle
    low, high = scan.positions.min(0), scan.positions.max(0)
    away = np.linalg.norm(scan.positions - (low + high) / 2, axis=1)
    assert away[scan.middle] == away.min() < away[0]
