"""Work of a panel beside the kernel: one piece at a time, and what is told of it."""

from __future__ import annotations

import threading

import pytest
from leftovers import nothing_left, until

from ptycho_nb.ui.panels.task import Task


@pytest.fixture(autouse=True)
def nothing_stays():
    with nothing_left():
        yield


def test_who_is_told_that_work_has_ended_finds_it_ended():
    told = []
    task = Task(told.append, lambda busy: told.append((busy, task.busy)))
    task.run(lambda control: None)
    assert told == [(True, True), (False, False)]


def test_the_last_that_is_told_is_true_where_other_work_begins_as_some_ends():
    told, first, go = [], threading.Event(), threading.Event()

    def changed(busy):
        told.append(busy)
        if not busy and not first.is_set():
            first.set()
            task.start(lambda control: go.wait(20))

    task = Task(told.append, changed)
    task.start(lambda control: None)
    assert until(lambda: told == [True, False, True])
    assert task.busy
    go.set()
    assert task.wait()
    assert told == [True, False, True, False]
    task.close()


def test_how_it_stands_is_told_again_when_asked_for():
    told = []
    task = Task(told.append, told.append)
    task.reflect()
    task.run(lambda control: task.reflect())
    assert told == [False, True, True, False]


def test_work_that_fails_is_told_in_a_sentence_and_the_next_begins():
    told = []
    task = Task(told.append, lambda busy: None)
    task.run(lambda control: 1 / 0)
    assert "ZeroDivisionError" in told[0]
    assert task.run(lambda control: told.append("done"))
    assert told[1:] == ["done"]
