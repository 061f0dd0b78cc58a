"""The finish of a quick look: what its network sees, what it makes, and that patterns held out decide."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb import RefinementConfig, SimulationConfig, quick_look, refine, simulate_scan
from ptycho_nb.metrics import compare_objects
from ptycho_nb.quick_look import finish, unseen
from ptycho_nb.quick_look.finish import WEIGHTS, Rough, finished, improved, trained
from ptycho_nb.quick_look.look import recipe
from ptycho_nb.quick_look.unet import CHANNELS, MULTIPLE, FinishingNet


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(SimulationConfig(height=150, width=166, object="dead_leaves", seed=11))


@pytest.fixture(scope="module")
def found(scan):
    return refine(scan, config=recipe(scan, 3).replace(mend_slow_phase=False))


@pytest.fixture(scope="module")
def split(scan, found):
    judges = unseen(scan, found)
    return np.setdiff1d(np.arange(scan.M), judges), judges


@pytest.fixture(scope="module")
def rough(scan, found, split):
    return Rough.of(scan, found, split[0])


def test_before_it_has_learned_the_network_adds_nothing():
    maps = torch.randn(1, CHANNELS, 3 * MULTIPLE, 2 * MULTIPLE, generator=torch.Generator().manual_seed(0))
    assert not FinishingNet()(maps).any()


def test_the_weights_that_come_with_the_package_fit_and_are_small():
    assert WEIGHTS.stat().st_size < 4e6
    assert sum(p.numel() for p in trained().parameters()) == sum(p.numel() for p in FinishingNet().parameters())


def test_what_the_network_sees_does_not_depend_on_the_global_phase_or_the_scale(rough):
    gain = 0.3 * np.exp(2j)
    other = Rough(*[(v * gain).astype(np.complex64) if np.iscomplexobj(v) else v for v in vars(rough).values()])
    np.testing.assert_allclose(other.maps()[0], rough.maps()[0], atol=2e-5)


def test_the_finished_object_keeps_its_scale_and_is_left_alone_in_the_dark(rough):
    made, dark = improved(rough), rough.light == 0
    np.testing.assert_allclose(np.linalg.norm(rough.light * made), np.linalg.norm(rough.light * rough.object), rtol=0.1)
    assert dark.any()
    np.testing.assert_allclose(np.abs(made[dark]), np.abs(rough.object[dark]), rtol=1e-4)


def test_an_unseen_object_comes_nearer_the_truth(scan, found, rough):
    before, after = (compare_objects(one, scan.truth, found.scanned) for one in (found.object, improved(rough)))
    assert after.amplitude.ssim > before.amplitude.ssim + 0.03
    assert after.phase.ssim > before.phase.ssim + 0.03


@pytest.mark.parametrize("helps", [True, False])
def test_the_finish_is_taken_only_where_it_explains_patterns_held_out(scan, found, split, monkeypatch, helps):
    monkeypatch.setattr(finish, "improved", lambda rough: scan.truth_on(found.canvas) if helps else found.object[::-1].copy())
    result = finished(scan, found, *split)
    told = result.settings["finish"]
    assert told["taken"] is helps
    assert (told["held_out_after"] < told["held_out_before"]) is helps
    assert np.array_equal(result.object, found.object) is not helps


def test_the_finish_is_not_shaped_by_the_patterns_that_judge_it(scan, found, split):
    fitted, judges = split
    changed = scan.intensity.copy()
    changed[judges] = np.roll(changed[judges], 5, axis=1)
    a, b = (Rough.of(one, found, fitted).maps()[0] for one in (scan, scan.replace(intensity=changed)))
    np.testing.assert_array_equal(a, b)


def test_a_quick_look_tells_of_its_finish_and_can_be_fitted_further(scan):
    look = quick_look(scan, 0.5)
    assert set(look.settings["finish"]) == {"taken", "held_out_before", "held_out_after"}
    further = refine(scan, look, RefinementConfig(epochs=8))
    assert further.r_factor(scan) < look.r_factor(scan)
    assert int(further.optimiser["opened"]) == 2  # a look's slow phase is mended as a flat start's is
