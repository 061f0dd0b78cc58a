"""Designs of experiments and the forward model step by step: the same simulator, the same physics, the same definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb import simulate_scan
from ptycho_nb.checks import SCAN_CHECKS, checks
from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.lessons.design import (
    GUESSES,
    Bench,
    design,
    design_picture,
    exchanged,
    forward,
    forward_picture,
    guessed,
    likeness,
    mixed,
    photons_of,
    two_objects,
)
from ptycho_nb.lessons.design.plan import APPLY
from ptycho_nb.metrics import overlap, probe_diameter, step
from ptycho_nb.physics import expected_photons
from ptycho_nb.simulate import Experiment, simulate_probe

SMALL = SimulationConfig(N=32, height=80, width=92, probe_diameter=12, nphotons=1e5, object="lines")
OTHER = {  # another value of each setting
    "object": "siemens_star",
    "probe": "gaussian",
    "scan": "spiral",
    "N": 36,
    "height": 84,
    "width": 88,
    "overlap": 0.6,
    "nphotons": 1e4,
    "probe_diameter": 13.0,
    "defocus": 0.5,
    "central_stop": 0.3,
    "astigmatism": 0.1,
    "coma": 0.1,
    "probe_modes": 2,
    "mode_decay": 0.2,
    "jitter": 0.1,
    "amplitude_min": 0.6,
    "phase_range": 1.0,
    "position_error": 0.3,
    "probe_error": 0.1,
    "beamstop": 2.0,
    "pixel_size": 2e-8,
    "seed": 1,
}
ARRAYS = ("truth", "true_probe", "probe", "true_positions", "positions", "mask")


@pytest.fixture(scope="module")
def plan():
    return design(SMALL)


@pytest.fixture(scope="module")
def waves():
    """Object A, object B, and what a probe makes of both at one place between pixels."""
    a, b = two_objects(SMALL.replace(object="dead_leaves"))
    probe = simulate_probe(SMALL)[0][0]
    return a, b, forward(a, probe, (41.3, 40.6)), forward(b, probe, (41.3, 40.6))


def test_the_bench_knows_what_every_setting_changes():
    assert set(OTHER) == {s.name for s in SimulationConfig.settings()}
    bench = Bench()
    bench.experiment(SMALL)
    for name, value in OTHER.items():
        quick, whole = bench.experiment(SMALL.replace(**{name: value})), Experiment.of(SMALL.replace(**{name: value}))
        assert all(np.array_equal(getattr(quick, array), getattr(whole, array)) for array in ARRAYS), name
        assert bench.step(quick.config) == step(whole.true_positions)


def test_the_bench_makes_again_only_what_a_setting_changes():
    bench = Bench()
    before, after = bench.experiment(SMALL), bench.experiment(SMALL.replace(nphotons=1e3))
    assert after.truth is before.truth
    assert after.true_positions is before.true_positions
    assert after.true_probe is not before.true_probe


def test_a_plan_is_of_the_scan_that_simulate_scan_makes(plan):
    scan = simulate_scan(SMALL)
    assert scan.M == plan.M
    assert plan.overlap == pytest.approx(overlap(scan.true_probe, scan.true_positions))
    assert plan.step == step(scan.true_positions)
    assert plan.diameter == probe_diameter(scan.true_probe)
    canvas, probe, place = (torch.from_numpy(x) for x in (scan.truth, scan.true_probe, scan.true_positions[[plan.pattern]]))
    np.testing.assert_allclose(plan.expected, expected_photons(canvas, probe, place)[0], rtol=1e-6)
    assert plan.pattern == scan.middle


def test_the_step_of_a_plan_is_overlap_by_its_definition(plan):
    assert plan.step == pytest.approx((1 - SMALL.overlap) * SMALL.probe_diameter, rel=0.05)
    assert plan.overlap == 1 - plan.step / plan.diameter


def test_one_measurement_scatters_about_the_expected_pattern_as_photons_do(plan):
    assert np.array_equal(plan.counted, np.round(plan.counted))
    bright = plan.expected > 20
    error = ((plan.counted - plan.expected) / np.sqrt(plan.expected))[bright]
    assert error.std() == pytest.approx(1, abs=5 / np.sqrt(2 * error.size))


def test_the_light_of_a_plan_is_all_the_photons_of_the_probe(plan):
    fell, _ = plan.light
    assert fell.sum() == pytest.approx(plan.M * SMALL.nphotons, rel=1e-5)


def test_a_beamstop_leaves_no_number_behind_it():
    stopped = design(SMALL.replace(beamstop=3))
    assert np.isnan(stopped.expected[16, 16])
    assert np.isnan(stopped.counted[16, 16])
    assert np.isfinite(stopped.expected).sum() == stopped.experiment.mask.sum()
    assert "nan" not in str(stopped)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"overlap": 0.3}, "overlap"),
        ({"overlap": 0.1}, "holes"),
        ({"scan": "raster"}, "grid"),
        ({"nphotons": 100.0}, "dose"),
        ({"height": 38}, "line"),
    ],
)
def test_a_bad_plan_is_told_by_the_check_of_a_scan(changes, word, plan):
    assert plan.findings == []
    bad = design(SMALL.replace(**changes))
    assert word in [f.word for f in bad.findings]
    assert word in [f.word for f in checks(bad.experiment.record())]
    assert str(next(f for f in bad.findings if f.word == word)) in str(bad)


def test_the_checks_of_a_plan_are_those_of_a_scan():
    assert set(APPLY) <= set(SCAN_CHECKS)


def test_a_plan_tells_its_numbers_with_units(plan):
    told = str(plan)
    for words in (f"{plan.M} of 32 × 32 px", "1 − step / diameter", "λz / (N · detector pixel)", "2.7 px across a speckle", "photons"):
        assert words in told
    assert "px" in str(design(SMALL.replace(pixel_size=None)))
    assert "below 2" in design(SMALL.replace(probe_diameter=18, overlap=0.8)).facts["Oversampling"]
    assert repr(plan) == f"<Design: {plan.M} patterns of 32 x 32, overlap {100 * plan.overlap:.0f} %, 0 findings>"


def test_a_plan_that_makes_no_scan_says_why():
    with pytest.raises(InputError, match="each side needs at least"):
        design(SMALL.replace(height=32))


def test_the_forward_model_is_the_one_that_methods_are_compared_by(waves):
    a, _, seen, _ = waves
    probe = simulate_probe(SMALL)[0][:1]
    canvas, place = torch.from_numpy(a), torch.tensor([[41.3, 40.6]], dtype=torch.float64)
    expected = expected_photons(canvas, torch.from_numpy(probe), place)[0].numpy()
    np.testing.assert_allclose(seen.photons, expected, rtol=1e-5, atol=1e-5 * expected.max())
    np.testing.assert_allclose(seen.exit_wave, seen.probe * seen.patch, rtol=1e-6)
    assert seen.photons.sum() == pytest.approx((np.abs(seen.exit_wave) ** 2).sum(), rel=1e-5)


def test_the_forward_model_follows_the_probe_between_pixels(waves):
    a, _, seen, _ = waves
    beside = forward(a, simulate_probe(SMALL)[0][0], (41.3, 41.0))
    assert np.array_equal(seen.patch, beside.patch)
    assert not np.allclose(seen.probe, beside.probe)


@pytest.mark.parametrize("position", [(10.0, 40.0), (41.0, 80.0)])
def test_a_window_that_leaves_the_object_says_how_far_it_may_go(waves, position):
    with pytest.raises(InputError, match="rows go from 16 to 64, columns from 16 to 76"):
        forward(waves[0], simulate_probe(SMALL)[0][0], position)


def test_a_forward_model_of_several_modes_is_refused(waves):
    with pytest.raises(InputError, match="one mode"):
        forward(waves[0], simulate_probe(SMALL)[0], (41.0, 40.0))


@pytest.mark.parametrize("guess", GUESSES)
def test_every_guess_of_the_phase_gives_the_same_pattern(waves, guess):
    _, _, seen, other = waves
    np.testing.assert_allclose(photons_of(guessed(seen, guess, other)), seen.photons, rtol=1e-3, atol=1e-5 * seen.photons.max())


def test_only_the_lost_phase_gives_the_wave_back(waves):
    _, _, seen, other = waves
    alike = {guess: likeness(guessed(seen, guess, other), seen.exit_wave) for guess in GUESSES}
    assert alike["true"] == pytest.approx(1, abs=1e-5)
    assert max(alike["zero"], alike["random"]) < 0.5
    assert alike["other"] < 0.99


def test_a_guess_that_does_not_exist_or_lacks_its_wave_is_told(waves):
    with pytest.raises(InputError, match="zero"):
        guessed(waves[2], "zeros")
    with pytest.raises(InputError, match="other="):
        guessed(waves[2], "other")


def test_a_picture_of_exchanged_far_fields_resembles_the_one_that_gave_the_phase():
    a, b = two_objects(SimulationConfig(seed=2))
    for amplitude, phase in ((a, b), (b, a)):
        out = exchanged(amplitude, phase)
        for part in (np.abs, np.angle):
            assert likeness(part(out), part(phase)) > 0.1 + likeness(part(out), part(amplitude))


def test_exchange_keeps_the_modulus_of_one_and_the_phase_of_the_other(waves):
    a, b, *_ = waves
    np.testing.assert_allclose(np.abs(np.fft.fft2(exchanged(a, b))), np.abs(np.fft.fft2(a)), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(exchanged(a, a), a, atol=1e-5)
    np.testing.assert_allclose(np.abs(mixed(a, b)), np.abs(a), rtol=1e-5)
    np.testing.assert_allclose(np.angle(mixed(a, b)), np.angle(b), atol=1e-5)


def test_likeness_forgets_a_global_phase_of_waves_and_the_mean_of_images(waves):
    wave = waves[2].exit_wave
    assert likeness(wave, 3 * wave * np.exp(2j)) == pytest.approx(1)
    image = np.abs(wave)
    assert likeness(image, 5 - image) == pytest.approx(-1)
    assert likeness(image, np.ones_like(image)) == 0


@pytest.mark.long
def test_the_pictures_say_what_they_show(plan, waves):
    assert repr(design_picture(plan)) == f"<Picture: design: {plan.M} patterns, overlap {100 * plan.overlap:.0f} %>"
    labels = {axes.get_xlabel() for axes in design_picture(plan).axes} | {axes.get_ylabel() for axes in design_picture(plan).axes}
    assert {"column [nm]", "row [nm]", "photons a pixel", "light on the object [photons/px]"} <= labels
    drawn = forward_picture(waves[2])
    assert {"amplitude", "phase [rad]", "photons a pixel"} <= {axes.get_ylabel() for axes in drawn.axes}
    assert drawn.png().startswith(b"\x89PNG")
