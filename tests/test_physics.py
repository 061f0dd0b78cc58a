"""The forward model against plain numpy and against what physics says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb.patches import take
from ptycho_nb.physics import diffract, expected_photons, far_field, intensity, near_field, root, shift, whole_and_rest


def waves(rng, *shape, dtype=np.complex128):
    """Complex white noise as a tensor."""
    return torch.from_numpy((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype))


def band_limited(rng, N, order=5):
    """Amplitudes and frequencies of a few plane waves far below Nyquist on an N-wide window."""
    k = rng.integers(-order, order + 1, (6, 2)) / N
    return rng.standard_normal(6) + 1j * rng.standard_normal(6), k


def plane_waves(amplitudes, k, rows, columns):
    """Their sum at any (row, col), whole or not."""
    return sum(a * np.exp(2j * np.pi * (u * rows + v * columns)) for a, (u, v) in zip(amplitudes, k, strict=True))


def smooth_object(shape):
    """A transmission without detail finer than 20 px, complex128 (H, W)."""
    r, c = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return (0.8 + 0.15 * np.sin(2 * np.pi * r / 37) * np.cos(2 * np.pi * c / 29)) * np.exp(0.7j * np.sin(2 * np.pi * (r / 41 + c / 23)))


def lens_probe(N, photons=1e4):
    """A round, slightly curved beam well inside its window, complex128 (1, N, N)."""
    axis = np.arange(N) - N // 2
    square = axis[:, None] ** 2 + axis**2
    probe = np.exp(-square / (2 * (N / 9) ** 2) + 0.02j * square)
    return torch.from_numpy(probe * np.sqrt(photons / np.sum(np.abs(probe) ** 2)))[None]


def numpy_photons(canvas, probe, positions):
    """Photons (B, N, N) by slices, phase ramps and numpy's FFT, pattern by pattern and mode by mode."""
    N = probe.shape[-1]
    k = np.fft.fftfreq(N)
    patterns = []
    for row, col in positions:
        top, left = round(row), round(col)
        patch = canvas[top - N // 2 : top - N // 2 + N, left - N // 2 : left - N // 2 + N]
        ramps = [np.exp(-2j * np.pi * k * s) for s in (row - top, col - left)]
        for ramp in ramps:
            ramp[N // 2] = ramp[N // 2].real
        total = np.zeros((N, N))
        for mode in probe:
            moved = np.fft.ifft2(np.fft.fft2(mode) * ramps[0][:, None] * ramps[1])
            total += np.abs(np.fft.fftshift(np.fft.fft2(patch * moved)) / N) ** 2
        patterns.append(total)
    return np.stack(patterns)


def test_near_field_is_the_inverse_of_far_field(rng):
    wave = waves(rng, 3, 12, 16)
    np.testing.assert_allclose(near_field(far_field(wave).numpy()), wave.numpy(), atol=1e-12)


def test_far_field_keeps_photons(rng):
    wave = waves(rng, 5, 16, 16)
    torch.testing.assert_close(intensity(far_field(wave)).sum((-2, -1)), intensity(wave).sum((-2, -1)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.complex128, 1e-6), (np.complex64, 1e-5)])
def test_far_field_is_numpy_s_transform(rng, dtype, tolerance):
    wave = waves(rng, 3, 16, 16, dtype=dtype)
    expected = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(wave.numpy(), axes=(-2, -1))), axes=(-2, -1)) / 16
    found = far_field(wave)
    assert found.dtype == wave.dtype
    np.testing.assert_allclose(found.numpy(), expected, atol=tolerance * np.abs(expected).max(), rtol=0)


def test_zero_frequency_is_at_the_centre():
    pattern = intensity(far_field(torch.ones(16, 16, dtype=torch.complex128)))
    assert np.unravel_index(int(pattern.argmax()), (16, 16)) == (8, 8)
    assert float(pattern[8, 8]) == pytest.approx(float(pattern.sum()))


def test_a_plane_wave_of_positive_frequency_lands_at_a_later_row(rng):
    rows = torch.arange(16, dtype=torch.float64)[:, None]
    wave = torch.exp(2j * torch.pi * 3 * rows / 16) * torch.ones(16, 16)
    assert np.unravel_index(int(intensity(far_field(wave)).argmax()), (16, 16)) == (11, 8)


def test_far_field_of_a_gaussian_is_the_gaussian_of_the_analytic_width():
    axis = torch.arange(32, dtype=torch.float64) - 16
    sigma = 2.5
    wave = torch.exp(-(axis[:, None] ** 2 + axis**2) / (2 * sigma**2)).to(torch.complex128)
    expected = 2 * torch.pi * sigma**2 / 32 * torch.exp(-2 * (torch.pi * sigma / 32) ** 2 * (axis[:, None] ** 2 + axis**2))
    torch.testing.assert_close(far_field(wave).real, expected, atol=1e-7, rtol=0)


def test_a_probe_of_n_photons_on_a_clear_object_gives_n_photons(rng):
    probe = waves(rng, 3, 16, 16)
    probe *= (5000 / intensity(probe).sum()).sqrt()
    photons = diffract(torch.ones(4, 16, 16, dtype=torch.complex128), probe)
    torch.testing.assert_close(photons.sum((-2, -1)), torch.full((4,), 5000.0, dtype=torch.float64))


def test_modes_add_in_intensity(rng):
    patches, probe = waves(rng, 4, 16, 16), waves(rng, 3, 16, 16)
    one_by_one = sum(diffract(patches, mode[None]) for mode in probe)
    torch.testing.assert_close(diffract(patches, probe), one_by_one)


def test_each_patch_may_have_a_probe_of_its_own(rng):
    patches, probes = waves(rng, 4, 16, 16), waves(rng, 4, 2, 16, 16)
    one_by_one = torch.stack([diffract(patch, probe) for patch, probe in zip(patches, probes, strict=True)])
    torch.testing.assert_close(diffract(patches, probes), one_by_one)


def test_intensity_has_a_finite_gradient_at_zero():
    wave = torch.zeros(3, dtype=torch.complex128, requires_grad=True)
    intensity(wave).sum().backward()
    assert bool((wave.grad == 0).all())


@pytest.mark.parametrize("N", [16, 18])
def test_shift_by_whole_pixels_is_a_roll(rng, N):
    wave = waves(rng, 2, N, N)
    moved = shift(wave, torch.tensor([2.0, -3.0], dtype=torch.float64))
    torch.testing.assert_close(moved, wave.roll((2, -3), (-2, -1)))


def test_shift_has_the_shift_back_as_its_adjoint(rng):
    left, right, offset = waves(rng, 16, 16), waves(rng, 16, 16), torch.tensor([0.3, -0.45], dtype=torch.float64)
    forth = torch.vdot(left.ravel(), shift(right, offset).ravel())
    torch.testing.assert_close(forth, torch.vdot(shift(left, -offset).ravel(), right.ravel()))


def test_a_shifted_real_wave_stays_real(rng):
    wave = torch.from_numpy(rng.standard_normal((16, 16))).to(torch.complex128)
    assert float(shift(wave, torch.tensor([0.4, -0.2], dtype=torch.float64)).imag.abs().max()) < 1e-14


def test_shift_moves_a_band_limited_wave_exactly(rng):
    amplitudes, k = band_limited(rng, 32)
    r, c = np.meshgrid(np.arange(32), np.arange(32), indexing="ij")
    offset = np.array([0.37, -1.62])
    moved = shift(torch.from_numpy(plane_waves(amplitudes, k, r, c)), torch.from_numpy(offset))
    np.testing.assert_allclose(moved.numpy(), plane_waves(amplitudes, k, r - offset[0], c - offset[1]), atol=1e-12)


def test_shift_takes_an_offset_for_each_wave(rng):
    wave, offsets = waves(rng, 3, 16, 16), torch.from_numpy(rng.uniform(-0.5, 0.5, (3, 2)))
    one_by_one = torch.stack([shift(w, o) for w, o in zip(wave, offsets, strict=True)])
    torch.testing.assert_close(shift(wave, offsets), one_by_one)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.complex128, 1e-6), (np.complex64, 1e-5)])
def test_expected_photons_are_those_of_plain_numpy(rng, dtype, tolerance):
    canvas, probe = waves(rng, 50, 60, dtype=dtype), waves(rng, 2, 16, 16, dtype=dtype)
    positions = np.array([10.0, 9.0]) + rng.uniform(0, 1, (7, 2)) * [30, 40]
    expected = numpy_photons(canvas.numpy(), probe.numpy(), positions)
    found = expected_photons(canvas, probe, torch.from_numpy(positions)).numpy()
    assert found.dtype == canvas.real.numpy().dtype
    np.testing.assert_allclose(found, expected, atol=tolerance * expected.max(), rtol=0)


def test_expected_photons_move_with_object_and_probe_together(rng):
    canvas, probe = waves(rng, 50, 60), waves(rng, 1, 16, 16)
    positions = torch.from_numpy(np.array([12.0, 10.0]) + rng.uniform(0, 1, (5, 2)) * [20, 30])
    moved = expected_photons(canvas.roll((3, 5), (0, 1)), probe, positions + torch.tensor([3.0, 5.0]))
    torch.testing.assert_close(moved, expected_photons(canvas, probe, positions))


def test_whole_and_rest_make_the_position_again(rng):
    positions = torch.from_numpy(rng.uniform(-40, 90, (200, 2)))
    corners, rest = whole_and_rest(positions, 16)
    assert corners.dtype == torch.int64
    assert float(rest.abs().max()) <= 0.5
    torch.testing.assert_close(corners + 8 + rest, positions)


def test_whole_positions_leave_no_rest():
    corners, rest = whole_and_rest(torch.tensor([[20.0, 31.0]], dtype=torch.float64), 16)
    assert corners.tolist() == [[12, 23]]
    assert not bool(rest.any())


def test_both_cuts_give_the_same_photons_on_a_smooth_object(rng):
    canvas, probe = torch.from_numpy(smooth_object((90, 110))), lens_probe(32)
    positions = torch.from_numpy(np.array([20.0, 20.0]) + rng.uniform(0, 1, (12, 2)) * [50, 70])
    exact = expected_photons(canvas, probe, positions)
    cubic = diffract(take(canvas, positions, 32), probe)
    # One cut moves the object and one the probe: the exit waves differ by a shift, their patterns do not.
    error = float((cubic - exact).abs().sum() / exact.sum())
    rounded = diffract(take(canvas, positions.round(), 32), probe)
    assert error < 1e-2
    assert error < 0.1 * float((rounded - exact).abs().sum() / exact.sum())


def test_both_cuts_put_their_objects_on_one_grid():
    canvas, probe = torch.zeros(60, 70, dtype=torch.complex128, requires_grad=True), lens_probe(16)
    position = torch.tensor([[30.0, 41.0]], dtype=torch.float64)
    peaks = []
    for photons in (lambda c: expected_photons(c, probe, position), lambda c: diffract(take(c, position, 16), probe)):
        lit = torch.autograd.grad(photons(canvas + 1).sum(), canvas)[0].abs()
        peaks.append(np.unravel_index(int(lit.argmax()), lit.shape))
    assert peaks == [(30, 41), (30, 41)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_root_of_photons_is_their_amplitude_and_as_good_as_zero_where_there_are_none(dtype):
    photons = torch.tensor([[0.0, 1e-12, 2.0], [9.0, 1e9, torch.nan]], dtype=dtype)
    kept = photons.clone()
    found = root(photons)
    torch.testing.assert_close(found.flatten()[1:], photons.sqrt().flatten()[1:], rtol=1e-6, atol=0, equal_nan=True)
    assert 0 < found[0, 0] < 1e-18
    torch.testing.assert_close(photons, kept, equal_nan=True)
