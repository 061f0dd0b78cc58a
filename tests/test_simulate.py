"""Simulated scans: the dose, the overlap and the errors are what the config says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.metrics import overlap
from ptycho_nb.physics import expected_photons
from ptycho_nb.simulate import OBJECTS, PROBES, SCANS, simulate_scan

SMALL = SimulationConfig(N=32, height=72, width=104, probe_diameter=12, overlap=0.6)


def expected(scan):
    canvas, probe = torch.from_numpy(scan.truth), torch.from_numpy(scan.true_probe)
    return expected_photons(canvas, probe, torch.from_numpy(scan.true_positions)).double().numpy()


def test_counts_are_whole_and_scatter_about_the_expected_photons_as_poisson_does():
    scan = simulate_scan(SMALL.replace(nphotons=3e3))
    mean = expected(scan)
    assert np.array_equal(scan.intensity, np.round(scan.intensity))
    bright = mean > 0.5
    error = (scan.intensity - mean)[bright] / np.sqrt(mean[bright])
    assert abs(error.mean()) < 4 / np.sqrt(error.size)
    assert error.var() == pytest.approx(1, abs=0.05)


def test_a_clear_object_receives_the_dose():
    clear = SMALL.replace(amplitude_min=1, phase_range=0, nphotons=1e4)
    scan = simulate_scan(clear)
    assert scan.photons == pytest.approx(1e4, rel=5 / np.sqrt(1e4 * scan.M))
    assert (np.abs(scan.probe) ** 2).sum() == pytest.approx(1e4, rel=1e-5)


@pytest.mark.parametrize("path", SCANS)
def test_the_overlap_is_the_one_asked_for(path):
    config = SimulationConfig(scan=path, overlap=0.65, nphotons=1e3)
    scan = simulate_scan(config)
    assert overlap(scan.probe, scan.positions) == pytest.approx(0.65, abs=0.015)
    assert scan.metadata["overlap"] == pytest.approx(overlap(scan.true_probe, scan.true_positions))


@pytest.mark.parametrize("path", SCANS)
def test_every_patch_lies_on_an_oblong_object_and_the_scan_fills_it(path):
    config = SMALL.replace(scan=path, height=72, width=140, position_error=0.5)
    scan = simulate_scan(config)
    assert scan.truth.shape == scan.canvas.shape == (72, 140)
    half, step = config.N // 2, (1 - config.overlap) * config.probe_diameter
    for positions in (scan.positions, scan.true_positions):
        whole = np.rint(positions)
        assert (whole >= half).all()
        assert (whole <= np.array([72, 140]) - half).all()
    free = np.array([72, 140]) - 2 * (half + 2 + 2)
    assert (np.ptp(scan.true_positions, axis=0) > free - 2 * step).all()


@pytest.mark.parametrize("object_", OBJECTS)
@pytest.mark.parametrize("probe", PROBES)
def test_every_object_and_probe_is_finite_bounded_and_seeded(object_, probe):
    config = SMALL.replace(object=object_, probe=probe, amplitude_min=0.3, phase_range=1.5, seed=7)
    scan, again, other = (simulate_scan(c) for c in (config, config, config.replace(seed=8)))
    assert np.isfinite(scan.truth).all()
    assert np.abs(scan.truth).min() >= 0.3 - 1e-6
    assert np.abs(scan.truth).max() <= 1 + 1e-6
    assert np.abs(np.angle(scan.truth)).max() <= 0.75 + 1e-6
    for name in ("intensity", "positions", "truth", "probe"):
        np.testing.assert_array_equal(getattr(scan, name), getattr(again, name))
    assert not np.array_equal(scan.truth, other.truth)
    assert not np.array_equal(scan.positions, other.positions)


@pytest.mark.parametrize("object_", OBJECTS)
def test_object_maps_use_most_of_their_range_on_both_maps(object_):
    maps = OBJECTS[object_]((60, 90), np.random.default_rng(1))
    assert maps.shape == (2, 60, 90)
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert (np.ptp(maps, axis=(1, 2)) > 0.7).all()


def test_the_seed_feeds_object_path_errors_and_noise_separately():
    plain, dosed, moved = (simulate_scan(SMALL.replace(**c)) for c in ({}, {"nphotons": 1e3}, {"scan": "random"}))
    np.testing.assert_array_equal(plain.truth, dosed.truth)
    np.testing.assert_array_equal(plain.positions, dosed.positions)
    np.testing.assert_array_equal(plain.truth, moved.truth)
    wrong = [simulate_scan(SMALL.replace(position_error=0.4, nphotons=n)) for n in (1e3, 1e6)]
    np.testing.assert_array_equal(wrong[0].positions, wrong[1].positions)


def test_the_global_random_states_stay_as_they_are():
    np.random.seed(3)
    torch.manual_seed(3)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    simulate_scan(SMALL)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_reported_positions_carry_the_error_and_the_photons_do_not():
    exact, wrong = (simulate_scan(SMALL.replace(position_error=e, width=160)) for e in (0.0, 0.7))
    np.testing.assert_array_equal(exact.positions, exact.true_positions)
    error = wrong.positions - wrong.true_positions
    assert error.std() == pytest.approx(0.7, rel=0.15)
    misfit = (wrong.intensity - expected(wrong)) ** 2 / np.maximum(expected(wrong), 1)
    assert misfit.mean() < 1.05


@pytest.mark.parametrize("probe", PROBES)
def test_the_reported_probe_is_the_true_optics_at_another_defocus(probe):
    exact, wrong = (simulate_scan(SMALL.replace(probe=probe, probe_error=e)) for e in (0.0, 0.2))
    np.testing.assert_array_equal(exact.probe, exact.true_probe)
    np.testing.assert_array_equal(wrong.true_probe, exact.true_probe)
    likeness = abs(np.vdot(wrong.probe, wrong.true_probe)) / SMALL.nphotons
    assert 0.5 < likeness < 0.99
    assert (np.abs(wrong.probe) ** 2).sum() == pytest.approx(SMALL.nphotons, rel=1e-5)


def test_a_beamstop_counts_nothing_and_is_masked():
    scan = simulate_scan(SMALL.replace(beamstop=4.0))
    radius = np.hypot(*(np.mgrid[:32, :32] - 16))
    np.testing.assert_array_equal(scan.mask, radius >= 4)
    assert not scan.intensity[:, ~scan.mask].any()
    assert scan.intensity[:, scan.mask].any()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"probe_diameter": 30}, "probe_diameter"),
        ({"defocus": 20}, "defocus"),
        ({"probe": "gaussian", "probe_diameter": 2}, "probe_diameter"),
        ({"height": 34}, "height"),
        ({"height": 36, "width": 38, "scan": "raster"}, "overlap"),
        ({"beamstop": 16}, "beamstop"),
        ({"height": 8192, "width": 8192, "overlap": 0.95}, "memory|machine"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_one_sentence(changes, named):
    with pytest.raises(InputError, match=f"(?i){named}") as error:
        simulate_scan(SMALL.replace(**changes))
    assert len(str(error.value)) <= 180


def test_the_config_travels_with_the_scan():
    config = SMALL.replace(object="lines", seed=5)
    scan = simulate_scan(config)
    assert SimulationConfig(**scan.metadata["simulation"]) == config
    assert scan.name == "lines-zone_plate-5"
