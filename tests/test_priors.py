"""The prior of the iterative fit: its slope, what it leaves alone, how it is weighed, and that it helps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny_scan import tiny_scan

from ptycho_nb import Control, RefinementConfig, SimulationConfig, refine, simulate_scan
from ptycho_nb.metrics import compare_objects, step
from ptycho_nb.refinement.priors import (
    EVERY,
    HALF,
    NATS,
    Prior,
    prior,
    scale_free_slope,
    total_variation,
    total_variation_slope,
)

SHAPE = (9, 7)


def draw(seed: int) -> torch.Tensor:
    return torch.randn(*SHAPE, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def over_rms(object: torch.Tensor) -> float:
    return total_variation(object / object.abs().square().mean().sqrt())


@pytest.mark.parametrize(("value", "slope"), [(total_variation, total_variation_slope), (over_rms, scale_free_slope)])
def test_a_slope_is_the_finite_difference_of_its_value(value, slope):
    object, direction, small = draw(0), draw(1), 1e-6
    difference = (value(object + small * direction) - value(object - small * direction)) / (2 * small)
    along = (slope(object) * direction.conj()).real.sum()
    assert float(along) == pytest.approx(difference, rel=1e-6)


def test_a_constant_object_is_not_pulled():
    assert float(total_variation_slope(torch.full(SHAPE, 0.6 - 0.3j)).abs().max()) == 0


def test_the_slope_has_nothing_along_the_scale():
    object = draw(2)
    assert float((scale_free_slope(object) * object.conj()).real.sum()) == pytest.approx(0, abs=1e-9)


def test_a_step_along_rows_and_along_columns_costs_the_same():
    rows = torch.ones(8, 8, dtype=torch.complex128)
    rows[4:] = 2
    assert total_variation(rows) == pytest.approx(total_variation(rows.T)) == pytest.approx(8 * 1, rel=0.02)


def test_the_steps_of_one_pass_pull_as_much_as_the_weight_says():
    object, gradient = draw(3), torch.zeros(*SHAPE, 2, dtype=torch.float64)
    pull = Prior(5.0, patterns=12 * EVERY, loss="amplitude")
    for number in range(EVERY):
        pull.pull(gradient, object, chosen=12, number=number)
    expected = HALF * 5.0 / NATS["amplitude"] * torch.view_as_real(scale_free_slope(object))
    torch.testing.assert_close(gradient, expected)


def test_the_weight_follows_the_root_of_the_photons_of_an_object_pixel():
    scan = tiny_scan()
    found = prior(RefinementConfig(total_variation=0.5), scan.positions, photons=scan.photons, patterns=scan.M)
    assert found is not None
    assert found.share == pytest.approx(HALF * EVERY * 0.5 * math.sqrt(scan.photons) / step(scan.positions) / scan.M)


def test_no_strength_and_no_second_place_mean_no_prior():
    scan = tiny_scan()
    assert prior(RefinementConfig(total_variation=0.0), scan.positions, photons=100.0, patterns=scan.M) is None
    assert prior(RefinementConfig(), scan.positions[:1], photons=100.0, patterns=1) is None


def test_a_stopped_fit_with_a_prior_goes_on_as_if_it_had_not_been():
    scan, config = tiny_scan(), RefinementConfig(epochs=4, total_variation=0.5)
    whole, control = refine(scan, config=config), Control()

    def listener(history):
        if len(history.steps) == 5:
            control.stop()

    part = refine(scan, config=config, listener=listener, control=control)
    after = refine(scan, config=config.replace(epochs=4 - part.history.epochs), resume_from=part)
    np.testing.assert_array_equal(after.object, whole.object)


def test_total_variation_brings_a_noisy_object_nearer_to_the_truth():
    scan = simulate_scan(SimulationConfig(object="dead_leaves", height=112, width=120, nphotons=3e3, seed=4))
    plain, believed = (
        compare_objects(found.object, scan.truth, found.scanned)
        for found in (refine(scan, config=RefinementConfig(epochs=24, total_variation=strength)) for strength in (0.0, 0.5))
    )
    assert believed.amplitude.ssim > plain.amplitude.ssim + 0.05
    assert believed.phase.ssim > plain.phase.ssim
