"""The start that knows slow changes: brightness and tilt of patterns, splines under the probe, what is chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ptycho_nb import Control, Reconstruction, SimulationConfig, State, refine, simulate_scan
from ptycho_nb.metrics import compare_objects
from ptycho_nb.patches import illumination
from ptycho_nb.start import first_picture, warm_start
from ptycho_nb.start.mend import lacking, slow_phase
from ptycho_nb.start.tilts import Splines, expected_moments, measured_moments
from ptycho_nb.start.warm import EARLY, LATE


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(SimulationConfig(height=128, width=144, probe="gaussian", object="gaussian_field", seed=5))


@pytest.fixture(scope="module")
def splines(scan):
    return Splines(scan.positions - scan.canvas.origin, scan.probe, scan.canvas.shape)


def test_a_phase_ramp_tilts_each_pattern_by_its_slope(scan):
    rows, columns = np.indices(scan.canvas.shape)
    flat = np.ones(scan.canvas.shape, np.complex64)
    ramp = np.exp(1j * (0.1 * rows - 0.05 * columns)).astype(np.complex64)
    tilted, upright = (expected_moments(scan, wrapped(scan, object)).tilt for object in (ramp, flat))
    np.testing.assert_allclose(tilted - upright, np.tile([0.1, -0.05], (scan.M, 1)), atol=2e-3)


def test_brightness_is_the_photons_of_a_pattern(scan):
    moments = measured_moments(scan)
    np.testing.assert_allclose(moments.brightness, scan.intensity.sum((1, 2)), rtol=1e-6)


def test_masked_pixels_neither_shine_nor_tilt(scan):
    mask = np.ones((scan.N, scan.N), bool)
    mask[:, :20] = False
    loud = scan.intensity.copy()
    loud[:, :, :20] = 1e6
    a, b = (measured_moments(scan.replace(intensity=i, mask=mask)) for i in (scan.intensity, loud))
    np.testing.assert_array_equal(a.tilt, b.tilt)
    np.testing.assert_array_equal(a.brightness, b.brightness)


def test_spline_slopes_are_those_of_the_map_they_make(scan, splines):
    coefficients = np.random.default_rng(0).standard_normal(splines.knots[0] * splines.knots[1])
    steps = np.gradient(splines.evaluate(coefficients).astype(float))
    n, centres = splines.light.shape[0], np.rint(scan.positions - scan.canvas.origin).astype(int)
    for matrix, wanted in zip(splines.slope, steps, strict=True):
        means = [(splines.light * wanted[r - n // 2 : r - n // 2 + n, c - n // 2 : c - n // 2 + n]).sum() for r, c in centres]
        np.testing.assert_allclose(matrix @ coefficients, means, atol=0.02 * np.abs(wanted).max())


def test_a_slow_phase_is_found_from_its_slopes(splines):
    rng = np.random.default_rng(1)
    coefficients = rng.standard_normal(splines.knots[0] * splines.knots[1])
    right = [(matrix, matrix @ coefficients) for matrix in splines.slope]
    found = splines.fitted(right, 1e-3)
    for matrix, values in right:
        assert np.abs(matrix @ found - values).max() < 0.1 * np.abs(values).max()


def test_a_slow_phase_that_an_object_lacks_is_found(scan):
    flat_elsewhere = wrapped(scan, scan.truth)
    slow = gaussian_filter(np.random.default_rng(2).standard_normal(scan.truth.shape), 24)
    slow *= 0.5 / slow.std()
    lost = flat_elsewhere.replace(object=np.asarray(scan.truth * np.exp(-1j * slow), dtype=np.complex64))
    found = lacking(scan, lost)
    assert found.explained > 0.8
    error = (found.phase - slow)[lost.scanned]
    assert error.std() < 0.3 * slow[lost.scanned].std()


def test_the_truth_lacks_no_slow_phase(scan):
    found = lacking(scan, wrapped(scan, scan.truth))
    assert found.explained < 0.1
    assert np.abs(found.phase[wrapped(scan, scan.truth).scanned]).std() < 0.05


def test_tilts_that_neighbours_do_not_share_are_not_believed(scan, splines):
    noise = np.random.default_rng(3).standard_normal((scan.M, 2))
    assert slow_phase(splines, noise, np.ones(scan.M)).explained < 0.1


def test_a_dark_pattern_has_no_say(scan):
    dark = scan.intensity.copy()
    dark[3] = 0
    found = lacking(scan.replace(intensity=dark), wrapped(scan, scan.truth))
    assert np.isfinite(found.phase).all()
    assert np.abs(found.phase).max() < 0.5


@pytest.mark.long
def test_a_first_picture_has_a_better_phase_than_as_many_epochs_from_flat():
    scan = simulate_scan(SimulationConfig(probe="gaussian", object="dead_leaves", seed=3))
    flat = refine(scan, config=EARLY.replace(epochs=12))
    first = first_picture(scan)
    scores = [compare_objects(one.object, scan.truth, one.scanned).phase.ssim for one in (flat, first)]
    assert scores[1] > scores[0] + 0.03
    assert first.method == "Iterative"
    assert first.settings["start"].startswith("A slow phase added")


def test_a_start_is_one_for_refine_and_says_what_was_done(scan):
    start = warm_start(scan, EARLY.replace(epochs=1))
    assert start.matches(scan)
    assert start.verdict.startswith("A slow phase added" if start.mended else "No slow phase added")
    assert refine(scan, start, LATE.replace(epochs=1)).state is State.DONE


def test_a_stopped_start_is_as_the_fit_left_it(scan):
    control = Control()
    start = warm_start(scan, EARLY, listener=lambda history: control.stop(), control=control)
    assert start.state is State.STOPPED
    assert not start.mended
    assert "stopped" in start.verdict
    assert first_picture(scan, control=control).state is State.STOPPED


def wrapped(scan, object):
    """An object as a reconstruction of the scan."""
    origin, shape = scan.canvas
    coverage = illumination(torch.from_numpy(scan.probe), torch.from_numpy(scan.positions - origin), shape).numpy()
    return Reconstruction(object, coverage, scan.probe, scan.positions, origin, None, "Iterative", State.DONE)
