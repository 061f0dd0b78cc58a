"""The slow phase that a fit lacks: brightness and tilt of patterns, splines under the probe, the mending of a run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ptycho_nb import Control, Reconstruction, RefinementConfig, SimulationConfig, State, refine, simulate_scan
from ptycho_nb.metrics import compare_objects
from ptycho_nb.patches import illumination
from ptycho_nb.refinement.course import opening, rates
from ptycho_nb.refinement.detector import Detector
from ptycho_nb.refinement.mend import Mending, SlowPhase, lacking, risen, slow_brightness, slow_phase
from ptycho_nb.refinement.start import held_out
from ptycho_nb.refinement.tilts import Splines, moments
from ptycho_nb.report import methods_text


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(SimulationConfig(height=128, width=144, probe="gaussian", object="gaussian_field", seed=5))


@pytest.fixture(scope="module")
def splines(scan):
    return Splines(scan.positions - scan.canvas.origin, scan.probe, scan.canvas.shape)


def asked(scan):
    """All patterns of a scan, and the pixels that count."""
    return np.arange(scan.M), scan.mask[None]


def measured(scan):
    return moments(lambda some: scan.intensity[some], *asked(scan))


def test_a_phase_ramp_tilts_each_pattern_by_its_slope(scan):
    rows, columns = np.indices(scan.canvas.shape)
    flat = np.ones(scan.canvas.shape, np.complex64)
    ramp = np.exp(1j * (0.1 * rows - 0.05 * columns)).astype(np.complex64)
    tilted, upright = (moments(wrapped(scan, object).predicted, *asked(scan)).tilt for object in (ramp, flat))
    np.testing.assert_allclose(tilted - upright, np.tile([0.1, -0.05], (scan.M, 1)), atol=2e-3)


def test_brightness_is_the_photons_of_a_pattern(scan):
    np.testing.assert_allclose(measured(scan).brightness, scan.intensity.sum((1, 2)), rtol=1e-6)


def test_masked_pixels_neither_shine_nor_tilt(scan):
    mask = np.ones((scan.N, scan.N), bool)
    mask[:, :20] = False
    loud = scan.intensity.copy()
    loud[:, :, :20] = 1e6
    a, b = (measured(scan.replace(intensity=i, mask=mask)) for i in (scan.intensity, loud))
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
    found = lacking(scan, lost, *asked(scan))
    assert found.explained > 0.8
    error = (found.phase - slow)[lost.scanned]
    assert error.std() < 0.3 * slow[lost.scanned].std()


def test_the_truth_lacks_no_slow_phase(scan):
    found = lacking(scan, wrapped(scan, scan.truth), *asked(scan))
    assert found.explained < 0.1
    assert np.abs(found.phase[wrapped(scan, scan.truth).scanned]).std() < 0.05


def test_tilts_that_neighbours_do_not_share_are_not_believed(scan, splines):
    noise = np.random.default_rng(3).standard_normal((scan.M, 2))
    assert slow_phase(splines, noise, np.ones(scan.M)).explained < 0.1


def test_a_brightness_that_is_smooth_in_space_is_told_as_power_of_the_object(scan, splines):
    slow = gaussian_filter(np.random.default_rng(4).standard_normal(scan.canvas.shape), 24)
    slow *= 0.05 / slow.std()
    light, half = splines.light, len(splines.light) // 2
    corners = np.rint(scan.positions - scan.canvas.origin).astype(int) - half
    means = np.array([(light * slow[r : r + 2 * half, c : c + 2 * half]).sum() for r, c in corners])
    found = slow_brightness(splines, 3 * np.exp(means), scan.positions)
    inside = wrapped(scan, scan.truth).scanned
    left = (found.power - slow)[inside]
    rows, columns = np.indices(slow[inside].shape).reshape(2, -1)
    ramp = np.stack([np.ones(left.size), rows, columns], 1)
    left = left.ravel() - ramp @ np.linalg.lstsq(ramp, left.ravel(), rcond=None)[0]
    assert left.std() < 0.3 * slow[inside].std()
    assert found.power.dtype == np.float32
    seen = np.array([(light * found.power[r : r + 2 * half, c : c + 2 * half]).sum() for r, c in corners])
    np.testing.assert_allclose(found.taken, seen, atol=1e-5)  # each pattern gives up what the object gets under its probe


@pytest.mark.parametrize("scatter", [0.1, 0.6])
def test_a_brightness_that_neighbours_do_not_share_is_no_power_of_the_object(scan, splines, scatter):
    taken = 0
    for seed in range(20):
        beam = np.random.default_rng(seed).normal(1, scatter, scan.M).clip(0.05)
        taken += slow_brightness(splines, beam, scan.positions) is not None
    assert taken <= 2


def test_a_ramp_of_the_brightness_stays_where_it_is_since_no_photon_tells_whose_it_is(scan, splines):
    ramp = np.exp((scan.positions - scan.positions.mean(0)) @ [0.002, -0.001])
    found = slow_brightness(splines, ramp, scan.positions)
    assert found is None or np.abs(found.taken).max() < 1e-9


def test_few_patterns_agree_by_chance_and_are_not_asked(scan):
    some = np.arange(12)
    few = Splines(scan.positions[some] - scan.canvas.origin, scan.probe, scan.canvas.shape)
    assert slow_brightness(few, np.linspace(0.9, 1.1, 12) ** 2, scan.positions[some]) is None


def fitted_with_brightness(scan, beam):
    """The truth, and fits without and with a brightness of each pattern, of its photons under a beam (M,)."""
    counts = np.random.default_rng(6).poisson(scan.intensity * np.reshape(beam, (-1, 1, 1))).astype(np.float32)
    known = RefinementConfig(refine_probe=False, epochs=40)
    return [refine(scan.replace(intensity=counts), config=known.replace(refine_brightness=free)) for free in (False, True)]


def test_a_brightness_not_needed_takes_no_slow_amplitude_from_the_object():
    scan = simulate_scan(SimulationConfig(object="picture", height=150, width=170, nphotons=3e5, seed=1))
    plain, free = fitted_with_brightness(scan, np.ones(scan.M))
    assert free.optimiser["returned"]
    assert "What of it was smooth in space" in methods_text(free, scan)
    errors = [compare_objects(one.object, scan.truth, one.scanned).phase.mae for one in (plain, free)]
    assert errors[1] < 1.1 * errors[0]


def test_what_the_photons_do_not_bear_is_undone_to_the_last_bit(monkeypatch):
    """Object, brightness and what pixels kept out say: as if it had never been tried."""
    scan, asked = simulate_scan(SimulationConfig(object="picture", height=150, width=170, nphotons=3e5, seed=1)), []

    def found(*given):
        asked.append(slow_brightness(*given))
        return asked[-1]

    settings = RefinementConfig(epochs=6, refine_brightness=True, held_pixels=0.1)
    monkeypatch.setattr("ptycho_nb.refinement.underway.risen", lambda before, after: True)
    monkeypatch.setattr("ptycho_nb.refinement.underway.slow_brightness", found)
    tried = refine(scan, config=settings)
    assert asked[-1] is not None
    monkeypatch.setattr("ptycho_nb.refinement.underway.slow_brightness", lambda *_: None)
    never = refine(scan, config=settings)
    assert not tried.optimiser["returned"]
    np.testing.assert_array_equal(tried.object, never.object)
    np.testing.assert_array_equal(tried.brightness, never.brightness)
    np.testing.assert_array_equal(tried.optimiser["judged"], never.optimiser["judged"])


def test_a_beam_that_drifts_stays_in_the_brightness():
    """Smooth along the rows, and so in space; the photons of an object that had it would not fit."""
    scan = simulate_scan(SimulationConfig(object="picture", height=150, width=170, nphotons=3e5, seed=1))
    beam = 1 + 0.1 * np.sin(np.linspace(0, 30, scan.M))
    plain, free = fitted_with_brightness(scan, beam)
    assert np.std(free.brightness - beam / beam.mean()) < 0.5 * np.std(beam)
    errors = [compare_objects(one.object, scan.truth, one.scanned).phase.mae for one in (plain, free)]
    assert errors[1] < errors[0]


def test_a_dark_pattern_has_no_say(scan):
    dark = scan.intensity.copy()
    dark[3] = 0
    found = lacking(scan.replace(intensity=dark), wrapped(scan, scan.truth), *asked(scan))
    assert np.isfinite(found.phase).all()
    assert np.abs(found.phase).max() < 0.5


@pytest.mark.parametrize("kept", [{"holdout": 0.3}, {"held_pixels": 0.35}])
def test_what_a_fit_is_judged_by_does_not_shape_its_slow_phase(scan, kept):
    config = RefinementConfig(epochs=16, refine_probe=False, mend_slow_phase=True, **kept)
    one = refine(scan, config=config)
    assert one.optimiser["mended"]
    changed = scan.intensity.copy()
    if "holdout" in kept:
        judged = held_out(scan, config.holdout, config.seed)
        changed[judged] = np.roll(changed[judged], 3, axis=1)
    else:
        seen = Detector(torch.from_numpy(changed), torch.from_numpy(scan.mask), loss="poisson", held=0.35, seed=config.seed).seen()
        assert 1 - seen.mean() == pytest.approx(0.35, abs=1e-3)
        for pattern in range(scan.M):
            changed[pattern][~seen[pattern % len(seen)]] += 50
    other = refine(scan.replace(intensity=changed), config=config)
    np.testing.assert_array_equal(one.object, other.object)


def test_a_fit_from_flat_mends_the_slow_phase_and_its_phase_is_better():
    scan = simulate_scan(SimulationConfig.preset("quick", probe="gaussian", object="gaussian_field", seed=3))
    fits = [refine(scan, config=RefinementConfig(epochs=24, mend_slow_phase=mend)) for mend in (False, True)]
    scores = [compare_objects(one.object, scan.truth, one.scanned).phase.ssim for one in fits]
    assert scores[1] > scores[0] + 0.05
    assert [bool(one.optimiser["mended"]) for one in fits] == [False, True]
    assert [int(one.optimiser["opened"]) for one in fits] == [0, 6]
    told = "After 6 epochs and again after 90% of the fit the slow phase"
    assert [told in methods_text(one) for one in fits] == [False, True]


@pytest.mark.parametrize("stop_at", [1, 2, 5])
def test_a_run_stopped_round_the_mending_goes_on_as_if_it_had_not_been(scan, stop_at):
    config = RefinementConfig(epochs=8, batch_size=32)
    whole, control = refine(scan, config=config), Control()

    def stop(history):
        if history.epochs == stop_at:
            control.stop()

    part = refine(scan, config=config, listener=stop, control=control)
    rest = refine(scan, config=config.replace(epochs=8 - stop_at), resume_from=part)
    np.testing.assert_array_equal(rest.object, whole.object)
    np.testing.assert_array_equal(rest.probe, whole.probe)


@pytest.fixture(scope="module")
def network_like(scan):
    """An object without its slow phase, as a network's often is."""
    slow = gaussian_filter(np.random.default_rng(2).standard_normal(scan.truth.shape), 24)
    lost = np.asarray(scan.truth * np.exp(-0.5j * slow / slow.std()), dtype=np.complex64)
    return wrapped(scan, lost).replace(method="Network")


def test_a_fit_from_a_network_mends_its_slow_phase(scan, network_like):
    fits = [refine(scan, network_like, RefinementConfig(epochs=8, mend_slow_phase=mend)) for mend in (False, True)]
    errors = [compare_objects(one.object, scan.truth, one.scanned).phase.mae for one in fits]
    assert errors[1] < 0.7 * errors[0]
    assert [int(one.optimiser["opened"]) for one in fits] == [0, 2]


def test_a_fit_from_a_network_stopped_before_its_mending_goes_on_as_if_it_had_not_been(scan, network_like):
    config, control = RefinementConfig(epochs=8, batch_size=32), Control()
    whole = refine(scan, network_like, config)
    part = refine(scan, network_like, config, listener=lambda history: history.epochs == 1 and control.stop(), control=control)
    rest = refine(scan, config=config.replace(epochs=7), resume_from=part)
    np.testing.assert_array_equal(rest.object, whole.object)


def test_a_run_of_one_epoch_and_one_from_a_fit_mend_nothing(scan):
    begun = refine(scan, config=RefinementConfig(epochs=1))
    assert not begun.optimiser["mended"]
    assert int(refine(scan, begun, RefinementConfig(epochs=12)).optimiser["opened"]) == 0


def test_a_short_run_mends_near_its_end_and_its_phase_is_better():
    scan = simulate_scan(SimulationConfig.preset("quick", probe="gaussian", object="gaussian_field", seed=3))
    fits = [refine(scan, config=RefinementConfig(epochs=4, mend_slow_phase=mend)) for mend in (False, True)]
    scores = [compare_objects(one.object, scan.truth, one.scanned).phase.ssim for one in fits]
    assert scores[1] > scores[0] + 0.2
    assert [int(one.optimiser["opened"]) for one in fits] == [0, 0]
    assert "After 4 epochs the slow phase" in methods_text(fits[1])


def test_a_short_run_of_one_step_an_epoch_mends_too(scan):
    fit = refine(scan, config=RefinementConfig(epochs=4, batch_size=scan.M))
    assert int(fit.optimiser["after"]) == 3
    further = refine(scan, config=RefinementConfig(epochs=12, batch_size=scan.M), resume_from=fit)
    assert int(further.optimiser["retouched"]) == 16  # near its new end it asks again


def test_a_fit_that_goes_on_heeds_that_its_slow_phase_is_to_be_left(scan):
    begun = refine(scan, config=RefinementConfig(epochs=1))
    fit = refine(scan, config=RefinementConfig(epochs=11, mend_slow_phase=False), resume_from=begun)
    assert (int(fit.optimiser["opened"]), bool(fit.optimiser["mended"]), int(fit.optimiser["retouched"])) == (0, False, 0)
    assert refine(scan, config=RefinementConfig(epochs=12), resume_from=fit).optimiser["mended"]  # and that it is to be mended after all


def test_by_the_clock_the_slow_phase_is_not_asked_for_before_two_epochs():
    early = Mending(opened=12)
    assert not early.due(0.5, 1.0, 200, 2000)
    assert early.due(0.5, 2.0, 200, 2000)


def late(scan, lost, **changes):
    """What is found lacking of an object whose slow phase is a little off, and whether it is believed at the end of a fit."""
    slow = gaussian_filter(np.random.default_rng(2).standard_normal(scan.truth.shape), 24)
    object = np.asarray(scan.truth * np.exp(-1j * lost * slow / slow.std()), dtype=np.complex64)
    return lacking(scan.replace(**changes), wrapped(scan, object), *asked(scan))


def test_tilts_that_lack_only_photon_noise_are_one_noise_apart(scan):
    assert late(scan, 0.0).excess == pytest.approx(1, abs=0.15)


def test_a_little_slow_phase_is_believed_where_the_tilts_lack_nothing_else(scan):
    assert late(scan, 0.02).believed


def believed(explained, certainty, excess):
    return SlowPhase(np.zeros((2, 2), np.float32), explained, 1.0, certainty, excess).believed


@pytest.mark.parametrize(
    ("explained", "certainty", "excess", "taken"),
    [
        (-0.01, 4, 1, False),
        (0.01, 2.0, 1.0, False),
        (0.01, 4.0, 1.0, True),
        (0.3, 7.0, 20.0, False),
        (0.4, 4.0, 20.0, True),
        (0.1, 9.0, 20.0, True),
        (0.9, 2.0, 1.0, False),
    ],
)
def test_a_slow_phase_is_taken_where_it_is_certain_and_is_much_or_beyond_doubt_or_all_that_is_missing(explained, certainty, excess, taken):
    assert believed(explained, certainty, excess) is taken


def test_a_misfit_has_risen_where_all_batches_say_so():
    base = list(np.linspace(0.3, 0.5, 16))
    assert risen(base, [one + 0.01 for one in base])
    assert not risen(base, [one - 0.01 for one in base])
    assert not risen(base, [one + 0.0005 for one in base])  # certain, but a trifle
    assert not risen(base, [one + 0.01 * (-1) ** i for i, one in enumerate(base)])


def test_a_beam_that_fluctuates_asks_for_no_slow_phase_at_the_end():
    """Its tilts ask for one, for certain, but the photons do not."""
    scan = simulate_scan(SimulationConfig(object="picture", height=150, width=170, nphotons=3e5, seed=1))
    rng = np.random.default_rng(1)
    photons = scan.intensity * rng.normal(1, 0.15, (scan.M, 1, 1)).clip(0.5)
    shaken = scan.replace(intensity=photons.astype(np.float32))
    fits = [refine(shaken, config=RefinementConfig(epochs=24, mend_slow_phase=mend)) for mend in (False, True)]
    assert not fits[1].optimiser["added_late"]
    errors = [compare_objects(one.object, scan.truth, one.scanned).phase.mae for one in fits]
    assert errors[1] < 1.3 * errors[0]


def test_tilts_that_a_background_bends_lack_more_than_photon_noise(scan):
    glow = np.zeros((scan.M, scan.N, scan.N), np.float32)
    glow[:, :, 40:] = scan.intensity.mean() * np.linspace(0, 2, scan.M)[:, None, None]  # a background that grows on one side
    found = late(scan, 0.01, intensity=scan.intensity + glow)
    assert found.excess > 3


def test_a_ramp_costs_the_splines_nothing_however_stiff(scan, splines):
    """Only what bends is weighed: a slow phase over a wide field is not drawn to zero."""
    right = [(matrix, np.full(scan.M, slope)) for matrix, slope in zip(splines.slope, (0.02, -0.01), strict=True)]
    found = splines.evaluate(splines.fitted(right, 1000.0))
    rows, columns = np.indices(found.shape)
    seen = wrapped(scan, scan.truth).scanned
    rest = (found - 0.02 * rows + 0.01 * columns)[seen]
    assert rest.std() < 0.02 * found[seen].std()


def test_a_fit_given_more_epochs_looks_at_its_slow_phase_again_and_a_resumed_one_does_not(scan):
    config, control = RefinementConfig(epochs=8, batch_size=8), Control()
    planned = 8 * math.ceil(scan.M / 8)
    part = refine(scan, config=config, listener=lambda history: len(history.steps) > planned - 3 and control.stop(), control=control)
    total = int(part.optimiser["retouched"])
    assert total == planned
    rest = refine(scan, config=config.replace(epochs=1), resume_from=part)
    assert int(rest.optimiser["retouched"]) == total
    assert int(refine(scan, config=config, resume_from=rest).optimiser["retouched"]) > total


def test_the_opening_is_a_quarter_of_a_short_run_and_twelve_epochs_of_a_long_one():
    assert [opening(epochs) for epochs in (1, 7, 8, 20, 32, 200)] == [0, 0, 2, 5, 8, 12]
    assert [opening(epochs, flat=False) for epochs in (3, 4, 8, 200)] == [0, 1, 2, 12]  # a network's object is known roughly


def test_the_steps_run_their_course_twice_where_there_is_an_opening():
    config = RefinementConfig(warmup=0.1)
    course = [rates(config, at, 0.1, opening=0.25).object for at in (0.24999, 0.25, 0.25 + 0.075, 0.99999)]
    np.testing.assert_allclose(course, [0, 0, 0.1, 0], atol=1e-4)
    assert max(rates(config, at, 0.1, opening=0.25).object for at in np.linspace(0, 0.25, 50)) == pytest.approx(0.1, rel=1e-2)


def wrapped(scan, object):
    """An object as a reconstruction of the scan."""
    origin, shape = scan.canvas
    coverage = illumination(torch.from_numpy(scan.probe), torch.from_numpy(scan.positions - origin), shape).numpy()
    return Reconstruction(object, coverage, scan.probe, scan.positions, origin, None, "Iterative", State.DONE)
