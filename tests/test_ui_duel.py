"""The Duel, driven by its controls without a browser."""

from __future__ import annotations

import html
import re
from types import SimpleNamespace

import numpy as np
import pytest
from leftovers import nothing_left, until
from tiny_scan import tiny_scan

from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, History, State
from ptycho_nb.ui import Duel
from ptycho_nb.ui.lessons.duel import contest as contest_module
from ptycho_nb.ui.lessons.duel import words as words_module
from ptycho_nb.ui.lessons.duel.contest import Contest, Stopwatch, grouped, times
from ptycho_nb.ui.lessons.duel.judging import Errors, Score, middle
from ptycho_nb.ui.lessons.duel.panel import EMPTY

SCAN = tiny_scan(9, 10)
BLIND = SCAN.replace(truth=None)


@pytest.fixture
def make():
    """Panels of so many seconds that are closed at the end, with all they made."""
    with nothing_left():
        made: list[Duel] = []

        def duel(source=SCAN, seconds: str = "0.6") -> Duel:
            made.append(Duel(source))
            made[-1].seconds.value = seconds
            return made[-1]

        yield duel
        for one in made:
            one.close()


def words(pane) -> str:
    return html.unescape(re.sub("<[^>]*>", " ", pane.value))


def score(r: float, phase_error: float | None, held_out=(1.0, 1.1, 0.9, 1.0), seconds: float = 10.0, again: float = 10.0) -> Score:
    errors = None if phase_error is None else Errors(0.9, 0.8, phase_error, 1.5)
    return Score(seconds, again, r, 0.05, np.array(held_out), errors)


def test_before_the_first_contest_it_says_what_to_do(make):
    duel = make()
    assert EMPTY in words(duel.screen.state)
    assert SCAN.name in words(duel.about)
    assert duel.screen.widget.layout.display == "none"
    assert repr(duel) == "<Duel: no contest yet>"
    assert "image/png" not in duel._repr_mimebundle_()


@pytest.mark.parametrize("typed", ["", "x", "0", "601", "nan", "<b>"])
def test_a_time_that_is_none_is_said_and_starts_nothing(make, typed):
    duel = make(seconds=typed)
    duel.start.click()
    assert "it must be a number in 0.5 to 600" in words(duel.problem)
    assert not duel.busy
    assert not duel.runs


def test_a_contest_gives_both_their_objects_numbers_and_a_sentence(make):
    duel = make()
    duel.start.click()
    assert duel.wait(120)
    assert words(duel.problem) == ""
    assert list(duel.results) == list(duel.scores) == ["Network", "Iterative"]
    assert {run.state for run in duel.runs.values()} == {State.DONE}
    for said in ("Each had 0.6 s", "Mean phase error against the known object", "4 held-out patterns", "One scan", "try others"):
        assert said.lower() in duel.verdict.lower().replace("this is one scan", "one scan")
    assert all(sentence in words(duel.news) for sentence in duel.verdict.split(". ")[:2])
    assert "Misfit R, all patterns" in words(duel.numbers)
    assert duel.numbers.value.count("<svg") == 2
    assert words(duel.screen.state).strip() == "Done"
    assert duel._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    assert not duel.start.disabled
    assert duel.stop.disabled


def test_no_method_sees_the_patterns_that_judge(make):
    duel = make(BLIND)
    duel.run()
    assert {run.scan.M for run in duel.runs.values()} == {SCAN.M - 4}
    assert len(duel.scores["Network"].held_out) == len(duel.scores["Iterative"].held_out) == 4
    assert "known object" not in duel.verdict
    assert "not known" in words(duel.numbers)
    assert duel.numbers.value.count("<svg") == 1


def test_both_keep_the_probe_unless_the_fit_is_allowed_to_change_it(make):
    duel = make(BLIND)
    duel.run()
    np.testing.assert_array_equal(duel.results["Network"].probe, SCAN.probe)
    np.testing.assert_allclose(duel.results["Iterative"].probe, SCAN.probe, rtol=1e-4, atol=1e-3)
    duel.fits_probe.value = True
    duel.run()
    assert not np.allclose(duel.results["Iterative"].probe, SCAN.probe, rtol=1e-2, atol=1e-2)


def test_the_buttons_show_both_at_the_same_time_of_work(make):
    duel = make(seconds="1")
    duel.run()
    contest, screen = duel._contest, duel.screen
    assert [value for _, value in screen.time.options] == list(times(1.0))
    assert screen.time.value == 1.0
    for t in times(1.0):
        screen.time.value = t
        for name, side in contest.sides.items():
            mark = contest.shown(side, t)
            if mark is not None:
                assert f"{name} after {mark.seconds:.3g} s" in words(screen.columns[name])
                assert t == 1.0 or mark.seconds <= t + 0.1 * times(1.0)[0]
    assert "Known object: object phase" in screen.columns["Known object"].value


def test_a_network_whose_steps_take_less_than_foretold_goes_on_to_the_end_of_its_time(make, monkeypatch):
    slow = SimpleNamespace(seconds=1.0, steps_per_epoch=1, seconds_per_step=1e4)
    monkeypatch.setattr(contest_module, "estimate", lambda *_, **__: slow)
    duel = make(BLIND, seconds="4")
    monkeypatch.setattr(contest_module.Contest, "_iterative", lambda *_: None)
    duel.run()
    side = duel._contest.sides["Network"]
    assert side.run.configs["training"].epochs == 1
    assert side.result.history.epochs > 1
    assert len(side.result.history.steps) > 2 * slow.steps_per_epoch


def test_a_stop_keeps_what_there_is_and_begins_no_more(make):
    duel = make(seconds="60")
    duel.start.click()
    assert until(lambda: duel.runs and len(duel._contest.sides["Network"].run.histories), 60)
    duel.stop.click()
    assert duel.wait(60)
    assert list(duel.results) == ["Network"]
    assert duel.runs["Network"].state is State.STOPPED
    assert "there is no object of Iterative to compare with" in duel.verdict
    assert words(duel.screen.state).strip() == "Stopped"
    assert not duel.start.disabled


def test_a_stop_in_the_second_turn_leaves_both_to_compare(make):
    duel = make(seconds="0.6")
    begun = Contest._iterative

    def longer(contest, listener, say):
        contest.seconds = 60.0
        begun(contest, lambda history: (listener(history), len(history.steps) > 5 and contest.control.stop()), say)

    Contest._iterative = longer
    try:
        duel.run()
    finally:
        Contest._iterative = begun
    assert duel.verdict.startswith("Stopped: Network ")
    assert list(duel.scores) == ["Network", "Iterative"]


def test_a_failure_is_a_sentence_and_start_works_again(make, monkeypatch):
    duel = make()
    monkeypatch.setattr(contest_module, "estimate", lambda *_, **__: 1 / 0)
    duel.run()
    assert "ZeroDivisionError" in words(duel.problem)
    assert words(duel.screen.state).strip() == "Failed"
    assert not duel.start.disabled
    monkeypatch.undo()
    duel.run()
    assert len(duel.scores) == 2
    assert words(duel.problem) == ""


def test_closing_in_the_middle_of_a_contest_leaves_nothing(make):
    duel = make(seconds="60")
    duel.start.click()
    assert until(lambda: duel.runs, 60)
    duel.close()
    assert not duel.busy


def test_a_file_that_is_not_there_is_said(make, tmp_path):
    duel = make(tmp_path / "none.npz")
    assert "none.npz" in words(duel.about)
    duel.run()
    assert "none.npz" in words(duel.problem)


def test_marks_fall_on_round_times_and_the_end():
    assert times(10) == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    assert times(0.5) == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert times(25) == (5, 10, 15, 20, 25)
    assert all(len(times(t)) <= 12 and times(t)[-1] == t for t in np.linspace(0.5, 600, 400))


class Clock:
    """A monotonic clock set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_stopwatch_ends_a_run_in_time_and_does_not_count_its_marks(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(contest_module, "time", clock)
    contest = Contest(SCAN, 2.0, fits_probe=False, control=Control())
    side = contest._begin("Iterative", {})
    watch = Stopwatch(side, [0.5, 1.0, 1.5], 2.0, contest.control, lambda _: None)
    history = History()
    history.state = State.RUNNING

    def preview():
        clock.now += 7.0  # s that the mark takes
        return contest_module.Preview(np.ones(SCAN.canvas.shape, np.complex64), (0, 0), SCAN.probe)

    history.previewer = preview
    for _ in range(30):
        clock.now += 0.375
        watch(history)
        if watch.control.stopping:
            break
    assert [mark.seconds for mark in side.marks] == [0.75, 1.125, 1.5]
    assert side.worked == 2.25


def test_a_sentence_does_not_call_a_difference_within_its_error_one():
    one, other = score(0.1, 0.2), score(0.2, 0.1, held_out=(1.2, 0.9, 0.9, 1.05), again=0.5)
    said = " ".join(words_module.verdict({"Network": other, "Iterative": one}, 10, False))
    assert "equally well within 2 standard errors" in said
    assert words_module.DISAGREE in said
    assert words_module.UNEQUAL not in said


def test_a_sentence_names_the_method_that_explains_unseen_patterns_better():
    scores = {"Network": score(0.1, 0.1, held_out=(0.5, 0.6, 0.5, 0.6), again=0.5), "Iterative": score(0.2, 0.2, seconds=12.0)}
    said = " ".join(words_module.verdict(scores, 10, False))
    assert "explained better by Network" in said
    assert words_module.AGREE in said
    assert words_module.UNEQUAL in said
    assert "about 0.5 s" in said


def test_the_middle_of_a_large_region_is_judged():
    assert middle((slice(10, 90), slice(0, 1000))) == (slice(10, 90), slice(400, 600))


def test_controls_have_names_and_tooltips(make):
    duel = make()
    controls = (duel.seconds, duel.fits_probe, duel.start, duel.stop, duel.screen.time)
    assert all(control.tooltip and control.description for control in controls)


def test_what_is_no_source_is_refused_at_once():
    with pytest.raises(InputError, match="not a int"):
        Duel(5)


@pytest.mark.parametrize(("patterns", "gridsize"), [(1, 1), (4, 2), (15, 3), (16, 4), (500, 4)])
def test_a_scan_of_few_patterns_is_grouped_as_far_as_they_go(patterns, gridsize):
    assert grouped(patterns).gridsize == gridsize
