"""The three ways side by side: held-out patterns, verdict, stop and resume."""

from __future__ import annotations

import numpy as np
import pytest

from ptycho_nb import Control, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig, compare, simulate_scan
from ptycho_nb.compare import Comparison, Row, _verdict
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.history import State
from ptycho_nb.result import Reconstruction

SMALL = SimulationConfig(object="dead_leaves", N=32, height=88, width=104, overlap=0.65, probe_diameter=12, defocus=0.5)
SHORT = {"training": TrainingConfig(epochs=2), "model": ModelConfig(hidden=12)}
METHODS = ["Iterative", "Network", "Network, then iterative"]


@pytest.fixture(scope="module")
def scan():
    return simulate_scan(SMALL)


@pytest.fixture(scope="module")
def found(scan):
    return compare(scan, RefinementConfig(epochs=12), **SHORT)


def row(scan, held_out, seconds=1.0, state=State.DONE):
    result = Reconstruction(scan.truth, np.abs(scan.truth), scan.probe, scan.positions, (0, 0), None, "Iterative", state)
    return Row(result, seconds, np.asarray(held_out, dtype=float), 0.1)


def test_all_three_are_judged_on_patterns_that_none_was_given(scan, found):
    assert list(found.rows) == METHODS
    assert len(found.judged) == round(0.05 * scan.M)
    for each in found.rows.values():
        assert len(each.result.positions) == scan.M - len(found.judged)
        assert len(each.held_out) == len(found.judged)


def test_the_winner_is_a_reconstruction_from_all_patterns(scan, found):
    assert isinstance(found, Reconstruction)
    assert found.method == "Iterative"
    assert found.object.shape == scan.truth.shape
    np.testing.assert_array_equal(found.positions, scan.positions)
    part = found.rows["Iterative"].result
    assert found.coverage.sum() > part.coverage.sum()
    assert found.r_factor(scan) < 1.1 * found.rows["Iterative"].r_factor


def test_seconds_of_the_network_hold_its_training(found):
    assert found.rows["Network"].seconds > found.training.seconds
    assert found.rows["Network, then iterative"].seconds > found.rows["Network"].seconds


def test_the_table_names_every_method_and_ends_with_the_verdict(found):
    lines = str(found).splitlines()
    assert [line[:24].strip() for line in lines[1:4]] == METHODS
    assert lines[-1] == found.verdict


def test_a_stop_leaves_out_what_has_not_begun_and_a_resume_takes_it_up(scan, found):
    control = Control()

    def listener(history):
        if len(history.steps) == 6:
            control.stop()

    part = compare(scan, RefinementConfig(epochs=12), **SHORT, listener=listener, control=control)
    assert list(part.rows) == ["Iterative"]
    assert part.state is State.STOPPED
    assert part.verdict.startswith("Stopped")
    whole = compare(scan, RefinementConfig(epochs=12), **SHORT, resume_from=part)
    assert list(whole.rows) == METHODS
    np.testing.assert_array_equal(whole.rows["Iterative"].result.object, found.rows["Iterative"].result.object)


def test_a_resumed_comparison_trains_to_the_planned_end_and_counts_all_the_time(scan):
    config, settings = RefinementConfig(epochs=32), {"training": TrainingConfig(epochs=5), "model": ModelConfig(hidden=12)}

    def stopped(run: int, steps: int, earlier: Comparison | None) -> Comparison:
        """One that is stopped at a step of one of its runs."""
        control, seen = Control(), []

        def listener(history):
            seen.extend([history] if not any(history is one for one in seen) else [])
            if len(seen) == run and len(history.steps) >= steps:
                control.stop()

        return compare(scan, config, **settings, listener=listener, control=control, resume_from=earlier)

    first = stopped(2, 3, None)
    assert (list(first.rows), first.training.standing.epoch < 5) == (METHODS[:2], True)
    second = stopped(2, 1, first)  # the network's rest, then the fit from it
    assert (list(second.rows), second.training.standing.epoch) == (METHODS, 5)
    assert second.rows[METHODS[2]].result.state is State.STOPPED
    whole = compare(scan, config, **settings, resume_from=second)
    assert (list(whole.rows), whole.training.standing.epoch) == (METHODS, 5)
    assert whole.rows[METHODS[2]].result.state is State.DONE
    assert whole.rows[METHODS[2]].seconds > whole.rows["Network"].seconds


def test_methods_that_do_not_differ_are_undecided_and_the_quickest_goes_on(scan, rng):
    noise = rng.normal(1, 0.1, 20)
    rows = {"a": row(scan, noise, seconds=9), "b": row(scan, noise + rng.normal(0, 0.01, 20), seconds=2), "c": row(scan, noise + 1)}
    name, words = _verdict(rows)
    assert name == "b"
    assert words.startswith("Undecided: ")
    assert "c" not in words.split("explain")[0].removeprefix("Undecided: ").split(" and ")


def test_a_clear_winner_is_named(scan, rng):
    noise = rng.normal(1, 0.1, 20)
    assert _verdict({"a": row(scan, noise + 0.5), "b": row(scan, noise)})[0] == "b"


def test_diverged_methods_do_not_win_and_none_left_is_one_sentence(scan):
    bad = row(scan, [0.1, 0.1], state=State.DIVERGED)
    assert _verdict({"a": bad, "b": row(scan, [1.0, 1.1])})[0] == "b"
    with pytest.raises(InputError, match="none ended with finite numbers"):
        _verdict({"a": bad, "b": row(scan, [np.nan, 1.0])})


def test_what_cannot_be_compared_is_refused_in_a_sentence(scan, found):
    with pytest.raises(ConfigError, match="refine_positions is true"):
        compare(scan, RefinementConfig(refine_positions=True))
    with pytest.raises(ConfigError, match="needs at least 30"):
        compare(scan.select(range(20)))
    with pytest.raises(InputError, match="another scan or seed"):
        compare(scan, RefinementConfig(seed=5), resume_from=found)
