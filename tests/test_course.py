"""How often a fit goes over the patterns, and its step sizes on the way."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_scan import tiny_scan

from ptycho_nb.config import RefinementConfig
from ptycho_nb.refinement import course, passes
from ptycho_nb.refinement.course import ALTERNATE, FEWEST, LARGEST, MOST, SMALLEST, rates
from ptycho_nb.scan import Scan


def test_epochs_and_batch_size_that_are_set_are_kept():
    assert passes(RefinementConfig(epochs=7, batch_size=5), tiny_scan()) == (7, 5)


def grid(step: float) -> Scan:
    """A raster of 6 x 7 positions of this step [px], no object known."""
    places = np.stack(np.meshgrid(np.arange(6), np.arange(7), indexing="ij"), -1).reshape(-1, 2)
    return tiny_scan(6, 7, N=32).replace(truth=None, positions=step * places)


def test_epochs_grow_with_the_area_of_a_position():
    assert passes(RefinementConfig(), grid(3.5)).epochs * 4 == pytest.approx(passes(RefinementConfig(), grid(7.0)).epochs, rel=0.05)


def test_epochs_stay_within_their_bounds():
    assert [passes(RefinementConfig(), grid(step)).epochs for step in (40.0, 0.05)] == [MOST, FEWEST]


def test_a_single_pattern_has_a_course():
    assert passes(RefinementConfig(), tiny_scan().select([0])) == (MOST, SMALLEST)


@pytest.mark.parametrize(("patterns", "size"), [(42, SMALLEST), (400, 25), (1600, LARGEST)])
def test_a_batch_is_a_sixteenth_of_the_patterns_within_bounds(patterns, size):
    scan = tiny_scan().select(np.resize(np.arange(42), patterns))
    assert passes(RefinementConfig(), scan).batch_size == size


def test_a_batch_of_a_very_large_scan_keeps_the_steps_of_an_epoch_bounded(monkeypatch):
    monkeypatch.setattr(course, "MANY", 25)
    scan = tiny_scan().select(np.resize(np.arange(42), 3200))
    assert passes(RefinementConfig(), scan).batch_size == 3200 // 25


def test_brightness_moves_at_once_and_a_background_waits_until_something_of_the_object_is_there():
    config = RefinementConfig(refine_brightness=True, refine_background=True)
    early, later = rates(config, 0.02, 0.1), rates(config, 0.04, 0.1)
    assert (early.brightness > 0, early.background > 0) == (True, False)
    assert (later.brightness > 0, later.background > 0) == (True, True)


def test_the_probe_moves_in_every_second_step_once_it_may():
    config = RefinementConfig(probe_start=0.5)
    moved = [rates(config, progress, 0.1, number).probe > 0 for progress in (0.4, 0.6) for number in range(4)]
    assert moved == [False] * 4 + [True, False] * 2
    assert ALTERNATE == 2


def test_by_default_the_probe_moves_from_the_first_step_on_however_long_the_run():
    assert rates(RefinementConfig(), 1e-6, 0.1, number=0).probe > 0


def test_the_rate_rises_and_then_falls_to_zero():
    config = RefinementConfig(warmup=0.25)
    steps = [rates(config, progress, 0.1).object for progress in np.linspace(0, 1, 41)]
    assert int(np.argmax(steps)) == 10
    assert steps[-1] == pytest.approx(0, abs=1e-12)
