"""Metrics: perfect for equals, blind to what ptychography cannot know, and equal to the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from ptycho_nb.errors import InputError
from ptycho_nb.metrics import (
    RingCorrelation,
    align,
    compare_objects,
    frc,
    half_bit,
    mae,
    ms_ssim,
    one_bit,
    overlap,
    probe_diameter,
    psnr,
    r_factor,
    ssim,
    step,
)
from ptycho_nb.metrics.registration import moved

REGION = (slice(20, 100), slice(24, 148))  # oblong, inside the canvas


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def truth(rng):
    """A smooth periodic object, amplitude about 0.5 to 1, phase about -1 to 1 rad."""
    amplitude, phase = (gaussian_filter(rng.normal(size=(128, 176)), 2.5, mode="wrap") for _ in range(2))
    return (0.75 + 0.08 * amplitude / amplitude.std()) * np.exp(0.4j * phase / phase.std())


@pytest.fixture
def images(rng):
    known = gaussian_filter(rng.normal(size=(192, 240)), 3)
    return known + 0.1 * known.std() * rng.normal(size=known.shape), known


def ramp_of(slope, shape):
    rows, columns = np.indices(shape)
    return np.exp(1j * (slope[0] * rows + slope[1] * columns))


def test_equal_images_are_perfect(images):
    known = images[1]
    assert mae(known, known) == 0
    assert psnr(known, known) == np.inf
    assert ssim(known, known) == pytest.approx(1)
    assert ms_ssim(known, known) == pytest.approx(1)


def test_equal_objects_are_perfect(truth):
    scores = compare_objects(truth, truth, REGION)
    assert scores.amplitude.ssim == pytest.approx(1, abs=1e-9)
    assert scores.phase.ms_ssim == pytest.approx(1, abs=1e-9)
    assert scores.phase.mae == pytest.approx(0, abs=1e-9)
    assert (scores.frc50, scores.half_period) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("gain", "slope", "shift"),
    [
        (np.exp(2.5j), (0, 0), (0, 0)),
        (37.0, (0, 0), (0, 0)),
        (1, (0.013, -0.06), (0, 0)),
        (1, (0, 0), (0.37, -0.71)),
        (1, (0, 0), (-5, 9)),
        (0.02 * np.exp(-1j), (-0.031, 0.004), (-2.25, 3.4)),
    ],
    ids=["phase", "scale", "ramp", "subpixel", "pixels", "all"],
)
def test_what_ptychography_cannot_know_changes_no_score(truth, gain, slope, shift):
    disguised = gain * moved(truth, shift) * ramp_of(slope, truth.shape)
    scores = compare_objects(disguised, truth, REGION)
    assert scores.amplitude.ssim > 0.9995
    assert scores.phase.ssim > 0.9995
    assert scores.phase.mae < 2e-3
    assert scores.frc50 == 0.5


def test_align_tells_what_it_removed(truth):
    disguised = 2j * moved(truth, (0.5, -1.25)) * ramp_of((0.02, -0.01), truth.shape)
    found = align(disguised, truth, REGION)
    np.testing.assert_allclose(found.shift, (-0.5, 1.25), atol=2e-3)
    np.testing.assert_allclose(found.ramp, (-0.02, 0.01), atol=1e-5)
    assert abs(found.gain) == pytest.approx(0.5, rel=1e-3)
    assert found.object.shape == found.truth.shape == (80, 124)


def test_align_takes_the_whole_canvas_without_a_region(truth):
    assert align(truth, truth).object.shape == truth.shape


def test_pixels_never_seen_do_not_spoil_the_alignment(truth):
    cut = np.zeros_like(truth)
    cut[REGION] = 3 * truth[REGION]
    assert compare_objects(cut, truth, REGION).phase.ssim > 0.9999


def test_a_worse_object_scores_worse(truth, rng):
    noise = rng.normal(size=truth.shape) + 1j * rng.normal(size=truth.shape)
    little, much = (compare_objects(truth + level * noise, truth, REGION) for level in (0.01, 0.1))
    for good, bad in ((little.amplitude, much.amplitude), (little.phase, much.phase)):
        assert good.mae < bad.mae
        assert good.psnr > bad.psnr
        assert good.ssim > bad.ssim
        assert good.ms_ssim > bad.ms_ssim
    assert little.frc50 > much.frc50
    assert much.half_period == pytest.approx(0.5 / much.frc50)


def test_a_phase_jump_of_two_pi_is_no_error(truth, rng):
    steep = np.abs(truth) * np.exp(6j * np.angle(truth))
    noisy = steep * np.exp(0.01j * rng.normal(size=truth.shape))
    jumps = np.abs(np.angle(noisy) - np.angle(steep))[REGION] > 6
    assert jumps.any()
    assert compare_objects(noisy, steep, REGION).phase.mae == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.1)


def test_a_constant_truth_has_no_range_to_score_by(truth):
    scores = compare_objects(truth / np.abs(truth), truth / np.abs(truth), REGION)
    assert np.isnan([scores.amplitude.psnr, scores.amplitude.ssim, scores.amplitude.ms_ssim]).all()
    assert scores.phase.ssim == pytest.approx(1, abs=1e-6)


def test_psnr_is_the_range_over_the_error():
    known = np.linspace(0, 3, 20 * 30).reshape(20, 30)
    assert psnr(known + 0.03, known) == pytest.approx(40)
    assert mae(known + 0.03, known) == pytest.approx(0.03)


def test_scores_of_images_do_not_depend_on_their_unit(images):
    image, known = images
    assert ssim(image, known) == pytest.approx(ssim(1e6 * image, 1e6 * known))
    assert psnr(image, known) == pytest.approx(psnr(1e6 * image, 1e6 * known))


def test_ms_ssim_equals_another_implementation(images):
    image, known = (torch.from_numpy(a)[None, None] for a in images)
    other = multiscale_structural_similarity_index_measure(image, known, data_range=float(np.ptp(images[1])))
    assert ms_ssim(*images) == pytest.approx(float(other), abs=2e-4)


def test_ms_ssim_of_small_images_uses_the_scales_that_fit(images):
    small = [a[:12, :40] for a in images]
    assert ms_ssim(*small) == pytest.approx(ssim(*small))


def test_equal_objects_correlate_on_every_ring(truth):
    rings = frc(truth, truth)
    np.testing.assert_allclose(rings.correlation, 1)
    for threshold in (0.5, half_bit, one_bit):
        assert rings.crossing(threshold) == 0.5
        assert rings.half_period(threshold) == 1


def test_noise_alone_correlates_on_no_ring(rng):
    rings = frc(rng.normal(size=(96, 128)), rng.normal(size=(96, 128)))
    assert rings.crossing(half_bit) < 0.05
    assert np.abs(rings.correlation[10:]).max() < 0.4


def test_rings_count_each_fourier_pixel_of_an_oblong_object(truth):
    rings = frc(truth, truth)
    f = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(176))
    assert rings.counts.sum() == (np.rint(128 * f) <= 64).sum()
    assert rings.frequency[-1] == 0.5
    assert rings.counts[32] == pytest.approx(2 * np.pi * 32 * 176 / 128, rel=0.02)


def test_crossing_finds_the_cut_of_a_low_pass(rng):
    """Two objects that share a band up to 0.2 cycles/px and nothing beyond it."""
    f = np.hypot(np.fft.fftfreq(160)[:, None], np.fft.fftfreq(240))
    common, a, b = (np.fft.fft2(rng.normal(size=f.shape)) for _ in range(3))
    first, second = (np.fft.ifft2(np.where(f < 0.2, common, own)) for own in (a, b))
    for threshold in (0.5, half_bit, one_bit):
        assert frc(first, second).crossing(threshold) == pytest.approx(0.2, abs=0.01)


def test_crossing_passes_over_the_slowest_rings():
    correlation = np.array([0.9, 0.1, 0.9, 0.8, 0.7, 0.3, 0.9])
    rings = RingCorrelation(np.arange(7) / 12, correlation, np.full(7, 100))
    assert rings.crossing(0.5) == pytest.approx(4.5 / 12)


def test_thresholds_have_the_values_of_their_formulas():
    assert half_bit(1) == pytest.approx(1)
    assert one_bit(1) == pytest.approx(1)
    assert half_bit(100) == pytest.approx(0.39812 / 1.29812)
    assert one_bit(100) == pytest.approx(0.74142 / 1.64142)
    assert half_bit(1e12) == pytest.approx(0.2071 / 1.2071, abs=1e-5)
    assert one_bit(1e12) == pytest.approx(1 / 3, abs=1e-5)


def test_thresholds_are_information_limits():
    """Half a bit and one bit: log2(1 + SNR) of the sum of both halves, FRC = SNR/(SNR + 1) of one half, many pixels."""
    for threshold, bits in ((half_bit, 0.5), (one_bit, 1.0)):
        half_snr = (2**bits - 1) / 2
        assert threshold(1e14) == pytest.approx(half_snr / (half_snr + 1), abs=1e-4)


def test_diameter_of_a_disk_holds_its_share_of_energy():
    rows, columns = np.indices((96, 96))
    disk = (np.hypot(rows - 44.5, columns - 51) < 20).astype(complex)
    assert probe_diameter(disk) == pytest.approx(2 * 20 * np.sqrt(0.9), abs=0.5)
    assert probe_diameter(disk, energy=0.5) == pytest.approx(2 * 20 * np.sqrt(0.5), abs=0.5)


def test_diameter_of_a_gaussian_holds_its_share_of_energy():
    rows, columns = np.indices((64, 64)) - 32
    modes = np.exp(-(rows**2 + columns**2) / (4 * 5.0**2))[None] * np.array([1, 0.5j])[:, None, None]
    assert probe_diameter(modes) == pytest.approx(2 * 5 * np.sqrt(2 * np.log(10)), abs=0.3)


def test_step_of_a_raster_is_the_raster_step():
    rows, columns = np.meshgrid(np.arange(7) * 6.0, np.arange(11) * 6.0, indexing="ij")
    raster = np.stack([rows.ravel(), columns.ravel()], 1)
    assert step(raster) == pytest.approx(6)
    assert step(np.concatenate([raster, raster])) == pytest.approx(6)


def test_step_of_an_irregular_scan_is_the_root_of_its_area_per_position(rng):
    places = rng.uniform(0, (300, 500), size=(1500, 2))
    assert step(places) == pytest.approx(np.sqrt(300 * 500 / 1500), rel=0.05)


def test_step_of_a_line_is_the_distance_of_neighbours():
    assert step(np.stack([np.arange(9) * 2.5, np.zeros(9)], 1)) == pytest.approx(2.5)


def test_overlap_is_one_less_the_step_over_the_diameter():
    rows, columns = np.indices((64, 64)) - 31.5
    disk = (np.hypot(rows, columns) < 10).astype(complex)
    raster = np.stack(np.meshgrid(np.arange(5) * 6.0, np.arange(6) * 6.0, indexing="ij"), -1).reshape(-1, 2)
    assert overlap(disk, raster) == pytest.approx(1 - 6 / (20 * np.sqrt(0.9)), abs=0.01)
    assert overlap(disk, 5 * raster) < 0


def test_r_factor_is_the_sum_of_amplitude_differences_over_the_sum_of_amplitudes(rng):
    measured = rng.poisson(100, (3, 8, 8)).astype(float)
    assert r_factor(measured, measured) == 0
    assert r_factor(1.21 * measured, measured) == pytest.approx(0.1)
    assert r_factor([[4.0, 0.0]], [[9.0, 1.0]]) == pytest.approx((1 + 1) / (3 + 1))


def test_r_factor_leaves_masked_pixels_out(rng):
    measured = rng.poisson(100, (3, 8, 8)).astype(float)
    mask = rng.random((8, 8)) > 0.2
    assert r_factor(np.where(mask, 1.21 * measured, 1e9), measured, mask) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: align(np.ones((32, 32)), np.ones((32, 33))), r"shapes \(32, 32\) and \(32, 33\)"),
        (lambda: align(np.full((32, 32), np.nan), np.ones((32, 32))), "NaN or infinite"),
        (lambda: align(np.zeros((32, 32)), np.ones((32, 32))), "zero all over"),
        (lambda: align(np.ones((32, 32)), np.ones((32, 32)), (slice(3, 9), slice(None))), "6 x 32 px"),
        (lambda: ssim(np.ones((9, 40)), np.ones((9, 40))), "at least 11 px"),
        (lambda: ssim(1j * np.ones((20, 40)), np.ones((20, 40))), "complex"),
        (lambda: mae(np.ones((2, 3)), np.ones((3, 2))), "one shape"),
        (lambda: frc(np.ones((8, 40)), np.ones((8, 40))), "at least 16 px"),
        (lambda: probe_diameter(np.zeros((8, 8))), "zero everywhere"),
        (lambda: step([[1.0, 2.0]]), "one place"),
        (lambda: r_factor(np.ones((2, 2)), np.zeros((2, 2))), "No photon"),
    ],
)
def test_bad_input_gets_one_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        call()
    assert len(str(caught.value)) <= 160
