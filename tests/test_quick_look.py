import importlib
import itertools

import numpy as np
import pytest
from tiny_scan import tiny_scan

from ptycho_nb import Control, InputError, Scan, SimulationConfig, State, simulate_scan
from ptycho_nb.metrics import compare_objects
from ptycho_nb.quick_look import Orientation, looked_at, quick_look, rank_orientations, unseen
from ptycho_nb.quick_look.look import middle

LOOK = importlib.import_module("ptycho_nb.quick_look.look")  # the package shows the function of that name
WAYS = list(itertools.product((False, True), repeat=3))


def test_a_quick_look_shows_the_object():
    scan = tiny_scan(9, 10)
    found = quick_look(scan, 1.0)
    assert found.state is State.DONE
    assert looked_at(scan, found) is scan
    assert compare_objects(found.object, scan.truth, found.scanned).phase.ssim > 0.8


def test_a_quick_look_is_done_when_its_time_is_over():
    found = quick_look(simulate_scan(SimulationConfig.preset("quick")), 0.3)
    assert 0.1 < found.seconds < 1
    assert (found.state, found.history.state, found.history.message) == (State.DONE, State.DONE, "")


def test_of_a_scan_too_large_for_the_time_the_middle_is_looked_at(monkeypatch):
    monkeypatch.setattr(LOOK, "pace", lambda scan, control: 4000.0)
    scan = tiny_scan(20, 24)
    found = quick_look(scan, 0.5)
    part = looked_at(scan, found)
    assert len(found.positions) == part.M == pytest.approx(4000 * 0.5 / LOOK.FEWEST, rel=0.02)
    np.testing.assert_array_equal(part.positions, found.positions)
    assert found.r_factor(part) < 0.5


@pytest.mark.parametrize(("rows", "columns", "judges"), [(2, 3, 1), (4, 5, 4), (9, 10, 9)])
def test_some_patterns_are_not_fitted_so_that_they_can_judge(rows, columns, judges):
    scan = tiny_scan(rows, columns)
    found = quick_look(scan, 0.3)
    assert len(found.positions) == scan.M
    assert len(set(unseen(scan, found))) == judges


def test_the_middle_of_a_scan_has_its_proportions():
    scan = tiny_scan(12, 24)
    span = np.ptp(scan.positions[middle(scan, 72)], axis=0)
    assert span[1] / span[0] == pytest.approx(2, abs=0.5)


def test_a_quick_look_obeys_a_stop():
    control = Control()
    found = quick_look(tiny_scan(9, 10), 60, listener=lambda history: control.stop(), control=control)
    assert found.state is State.STOPPED
    assert len(found.history.steps) == 1


def test_the_shortest_quick_look_is_one():
    assert quick_look(tiny_scan(6, 7), 0.1).state is State.DONE


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_quick_look_needs_a_time(seconds):
    with pytest.raises(InputError, match="give at least"):
        quick_look(tiny_scan(), seconds)


@pytest.mark.parametrize("photons", [1e2, 1e4, 1e8])
def test_a_quick_look_stays_finite_at_any_dose(photons):
    scan = simulate_scan(SimulationConfig.preset("quick", nphotons=photons, probe_error=0.3))
    found = quick_look(scan, 0.4)
    assert found.state is State.DONE
    assert np.isfinite(found.object).all()


def turned(transpose: bool, rows: bool, columns: bool, **changes) -> Scan:
    """A scan of an asymmetric object whose positions are recorded the other way round."""
    config = {"object": "dead_leaves", "height": 140, "width": 220, **changes}
    return simulate_scan(SimulationConfig(**config)).oriented(transpose=transpose, flip_rows=rows, flip_columns=columns)


def undone(transpose: bool, rows: bool, columns: bool) -> tuple[bool, bool, bool]:
    """What turns such positions back."""
    return (True, columns, rows) if transpose else (False, rows, columns)


def way(one: Orientation) -> tuple[bool, bool, bool]:
    return one.transpose, one.flip_rows, one.flip_columns


def test_an_orientation_is_applied_as_the_scan_takes_it():
    scan = tiny_scan(4, 6)
    expected = scan.oriented(transpose=True, flip_columns=True).positions
    np.testing.assert_array_equal(Orientation(True, False, True).apply(scan).positions, expected)


def test_what_undoes_an_orientation_gives_the_positions_back():
    scan = tiny_scan(4, 6)
    for flags in WAYS:
        again = Orientation(*undone(*flags)).apply(Orientation(*flags).apply(scan)).positions
        offset = again - scan.positions
        np.testing.assert_allclose(offset, np.broadcast_to(offset[0], offset.shape), atol=1e-9)


def test_each_orientation_has_its_own_words():
    words = {Orientation(*flags).words for flags in WAYS}
    assert len(words) == 8
    assert {"as recorded", "rows and columns swapped", "rows flipped", "rows and columns flipped"} < words


def test_a_free_probe_ranks_four_pairs_that_negate_both_axes():
    ranked = rank_orientations(tiny_scan(9, 10), seconds=1.0)
    pairs = [{way(one), way(one.equal)} for one in ranked]
    assert len(ranked) == 4
    assert set().union(*pairs) == set(WAYS)
    assert all(one.transpose == one.equal.transpose and one.flip_rows != one.equal.flip_rows for one in ranked)
    assert [one.misfit for one in ranked] == sorted(one.misfit for one in ranked)


def test_a_fixed_probe_ranks_all_eight():
    ranked = rank_orientations(tiny_scan(9, 10), free_probe=False, seconds=1.0)
    assert {way(one) for one in ranked} == set(WAYS)
    assert all(one.equal is None for one in ranked)
    assert way(ranked[0]) == (False, False, False)


@pytest.mark.long
@pytest.mark.parametrize("flags", WAYS)
def test_the_pair_that_undoes_a_wrong_orientation_comes_first_by_a_clear_margin(flags):
    seed = WAYS.index(flags)
    ranked = rank_orientations(turned(*flags, seed=seed, probe_error=0.1))
    assert undone(*flags) in (way(ranked[0]), way(ranked[0].equal))
    assert ranked[0].misfit < 0.75 * ranked[1].misfit


def test_a_ranking_obeys_a_stop():
    control = Control()
    control.stop()
    assert rank_orientations(tiny_scan(9, 10), control=control) == []


def test_a_ranking_needs_patterns_to_judge_by():
    with pytest.raises(InputError, match="has 12 patterns"):
        rank_orientations(tiny_scan(3, 4))
