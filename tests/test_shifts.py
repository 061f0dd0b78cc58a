"""The series that shifts a probe to many sub-pixel offsets at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb.config import SimulationConfig
from ptycho_nb.physics import shift
from ptycho_nb.refinement.shifts import DROPPED, TERMS, Shifts, affordable
from ptycho_nb.simulate.probes import simulate_probe


@pytest.fixture
def offsets(rng):
    """Random fractions of a pixel and the four farthest, float64 (24, 2)."""
    corners = [[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]]
    return torch.from_numpy(np.concatenate([rng.uniform(-0.5, 0.5, (20, 2)), corners]))


@pytest.fixture(params=["disk", "gaussian", "zone_plate"])
def probe(request):
    """Two modes of each kind of probe, complex128 (2, 32, 32)."""
    config = SimulationConfig(probe=request.param, N=32, probe_diameter=12, defocus=0.3, probe_modes=2)
    return torch.from_numpy(simulate_probe(config)[0]).to(torch.complex128)


def noise(rng, *shape):
    """Complex white noise."""
    return torch.from_numpy(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def combined(coefficients, fields):
    """Sum over terms: (M, R) and (R, …) to (M, …)."""
    return torch.tensordot(coefficients.to(fields.dtype), fields, 1)


def test_series_is_the_shift_within_the_dropped_energy(probe, offsets):
    series = Shifts(probe, offsets)
    found = combined(series.coefficients, series.fields(probe))
    expected = shift(probe, offsets[:, None, :])
    lost = (found - expected).abs().square().sum((-3, -2, -1)) / probe.abs().square().sum()
    # |T_m| <= 1, so a term left out costs at most its energy; the amplitudes of several may add.
    assert float(lost.mean()) < DROPPED
    assert float(lost.max()) < 4 * DROPPED


def test_series_leaves_out_terms_that_the_probe_cannot_excite(probe, offsets):
    assert Shifts(probe, offsets).coefficients.shape[1] < TERMS**2 / 2


def test_series_of_a_wave_up_to_nyquist_is_the_shift_too(rng, offsets):
    probe = noise(rng, 1, 16, 16)
    series = Shifts(probe, offsets)
    found = combined(series.coefficients, series.fields(probe))
    lost = (found - shift(probe, offsets[:, None, :])).abs().square().sum((-3, -2, -1)) / probe.abs().square().sum()
    assert float(lost.max()) < 4 * DROPPED


def test_fields_adjoint_is_the_adjoint_of_fields(rng, probe, offsets):
    series = Shifts(probe, offsets)
    there = series.fields(noise(rng, 2, 32, 32))
    left, right = noise(rng, *there.shape), noise(rng, 2, 32, 32)
    forth = torch.vdot(left.ravel(), series.fields(right).ravel())
    torch.testing.assert_close(forth, torch.vdot(series.fields_adjoint(left).ravel(), right.ravel()))


def test_slopes_are_finite_differences_of_the_coefficients(probe, offsets):
    series, step = Shifts(probe, offsets), 1e-5
    for axis in (0, 1):
        move = torch.zeros(2, dtype=torch.float64)
        move[axis] = step
        difference = (series.weigh(offsets + move) - series.weigh(offsets - move)) / (2 * step)
        torch.testing.assert_close(series.slopes(offsets)[axis], difference, atol=1e-7, rtol=1e-7)


def test_weigh_at_no_offset_gives_the_probe_back(probe, offsets):
    series = Shifts(probe, offsets)
    found = combined(series.weigh(torch.zeros(1, 2, dtype=torch.float64)), series.fields(probe))[0]
    assert float((found - probe).abs().square().sum() / probe.abs().square().sum()) < DROPPED


def test_coefficients_are_the_weights_of_the_offsets(probe, offsets):
    series = Shifts(probe, offsets)
    assert torch.equal(series.coefficients, series.weigh(offsets))


def test_a_real_probe_stays_real(offsets):
    axis = torch.arange(32, dtype=torch.float64) - 16
    probe = torch.exp(-(axis[:, None] ** 2 + axis**2) / 18).to(torch.complex128)[None]
    series = Shifts(probe, offsets)
    assert float(combined(series.coefficients, series.fields(probe)).imag.abs().max()) < 1e-14


def test_what_is_dropped_stays_below_the_photon_noise():
    """A tenth of a quarter photon a pixel, and never more than DROPPED."""
    assert affordable(1e3, 64) == DROPPED
    assert affordable(1e9, 64) * 1e9 == pytest.approx(0.1 * 64**2 / 4)
