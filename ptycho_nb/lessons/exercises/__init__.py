"""Exercises of the notebooks: an answer is judged in one sentence, never given away; solutions are written as copies.

A notebook asks in words; its answer cell holds ``answer = None`` and ``check("1.1", answer)``.
The exercises of a notebook stand in a file of their own here, each with its solution.
"""

from __future__ import annotations

from ptycho_nb.errors import InputError, unknown
from ptycho_nb.lessons.exercises.exercise import Answered, Choice, Exercise, Made, Number, Verdict, verdict
from ptycho_nb.lessons.exercises.failing import FAILING
from ptycho_nb.lessons.exercises.own_data import OWN_DATA
from ptycho_nb.lessons.exercises.quickstart import QUICKSTART
from ptycho_nb.lessons.exercises.reading import READING
from ptycho_nb.lessons.exercises.solutions import solved
from ptycho_nb.lessons.exercises.watching import WATCHING
from ptycho_nb.lessons.exercises.what_is import WHAT_IS

__all__ = ["EXERCISES", "Answered", "Choice", "Exercise", "Made", "Number", "Verdict", "check", "exercise", "solved_notebook"]

EXERCISES: dict[str, Exercise] = QUICKSTART | WHAT_IS | WATCHING | READING | FAILING | OWN_DATA


def check(number: str, answer: object = None) -> Verdict:
    """What is said of an answer: not answered yet, what to look at, or right and why.

    Parameters
    ----------
    number : str
        Of the exercise, "1.2" is the second of notebook 01.
    answer : object
        None or ``...`` while it is blank.

    Raises
    ------
    InputError
        There is no exercise of that number.
    """
    return verdict(number, exercise(number), answer)


def exercise(number: str) -> Exercise:
    """The exercise of this number.

    Raises
    ------
    InputError
        There is none.
    """
    if number not in EXERCISES:
        raise InputError(unknown("exercise", number, EXERCISES))
    return EXERCISES[number]


def solved_notebook(text: str) -> str:
    """The text of a notebook with every blank answer filled in and no outputs; empty where it has no exercise.

    Raises
    ------
    InputError
        A cell checks an answer that has no solution, or holds no blank ``answer = None``.
    """
    return solved(text, {number: one.solution for number, one in EXERCISES.items()})
