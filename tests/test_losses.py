"""Each loss of the table keeps the same promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb.losses import FLOOR, LOSSES, total_variation

EVERYWHERE = torch.ones(6, 6, dtype=torch.bool)


@pytest.fixture(params=LOSSES)
def loss(request):
    """Each loss in turn."""
    return LOSSES[request.param]


@pytest.fixture
def photons(rng):
    """Expected photons of weak and strong pixels, (4, 6, 6)."""
    return torch.from_numpy(10 ** rng.uniform(-2, 4, (4, 6, 6)))


@pytest.fixture
def mask(rng):
    """A third of the pixels not believed, (6, 6)."""
    return torch.from_numpy(rng.uniform(0, 1, (6, 6)) > 1 / 3)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_zero_where_what_is_expected_is_what_was_measured(name, photons):
    besides = FLOOR if name == "poisson" else 0.0  # which it expects in each pixel
    assert abs(float(LOSSES[name](photons - besides, photons, EVERYWHERE))) < 1e-12


@pytest.mark.parametrize("measured", [0.0, 1e-38, 1.0, 1e4, 1e9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_at_the_measurement_is_at_most_the_floor(loss, measured, dtype):
    photons = torch.full((6, 6), measured, dtype=dtype)
    assert 0 <= float(loss(photons, photons, EVERYWHERE)) <= FLOOR * (1 + 1e-6)


def test_small_misfits_of_many_photons_are_exact_in_single_precision(loss):
    measured = torch.full((6, 6), 1e9, dtype=torch.float64)
    expected = measured + 32_000
    exact = float(loss(expected, measured, EVERYWHERE))
    assert float(loss(expected.float(), measured.float(), EVERYWHERE)) == pytest.approx(exact, rel=1e-2)


def test_loss_is_least_at_the_truth(loss, photons, rng):
    best = float(loss(photons, photons, EVERYWHERE))
    for size in (0.01, 0.1, 1.0):
        off = photons * torch.from_numpy(np.exp(size * rng.standard_normal(photons.shape)))
        assert float(loss(off, photons, EVERYWHERE)) > best


def test_gradient_vanishes_at_the_truth(loss, photons):
    expected = photons.clone().requires_grad_()
    loss(expected, photons, EVERYWHERE).backward()
    assert float(expected.grad.abs().max()) < FLOOR  # poisson has its least value at I = y - floor


@pytest.mark.parametrize(("expected", "measured"), [(0.0, 0.0), (0.0, 50.0), (50.0, 0.0), (1e9, 0.0), (1e12, 0.0), (1e9, 1e-38)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_and_gradient_are_finite_without_photons(loss, expected, measured, dtype):
    photons = torch.full((6, 6), expected, dtype=dtype, requires_grad=True)
    value = loss(photons, torch.full((6, 6), measured, dtype=dtype), EVERYWHERE)
    value.backward()
    assert bool(value.isfinite())
    assert bool(photons.grad.isfinite().all())
    assert float(value.detach()) >= 0


@pytest.mark.parametrize("anything", [0.0, 1e30, float("inf"), float("nan")])
def test_masked_pixels_carry_no_loss_and_no_gradient(loss, photons, mask, anything):
    measured = photons * 1.3
    spoiled = torch.where(mask, photons, anything).requires_grad_()
    clean = photons.clone().requires_grad_()
    value, expected = loss(spoiled, measured, mask), loss(clean, measured, mask)
    value.backward()
    expected.backward()
    assert float(value.detach()) == float(expected.detach())
    believed = mask.expand_as(photons)
    assert torch.equal(spoiled.grad[believed], clean.grad[believed])
    assert not bool(clean.grad[~believed].any())
    if np.isfinite(anything):
        assert not bool(spoiled.grad[~believed].any())


def test_masked_measurements_carry_no_loss(loss, photons, mask):
    assert float(loss(photons, photons * 1.3, mask)) == float(loss(photons, torch.where(mask, photons * 1.3, 1e9), mask))


def test_loss_is_the_mean_over_believed_pixels(loss, photons, mask):
    measured = photons * 1.3
    each = [float(loss(photons[:, r, c], measured[:, r, c], mask[r, c])) for r, c in mask.nonzero().tolist()]
    assert float(loss(photons, measured, mask)) == pytest.approx(np.mean(each))


def test_a_mask_that_leaves_nothing_gives_zero(loss, photons):
    assert float(loss(photons, photons * 2, ~EVERYWHERE)) == 0


def test_gradient_of_the_loss_is_right(loss, rng, mask):
    expected = torch.from_numpy(rng.uniform(0.5, 20, (2, 6, 6))).requires_grad_()
    measured = torch.from_numpy(rng.poisson(5, (2, 6, 6)).astype(float))
    assert torch.autograd.gradcheck(lambda e: loss(e, measured, mask), expected)


def test_poisson_is_the_log_likelihood_of_poisson_counts(rng):
    expected = rng.uniform(5, 20, (6, 6))
    counts = rng.poisson(expected).astype(float)
    other = rng.uniform(5, 20, (6, 6))
    found = [float(LOSSES["poisson"](torch.from_numpy(e), torch.from_numpy(counts), EVERYWHERE)) for e in (expected, other)]
    log_likelihood = [np.mean(counts * np.log(e) - e) for e in (expected, other)]
    assert found[1] - found[0] == pytest.approx(log_likelihood[0] - log_likelihood[1], abs=1e-3)


def test_noise_alone_costs_a_quarter_in_amplitude_and_a_half_in_poisson(rng):
    """The variance of sqrt(counts) is 1/4, and twice the Poisson deviance follows chi²."""
    expected = np.full((50, 60), 1e3)
    counts = torch.from_numpy(rng.poisson(expected).astype(float))
    believed = torch.ones(50, 60, dtype=torch.bool)
    assert float(LOSSES["amplitude"](torch.from_numpy(expected), counts, believed)) == pytest.approx(0.25, rel=0.1)
    assert float(LOSSES["poisson"](torch.from_numpy(expected), counts, believed)) == pytest.approx(0.5, rel=0.1)


def test_total_variation_of_a_constant_is_zero():
    assert float(total_variation(torch.full((3, 8, 8), 0.7 - 0.2j))) == 0


def test_total_variation_of_a_ramp_is_its_slope():
    ramp = torch.arange(8, dtype=torch.float64)[:, None] * torch.ones(8, 8) * (3 + 4j)
    assert float(total_variation(ramp)) == pytest.approx(5)
