"""The cases of the failure gallery: each number crosses its threshold on the bad run and not on the cured one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ptycho_nb.checks import positions as position_checks
from ptycho_nb.checks import results as result_checks
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control
from ptycho_nb.lessons.failures import FAILURES, Failure, Outcome, Trial
from ptycho_nb.lessons.failures.diagnostics import OVER_NOISE, OVERLAP, SHIFT

TOLD = {  # what checks says of the bad run
    "overlap": "overlap",
    "dose": "dose",
    "defocus": "misfit",
    "axes": "misfit",
    "positions": "misfit",
    "learning rate": "vortices",
    "no constraint": "misfit",
}


def both(case: Failure) -> tuple[Outcome, Outcome]:
    return case.show(), case.cure()


@pytest.fixture(scope="module")
def overlap() -> tuple[Outcome, Outcome]:
    return both(FAILURES["overlap"])


def holds(case: Failure, bad: Outcome, good: Outcome) -> None:
    """The bad run crosses the threshold with a margin, the cured one does not, and the truth says the same."""
    threshold, below = case.diagnostic.threshold, case.diagnostic.below
    assert bad.crossed
    assert not good.crossed
    margin = (threshold / bad.reading.number, good.reading.number / threshold)
    assert min(margin if below else [1 / m for m in margin]) > 1.3
    assert bad.phase_error > 2.5 * good.phase_error
    assert bad.amplitude_error > 1.8 * good.amplitude_error


def test_too_little_overlap_is_told_by_the_overlap(overlap):
    holds(FAILURES["overlap"], *overlap)


def test_the_misfit_does_not_tell_too_little_overlap(overlap):
    assert overlap[0].over_noise < OVER_NOISE.threshold


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in FAILURES if name != "overlap"])
def test_each_number_tells_its_failure_and_is_silent_after_the_cure(name):
    case = FAILURES[name]
    bad, good = both(case)
    holds(case, bad, good)
    assert TOLD[name] in [finding.word for finding in bad.findings]
    if name == "no constraint":
        assert bad.loss < 0.85 * good.loss
    else:
        assert good.findings == []


@pytest.mark.long
@pytest.mark.parametrize("name", ["overlap", "dose", "defocus", "positions", "learning rate"])
def test_the_thresholds_hold_on_another_object(name):
    case = FAILURES[name]
    other = {kind: replace(trial, simulation=trial.simulation.replace(seed=1)) for kind, trial in (("bad", case.bad), ("good", case.good))}
    holds(case, *both(replace(case, **other)))


def test_checks_speaks_to_the_symptom_and_not_after_the_cure(overlap):
    assert "overlap" in [finding.word for finding in overlap[0].findings]
    assert overlap[1].findings == []


def test_a_threshold_that_a_check_has_too_is_the_check_s():
    assert OVERLAP.threshold == position_checks.LEAST_OVERLAP
    assert OVER_NOISE.threshold == result_checks.MISFIT_RATIO


def test_objects_are_compared_and_shown_over_one_region(overlap):
    bad, good = overlap
    np.testing.assert_array_equal(bad.pair.truth, good.pair.truth)
    assert np.square(np.abs(bad.shown)).mean() == pytest.approx(np.square(np.abs(bad.pair.truth)).mean())


@pytest.mark.parametrize("number", [math.nan, 0.26, 1e9])
def test_a_number_beyond_the_threshold_or_none_at_all_rings(number):
    assert SHIFT.crossed(number)
    assert not OVERLAP.crossed(0.5)
    assert OVERLAP.crossed(0.49)
    assert OVERLAP.crossed(math.nan)


def test_a_number_is_told_against_its_threshold():
    assert SHIFT.words(0.4654).endswith("0.465 px. That is above 0.25 px, the threshold: the alarm rings.")
    assert OVERLAP.words(0.7).endswith("0.7. The alarm rings below 0.5; it is silent.")


def test_swapped_axes_are_those_of_the_file_and_the_cure_turns_them_back():
    case = FAILURES["axes"]
    right, wrong, turned = (trial.scan() for trial in (Trial(case.bad.simulation, case.bad.configs), case.bad, case.good))
    np.testing.assert_array_equal(wrong.positions, right.positions[:, ::-1])
    np.testing.assert_array_equal(turned.positions, right.positions)
    assert turned.truth is not None


def test_a_run_that_is_stopped_is_not_judged():
    control = Control()
    control.stop()
    with pytest.raises(InputError, match="stopped before"):
        FAILURES["overlap"].show(control)


@pytest.mark.parametrize("case", FAILURES.values(), ids=list(FAILURES))
def test_a_case_is_told_in_few_words(case):
    assert (case.symptom.count("."), case.remedy.endswith(".")) == (1, True)
    assert len([s for s in case.why.split(". ") if s]) == 2


@pytest.mark.parametrize("case", FAILURES.values(), ids=list(FAILURES))
def test_failure_and_cure_look_at_one_object(case):
    assert {case.bad.simulation.seed, case.bad.simulation.object} == {case.good.simulation.seed, case.good.simulation.object}
    assert case.bad.region == case.good.region
