"""Freedoms of the iterative fit: each finds what a simulated scan hides, and is judged on pixels that no fit saw."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ptycho_nb.compare import compare
from ptycho_nb.config import RefinementConfig, SimulationConfig
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.freedoms import FREEDOMS, PLAIN, rank_freedoms
from ptycho_nb.history import Control, State
from ptycho_nb.losses import FLOOR
from ptycho_nb.physics import expected_photons
from ptycho_nb.refinement import detector as detectors
from ptycho_nb.refinement import refine
from ptycho_nb.refinement.detector import Detector
from ptycho_nb.refinement.fit import Fit, Rates
from ptycho_nb.refinement.start import support, ways
from ptycho_nb.result import Reconstruction
from ptycho_nb.simulate import simulate_scan

SMALL = SimulationConfig(object="dead_leaves", N=32, height=72, width=88, overlap=0.65, probe_diameter=12, defocus=0.5)
KNOWN = RefinementConfig(epochs=40, batch_size=16, refine_probe=False)
BRIEF = RefinementConfig(epochs=3, batch_size=16, probe_start=0)


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(SMALL)


def photons_of(scan, rng, brightness=1.0, background=0.0):
    """The scan counted again, with brightness (M,) and a background (N, N) of photons."""
    middle = torch.from_numpy(scan.true_positions)
    expected = expected_photons(torch.from_numpy(scan.truth), torch.from_numpy(scan.true_probe), middle).double().numpy()
    return scan.replace(intensity=rng.poisson(np.reshape(brightness, (-1, 1, 1)) * expected + background).astype(np.float32))


def glow(scan):
    """A round background of a fifth of the mean photons."""
    axis = np.arange(scan.N) - scan.N // 2
    return 0.2 * scan.photons / scan.N**2 * np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 9**2))


def position_error(positions, scan):
    """Root mean square distance from the true positions, a common shift removed [px]."""
    error = positions - scan.true_positions
    return float(np.sqrt(np.square(error - error.mean(0)).sum(1).mean()))


def test_a_fluctuating_beam_is_found(scan, rng):
    true = rng.normal(1, 0.1, scan.M)
    found = refine(photons_of(scan, rng, true), config=KNOWN.replace(refine_brightness=True))
    assert found.brightness.mean() == pytest.approx(1)
    assert np.std(found.brightness - true / true.mean()) < 0.04


def test_a_background_is_found(scan, rng):
    true = glow(scan)
    dull = photons_of(scan, rng, background=true)
    found = refine(dull, config=KNOWN.replace(refine_background=True))
    assert np.abs(found.background - true).mean() < 0.3 * true.mean()
    assert found.r_factor(dull) < 0.7 * refine(dull, config=KNOWN).r_factor(dull)


def test_what_is_not_fitted_is_not_there(scan):
    found = refine(scan, config=BRIEF)
    assert found.brightness is None
    assert found.background is None


def test_scale_and_rotation_of_the_positions_are_found(scan):
    angle, middle = np.deg2rad(1.0), scan.true_positions.mean(0)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wrong = scan.replace(positions=middle + 1.02 * (scan.true_positions - middle) @ turned)
    found = refine(wrong, config=KNOWN.replace(refine_positions=True, position_model="affine"))
    assert position_error(found.positions, scan) < 0.05 * position_error(wrong.positions, scan)


def test_a_drift_of_the_positions_is_found(scan):
    time = np.linspace(0, 1, scan.M)
    wrong = scan.replace(positions=scan.true_positions + np.stack([1.5 * time**2, np.sin(2.5 * time)], 1))
    found = refine(wrong, config=KNOWN.replace(refine_positions=True, position_model="drift"))
    assert position_error(found.positions, scan) < 0.05 * position_error(wrong.positions, scan)


def test_positions_move_together_in_the_ways_of_their_model(rng):
    positions = rng.uniform(0, [90, 50], (12, 2))
    assert ways(positions, "free") is None
    assert ways(positions, "drift").shape == (12, 5)
    affine = ways(positions, "affine")
    assert np.abs(affine).max() == pytest.approx(1)
    half = np.ptp(positions, axis=0).max() / 2
    turned = positions @ np.array([[1.0, 0.1], [-0.1, 1.0]])
    coefficients = np.linalg.lstsq(affine, turned - positions, rcond=None)[0]
    np.testing.assert_allclose(affine @ coefficients, turned - positions, atol=1e-9)
    np.testing.assert_allclose(coefficients[1:], half * np.array([[0.0, 0.1], [-0.1, 0.0]]), atol=1e-9)


def test_the_probe_is_zero_outside_its_support(scan):
    found = refine(scan, config=BRIEF.replace(probe_support=0.5))
    outside = support(0.5, scan.N) == 0
    assert not np.any(found.probe[:, outside])
    assert np.any(found.probe[:, ~outside])
    assert support(None, scan.N) is None


def test_pixels_kept_out_do_not_move_the_fit(scan):
    config = BRIEF.replace(held_pixels=0.1)
    one = refine(scan, config=config)
    detector = Detector(torch.from_numpy(scan.intensity), torch.from_numpy(scan.mask), loss="amplitude", held=0.1, seed=config.seed)
    aside = torch.fft.fftshift(detector.held, dim=(-2, -1)).numpy().astype(bool)
    changed = scan.intensity.copy()
    for pattern in range(scan.M):
        changed[pattern][aside[pattern % len(aside)]] += 50
    other = refine(scan.replace(intensity=changed), config=config)
    np.testing.assert_array_equal(one.object, other.object)
    assert (other.optimiser["judged"] > one.optimiser["judged"]).all()
    assert one.history["val_loss"][-1] == pytest.approx(one.optimiser["judged"].mean(), rel=1e-5)


@pytest.mark.parametrize("loss", ["amplitude", "poisson"])
@pytest.mark.parametrize("held", [0.0, 0.1])
def test_gradients_of_the_detector_are_those_of_autograd(scan, loss, held, rng, monkeypatch):
    monkeypatch.setattr(detectors, "BEYOND", math.inf)
    counts, mask = torch.from_numpy(scan.intensity[:6]).double(), torch.from_numpy(rng.uniform(size=(32, 32)) > 0.2)
    detector = Detector(counts.clone(), mask, loss=loss, brightness=True, background=True, held=held, reads=10.0)
    chosen, far = [4, 1, 5], torch.from_numpy(rng.normal(size=(3, 2, 32, 32)) + 1j * rng.normal(size=(3, 2, 32, 32))).requires_grad_()
    bright = torch.from_numpy(rng.uniform(0.5, 1.5, 6)).requires_grad_()
    root = torch.from_numpy(rng.uniform(0.5, 1.5, (32, 32))).requires_grad_()
    detector.movers["brightness"].values.copy_(bright.detach())
    detector.movers["background"].values.copy_(root.detach())
    light = (far.real.square() + far.imag.square()).sum(1)
    expected = bright[chosen, None, None] * light + root.square() + FLOOR
    measured = torch.fft.ifftshift(counts, dim=(-2, -1))[chosen]
    keep = torch.fft.ifftshift(mask).double() * (1 - (detector.held[[4 % 10, 1, 5]] if held else 0))
    difference = (expected.sqrt() - (measured + FLOOR).sqrt()).square() if loss == "amplitude" else expected - measured * expected.log()
    cost = 0.0
    if loss == "poisson":  # of light on dark pixels; no matter of brightness and background
        q, slope = detector.dark
        cost = slope / q * light / (light + q) * (1 - detector.held[[4 % 10, 1, 5]] if held else 1)
    (difference * keep + cost).sum().backward()
    with torch.no_grad():
        _, factor = detector.compare(far.detach(), chosen)
        torch.testing.assert_close(2 * factor.unsqueeze(1) * far.detach(), far.grad, rtol=1e-6, atol=1e-8)
        monkeypatch.undo()
        detector.compare(far.detach(), chosen, rough=True)  # neither bounds nor amplitudes: faint pixels tell of a background together
        detector.move(chosen, 0.0, 0.0)
    slopes = {name: mover.gradient for name, mover in detector.movers.items()}
    torch.testing.assert_close(slopes["brightness"][chosen], bright.grad[chosen], rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(2 * slopes["background"], root.grad, rtol=1e-6, atol=1e-8)


FREE = BRIEF.replace(refine_positions=True, position_model="affine", refine_brightness=True, refine_background=True, held_pixels=0.1)


def test_a_fit_with_every_freedom_is_saved_and_goes_on_as_if_never_stopped(scan, tmp_path):
    whole = refine(scan, config=FREE.replace(epochs=4, warmup=0.0))
    first = refine(scan, config=FREE.replace(epochs=2, warmup=0.0))
    first.save(tmp_path / "first.npz")
    read = Reconstruction.load(tmp_path / "first.npz")
    for name in ("brightness", "background"):
        np.testing.assert_array_equal(getattr(read, name), getattr(first, name))
    assert read.r_factor(scan) == first.r_factor(scan)
    one, other = (refine(scan, config=FREE.replace(epochs=2, warmup=0.0), resume_from=start) for start in (first, read))
    np.testing.assert_array_equal(one.object, other.object)
    np.testing.assert_array_equal(one.brightness, other.brightness)
    assert one.history.epochs == whole.history.epochs


def test_what_is_expected_of_a_pattern_counts_brightness_and_background(scan):
    found = refine(scan, config=BRIEF)
    plain = found.predicted([3, 1])
    dim = np.linspace(0.5, 1.5, scan.M)
    freed = found.replace(brightness=dim, background=glow(scan).astype(np.float32))
    np.testing.assert_allclose(freed.predicted([3, 1]), dim[[3, 1], None, None] * plain + glow(scan), rtol=1e-5)


def test_a_stored_brightness_of_another_length_is_one_sentence(scan, tmp_path):
    found = refine(scan, config=BRIEF)
    found.replace(brightness=np.ones(scan.M - 1)).save(tmp_path / "odd.npz")
    with pytest.raises(InputError, match="brightness"):
        Reconstruction.load(tmp_path / "odd.npz")


def test_the_fit_moves_the_detector_only_when_told(scan):
    detector = Detector(torch.from_numpy(scan.intensity), torch.from_numpy(scan.mask), loss="amplitude", brightness=True)
    origin = np.array(scan.canvas.origin)
    fit = Fit(detector, torch.from_numpy(scan.truth), torch.from_numpy(scan.probe), torch.from_numpy(scan.positions - origin), farthest=1.0)
    with torch.no_grad():
        fit.step([0, 1], Rates(0.0, 0.0, 0.0))
        assert bool((detector.movers["brightness"].values == 1).all())
        fit.step([0, 1], Rates(0.0, 0.0, 0.0, brightness=0.1))
    assert bool((detector.movers["brightness"].values[:2] != 1).all())
    assert bool((detector.movers["brightness"].values[2:] == 1).all())


@pytest.mark.long
def test_the_freedom_that_the_scan_asks_for_is_ranked_first(scan, rng):
    ranked = rank_freedoms(photons_of(scan, rng, rng.normal(1, 0.1, scan.M)), RefinementConfig(epochs=24))
    assert ranked[0].config.refine_brightness
    assert ranked[0].helps
    quiet = {one.name: one for one in rank_freedoms(scan, RefinementConfig(epochs=24, refine_probe=False))}
    assert not any(one.helps for one in quiet.values())
    assert quiet[PLAIN].gain == 0
    assert "does not help" in quiet["a background"].words


def test_a_stop_tries_no_further_freedom(scan):
    control = Control()

    def stop(history):
        if history.epochs == 1:
            control.stop()

    assert [one.name for one in rank_freedoms(scan, BRIEF, listener=stop, control=control)] == [PLAIN]


def test_a_fit_that_is_cut_off_is_not_judged(scan):
    control, seen = Control(), []

    def stop(history):
        seen.extend([history] if not any(history is one for one in seen) else [])
        if len(seen) == 3 and history.epochs == 1:
            control.stop()

    ranked = rank_freedoms(scan, BRIEF.replace(epochs=2), listener=stop, control=control)
    assert {one.name for one in ranked} == {PLAIN, "two probe modes"}
    assert all(one.result.state is State.DONE for one in ranked)


def test_a_time_limit_judges_what_each_fit_came_to(scan):
    ranked = rank_freedoms(scan, BRIEF.replace(epochs=1000, time_limit=0.1, refine_positions=True, refine_background=True))
    assert {one.name for one in ranked} >= {PLAIN, "two probe modes", "brightness of each pattern"}


def test_fewer_modes_than_the_fit_has_are_no_freedom(scan, monkeypatch):
    tried: list[list[str]] = []
    monkeypatch.setattr("ptycho_nb.freedoms.FREEDOMS", {name: FREEDOMS[name] for name in ("two probe modes", "three probe modes")})
    for modes in (1, 2, 3):
        tried.append([one.name for one in rank_freedoms(scan, BRIEF.replace(epochs=1, probe_modes=modes))])
    three = scan.replace(probe=np.repeat(scan.probe, 3, axis=0) / np.sqrt(3, dtype=np.float32))
    tried.append([one.name for one in rank_freedoms(three, BRIEF.replace(epochs=1))])
    freed = [sorted(set(names) & FREEDOMS.keys()) for names in tried]
    assert freed == [["three probe modes", "two probe modes"], ["three probe modes"], [], []]


def test_methods_are_not_compared_on_patterns_whose_brightness_no_fit_knows(scan):
    with pytest.raises(ConfigError, match="refine_brightness"):
        compare(scan, refinement=RefinementConfig(refine_brightness=True))
