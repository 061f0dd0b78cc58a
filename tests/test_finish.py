"""The finish of a quick look: what its network sees, what it makes, and that patterns held out decide."""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from ptycho_nb import Control, RefinementConfig, SimulationConfig, State, quick_look, refine, simulate_scan
from ptycho_nb.metrics import compare_objects
from ptycho_nb.quick_look import unseen
from ptycho_nb.quick_look.finish import WEIGHTS, Rough, finished, improved, suits, trained
from ptycho_nb.quick_look.look import recipe
from ptycho_nb.quick_look.unet import CHANNELS, MULTIPLE, FinishingNet
from ptycho_nb.report import methods_text

LOOK, finish = (importlib.import_module(f"ptycho_nb.quick_look.{name}") for name in ("look", "finish"))


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
    assert trained().last.weight.abs().max() > 0  # it has learned


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


@pytest.mark.parametrize("taken", ["network", "slow phase", "nothing"])
def test_the_finish_is_taken_only_where_it_explains_patterns_held_out(scan, found, split, monkeypatch, taken):
    upside_down = found.object[::-1].copy()
    monkeypatch.setattr(finish, "improved", lambda rough: scan.truth_on(found.canvas) if taken == "network" else upside_down)
    slow = np.zeros(found.object.shape, np.float32)
    known = Rough(found.object, found.coverage, slow, 0.9, found.object, 3.0)
    if taken == "slow phase":
        tilted = found.replace(object=np.asarray(found.object * np.exp(-0.3j * np.arange(len(slow))[:, None]), dtype=np.complex64))
        slow += 0.3 * np.arange(len(slow), dtype=np.float32)[:, None]
        known, found = replace(known, object=tilted.object), tilted
    monkeypatch.setattr(finish.Rough, "of", classmethod(lambda cls, *given: known))
    told = finished(scan, found, *split).settings["finish"]
    assert told["taken"] == taken
    assert min(told["held_out"], key=told["held_out"].get) == taken


def test_the_finish_is_not_shaped_by_the_patterns_that_judge_it(scan, found, split):
    fitted, judges = split
    changed = scan.intensity.copy()
    changed[judges] = np.roll(changed[judges], 5, axis=1)
    a, b = (Rough.of(one, found, fitted).maps()[0] for one in (scan, scan.replace(intensity=changed)))
    np.testing.assert_array_equal(a, b)


@pytest.fixture
def large(monkeypatch):
    """A scan of which a quick look has the time for a few epochs."""
    monkeypatch.setattr(LOOK, "pace", lambda scan, control: 2300.0)
    return simulate_scan(SimulationConfig.preset("quick", overlap=0.75))


def test_a_quick_look_tells_of_its_finish(large):
    look = quick_look(large, 1.0)
    told = look.settings["finish"]
    assert look.state is State.DONE
    assert set(told["held_out"]) >= {"nothing", "network"}
    assert told["held_out"][told["taken"]] == min(told["held_out"].values())
    np.testing.assert_array_equal(look.history.previewer().object, look.object)
    words = methods_text(look)
    assert ("A network trained on simulated scans" in words) is (told["taken"] == "network")


def test_a_stop_during_the_finish_is_told(large, monkeypatch):
    control = Control()
    monkeypatch.setattr(finish, "improved", lambda rough: control.stop() or rough.object)
    assert quick_look(large, 1.0, control=control).state is State.STOPPED


def test_a_quick_look_leaves_random_numbers_and_threads_as_they_were(large):
    trained.cache_clear()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    quick_look(large, 1.0)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("changes", [{"N": 32}, {"epochs": 13}, {"far": 4000}])
def test_looks_unlike_those_that_it_learned_from_are_left_alone(scan, changes):
    other = scan.replace(positions=scan.positions * changes["far"] / 100, truth=None) if "far" in changes else scan
    other = other.on_detector(crop=32) if "N" in changes else other
    assert suits(scan, 4)
    assert not suits(other, changes.get("epochs", 4))


def test_a_fit_from_a_look_is_a_look_no_more(large):
    look = quick_look(large, 1.0)
    fit = refine(large, look, RefinementConfig(epochs=8))
    again = refine(large, fit, RefinementConfig(epochs=8))
    assert "finish" not in fit.settings
    assert [int(one.optimiser["opened"]) for one in (fit, again)] == [2, 0]


def test_a_quick_look_can_be_fitted_further(scan, found, split):
    look = finished(scan, found, *split)
    further = refine(scan, look, RefinementConfig(epochs=8))
    assert further.r_factor(scan) < look.r_factor(scan)
    assert int(further.optimiser["opened"]) == 2  # a look's slow phase is mended as a flat start's is
