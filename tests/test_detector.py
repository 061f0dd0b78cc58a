"""What the detector makes of far fields: bounded residuals, dark pixels, and what shapes neither."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb import RefinementConfig, SimulationConfig, refine, simulate_scan
from ptycho_nb.losses import FLOOR
from ptycho_nb.metrics import align
from ptycho_nb.refinement.course import rates
from ptycho_nb.refinement.detector import BEYOND, LEAST, SHARE, SHRINK, Detector

N, EVERYWHERE = 8, torch.ones(8, 8, dtype=torch.bool)


def detector_of(photons, **more):
    """Of patterns (M, N, N) with zero frequency at the corner."""
    return Detector(torch.fft.fftshift(photons, dim=(-2, -1)), EVERYWHERE, loss="poisson", **more)


def waves(photons):
    """Far fields (B, 1, N, N) of so many photons."""
    return torch.complex(photons.sqrt(), torch.zeros_like(photons)).unsqueeze(1)


def test_a_residual_beyond_the_bound_pulls_as_one_at_it():
    measured, light = torch.full((1, N, N), 100.0), torch.full((1, N, N), 100.0)
    measured[0, 0, :3] = torch.tensor([110.0, 1e4, 0.0])  # within; far above; far below
    _, factor = detector_of(measured).compare(waves(light), [0])
    bound = BEYOND / 10  # standard deviations over the photons of a wave
    torch.testing.assert_close(factor[0, 0, :4], torch.tensor([-0.1, -bound, bound, 0.0]), rtol=1e-3, atol=1e-4)


def test_the_misfit_holds_in_float32_where_light_abounds(rng):
    light = torch.full((1, 64, 64), 1e8)
    measured = torch.from_numpy(rng.poisson(light.numpy()).astype(np.float32))
    everywhere = torch.ones(64, 64, dtype=torch.bool)
    misfit, _ = Detector(measured, everywhere, loss="poisson").compare(waves(light), [0])
    y = measured.double()
    assert misfit == pytest.approx(float((light - y + y * torch.log(y / light)).mean()), rel=0.01)


def test_roots_of_less_than_a_photon_a_pixel_are_not_followed(rng):
    measured = torch.from_numpy(rng.poisson(0.5, (1, N, N)).astype(np.float32))
    rough, fine = (detector_of(measured.clone()).compare(waves(measured + 0.3), [0], rough=each)[1] for each in (True, False))
    torch.testing.assert_close(rough, fine)


def test_the_first_half_of_a_run_follows_amplitudes():
    assert [rates(RefinementConfig(), progress, 0.1).rough for progress in (0.0, 0.49, 0.5, 1.0)] == [True, True, False, False]


def test_far_from_the_truth_the_gradient_is_that_of_amplitudes(rng):
    measured, light = (torch.from_numpy(rng.uniform(0, 50, (2, N, N)).astype(np.float32)) for _ in range(2))
    misfit, rough = detector_of(measured).compare(waves(light), [0, 1], rough=True)
    same, _ = detector_of(measured).compare(waves(light), [0, 1])
    torch.testing.assert_close(rough, 2 * (1 - (measured / (light + FLOOR)).sqrt()))
    assert misfit == same


def test_dark_pixels_cost_as_their_mean_and_the_readings_say(rng):
    patterns = torch.from_numpy(rng.poisson(0.4, (5, N, N)).astype(np.float32))
    light = torch.from_numpy(rng.uniform(0.05, 3, (2, N, N))).requires_grad_()
    mean = patterns.double().mean(0)
    (SHRINK / 12 / (1 + mean / mean.mean()) * light / (light + SHARE * mean + LEAST)).sum().backward()
    factors = [detector_of(patterns.clone(), **more).compare(waves(light.detach()), [3, 1])[1] for more in ({"reads": 12.0}, {})]
    torch.testing.assert_close((factors[0] - factors[1]).double(), light.grad, rtol=1e-2, atol=1e-3)


def test_what_the_fit_does_not_see_does_not_say_what_is_dark(rng):
    patterns = torch.from_numpy(rng.poisson(3, (40, N, N)).astype(np.float32))
    plain = detector_of(patterns.clone(), reads=5.0, fitted=np.arange(10), held=0.25)
    changed = patterns.clone()
    changed[10:] += 100
    aside = plain.held[np.arange(40) % len(plain.held)].bool()
    changed[aside] += 100
    other = detector_of(changed, reads=5.0, fitted=np.arange(10), held=0.25)
    for one, two in zip(plain.dark, other.dark, strict=True):
        torch.testing.assert_close(one, two)
    assert not bool(detector_of(patterns.clone(), reads=5.0, fitted=np.arange(10)).dark[0].equal(plain.dark[0]))


def test_a_masked_pixel_is_not_taken_for_dark():
    mask = EVERYWHERE.clone()
    mask[2, 5] = False
    _, slope = Detector(torch.zeros(3, N, N), mask, loss="poisson", reads=4.0).dark
    assert float(torch.fft.fftshift(slope)[2, 5]) == 0 < float(slope.max())


@pytest.mark.parametrize("photons", [3e4, 1e6])
def test_poisson_ends_nearer_to_the_truth_than_amplitudes(photons):
    scan = simulate_scan(SimulationConfig(object="picture", height=112, width=128, nphotons=photons, seed=5))
    found = [refine(scan, config=RefinementConfig(epochs=24, loss=loss)) for loss in ("poisson", "amplitude")]
    pairs = [align(one.object, scan.truth_on(one.canvas), one.scanned) for one in found]
    errors = [float(np.linalg.norm(pair.object - pair.truth)) for pair in pairs]
    assert errors[0] < 0.97 * errors[1]
