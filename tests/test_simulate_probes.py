"""Simulated probes: size, modes, focus and bounds."""

from __future__ import annotations

import numpy as np
import pytest

from ptycho_nb.config import SimulationConfig
from ptycho_nb.metrics import probe_diameter
from ptycho_nb.simulate import PROBES
from ptycho_nb.simulate.probes import simulate_probe

OPTICS = ({}, {"defocus": 0.6, "central_stop": 0}, {"defocus": -1.2}, {"astigmatism": 0.5}, {"coma": 0.8}, {"probe_modes": 4})


def energy_within(probe, diameter):
    """Share of the energy within a disc round the middle of the window, pixel by pixel."""
    N = probe.shape[-1]
    power = (np.abs(probe) ** 2).sum(0)
    return power[np.hypot(*(np.mgrid[:N, :N] - N // 2)) <= diameter / 2].sum() / power.sum()


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("optics", OPTICS)
@pytest.mark.parametrize(("N", "diameter"), [(64, 19), (64, 24), (128, 40)])
def test_nine_tenths_of_the_energy_lie_within_the_diameter_asked_for(probe, optics, N, diameter):
    true, _ = simulate_probe(SimulationConfig(N=N, probe=probe, probe_diameter=diameter, **optics))
    assert probe_diameter(true) == pytest.approx(diameter, abs=1)
    assert energy_within(true, diameter - 1.5) < 0.9 < energy_within(true, diameter + 1.5)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("optics", OPTICS)
def test_a_probe_is_centred_and_well_inside_window_and_detector(probe, optics):
    config = SimulationConfig(probe=probe, **optics)
    true, _ = simulate_probe(config)
    grid = np.mgrid[:64, :64] - 32
    power = (np.abs(true) ** 2).sum(0) / config.nphotons
    np.testing.assert_allclose([(axis * power).sum() for axis in grid], 0, atol=0.05)
    detector = (np.abs(np.fft.fft2(true, norm="ortho")) ** 2).sum(0) / config.nphotons
    assert power[np.hypot(*grid) > 30].sum() < 0.02
    assert np.fft.fftshift(detector)[np.hypot(*grid) > 28].sum() < 0.02


@pytest.mark.parametrize("probe", PROBES)
def test_modes_are_orthogonal_and_their_powers_decay(probe):
    true, _ = simulate_probe(SimulationConfig(probe=probe, probe_modes=5, mode_decay=0.4, nphotons=2e5))
    gram = np.einsum("pij,qij->pq", true.conj(), true.astype(np.complex128))
    powers = 0.4 ** np.arange(5)
    np.testing.assert_allclose(gram, np.diag(2e5 * powers / powers.sum()), atol=1.0)


def test_gaussian_modes_in_the_waist_are_hermite_gauss():
    config = SimulationConfig(probe="gaussian", defocus=0, probe_modes=2, mode_decay=1, N=128, probe_diameter=40)
    true, _ = simulate_probe(config)
    y = np.arange(128)[:, None] - 64
    ratio = true[1] / true[0]  # H1 over H0 is linear in y
    near = np.s_[64 - 20 : 64 + 20, 64 - 20 : 64 + 20]
    slope = ratio[74, 64] / 10
    np.testing.assert_allclose(ratio[near], np.broadcast_to(slope * y, (128, 128))[near], atol=1e-3 * abs(slope) * 20)


def test_the_lens_lights_an_annulus_on_the_detector():
    true, _ = simulate_probe(SimulationConfig(central_stop=0.5))
    detector = np.abs(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(true[0]), norm="ortho"))) ** 2
    radius = np.hypot(*(np.mgrid[:64, :64] - 32))
    lit = radius[detector > 0.5 * np.median(detector[detector > 0.01 * detector.max()])]
    assert lit.min() / lit.max() == pytest.approx(0.5, abs=0.1)


def test_opposite_defocus_is_the_conjugate_beam():
    over, under = (simulate_probe(SimulationConfig(probe="gaussian", defocus=d))[0] for d in (1.3, -1.3))
    np.testing.assert_allclose(over, under.conj(), atol=1e-4 * np.abs(over).max())
