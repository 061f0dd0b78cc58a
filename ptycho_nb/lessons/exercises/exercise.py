"""What an exercise is: how an answer is judged, what is said of it, and its solution."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import InputError


class Answered(StrEnum):
    """How an answer is."""

    BLANK = "not answered yet"
    WRONG = "not yet"
    RIGHT = "right"


@dataclass(frozen=True)
class Verdict:
    """What is said of an answer: the number of the exercise, how the answer is, and a sentence."""

    number: str
    answered: Answered
    sentence: str = ""

    def __repr__(self) -> str:
        said = f"{MARKS[self.answered]} {self.number}: {self.answered}."
        return f"{said} {self.sentence}".strip()


MARKS = {Answered.BLANK: "○", Answered.WRONG: "✗", Answered.RIGHT: "✓"}  # a shape each, no colour


@dataclass(frozen=True)
class Number:
    """An exercise whose answer is a number.

    Attributes
    ----------
    value, tolerance : float
        Right are ``value - tolerance`` to ``value + tolerance``, both included.
    hint : str
        What to look at when the answer is wrong.
    why : str
        What is said when it is right.
    solution : str
        Source that assigns ``answer``; it may use the names of the notebook.
    slips : mapping of float to str
        Answers that a common mistake gives, within 2 %, and what to look at then.
    unit : str
        Of the answer; empty where it has none.
    """

    value: float
    tolerance: float
    hint: str
    why: str
    solution: str
    slips: Mapping[float, str] = field(default_factory=dict)
    unit: str = ""

    def fault(self, answer: object) -> str | None:
        """What to look at; None where the answer is right."""
        found = as_number(answer)
        if found is None:
            return f"Give one number{f' in {self.unit}' if self.unit else ''}."
        if abs(found - self.value) <= self.tolerance:
            return None
        near = [said for slip, said in self.slips.items() if math.isclose(found, slip, rel_tol=0.02)]
        return near[0] if near else self.hint

    @property
    def right(self) -> Sequence[Any]:
        """Answers that are right, the ends of the tolerance among them."""
        edge = 0.99 * self.tolerance
        return [self.value, self.value - edge, self.value + edge]

    @property
    def wrong(self) -> Sequence[Any]:
        """Answers that are wrong."""
        far = 1.1 * self.tolerance + 1e-9
        return [*self.slips, self.value + far, self.value - far, math.nan, "much"]


@dataclass(frozen=True)
class Choice:
    """An exercise whose answer is one of a few letters.

    Attributes
    ----------
    options : mapping of str to str
        Letter -> the wording, as it stands in the notebook.
    letter : str
        The right one.
    hints : mapping of str to str
        What to look at, for each wrong letter.
    why : str
        What is said when it is right.
    """

    options: Mapping[str, str]
    letter: str
    hints: Mapping[str, str]
    why: str

    def fault(self, answer: object) -> str | None:
        """What to look at; None where the answer is right."""
        given = answer.strip().strip("()").lower() if isinstance(answer, str) else answer
        if given == self.letter:
            return None
        if not isinstance(given, str) or given not in self.options:
            return f"Give one of the letters {', '.join(self.options)} in quotes."
        return self.hints[given]

    @property
    def solution(self) -> str:
        """Source that assigns ``answer``."""
        return f'answer = "{self.letter}"'

    @property
    def right(self) -> Sequence[Any]:
        """Answers that are right."""
        return [self.letter, f" {self.letter.upper()} "]

    @property
    def wrong(self) -> Sequence[Any]:
        """Answers that are wrong."""
        return [*self.hints, "z", 3]


@dataclass(frozen=True)
class Made:
    """An exercise whose answer is an array, a config or a few numbers, judged by running something on it.

    Attributes
    ----------
    judge : callable
        Takes the answer; gives what to look at, or None where it is right. An ``InputError`` that it
        raises is what to look at.
    why : str
        What is said when it is right.
    solution : str
        Source that assigns ``answer``; it may use the names of the notebook.
    right, wrong : sequences
        Examples, for the tests.
    """

    judge: Callable[[Any], str | None]
    why: str
    solution: str
    right: Sequence[Any]
    wrong: Sequence[Any]

    def fault(self, answer: object) -> str | None:
        """What to look at; None where the answer is right."""
        try:
            return self.judge(answer)
        except InputError as error:
            return str(error)


Exercise = Number | Choice | Made


def verdict(number: str, exercise: Exercise, answer: object) -> Verdict:
    """What is said of an answer to an exercise."""
    if is_blank(answer):
        return Verdict(number, Answered.BLANK)
    fault = exercise.fault(answer)
    return Verdict(number, Answered.RIGHT, exercise.why) if fault is None else Verdict(number, Answered.WRONG, fault)


def is_blank(answer: object) -> bool:
    """Whether nothing has been filled in: None, ``...``, an empty text, or a list or tuple of these."""
    if isinstance(answer, str):
        return not answer.strip()
    if isinstance(answer, list | tuple):
        return all(is_blank(part) for part in answer)
    return answer is None or answer is ...


def as_number(answer: object) -> float | None:
    """The answer as a finite number, also of one-element arrays and of texts such as "0.7"; None if it is none."""
    try:
        values: NDArray[np.float64] = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return float(values.item()) if values.size == 1 and np.isfinite(values).all() else None
