"""An exercise answered by buttons, for pages without code."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ptycho_nb.errors import InputError
from ptycho_nb.lessons.exercises import Answered, Choice, Made, Verdict, check, exercise
from ptycho_nb.ui.drawing import STYLE, OwnKeys, Pane, bundle_of, close_all, tag

BLANK = {"a letter": "Choose an answer first.", "a number": "Enter a number first."}


class Question:
    """An exercise with its possible answers, or a box for a number, and a button that checks.

    Parameters
    ----------
    number : str
        Of the exercise, "2.1"; its question stands above in words.
    answer : optional
        Filled in and checked at once: a letter or a number; None leaves it blank.

    Attributes
    ----------
    widget : widgets.VBox
    answer : widgets.RadioButtons or widgets.Text
    button : widgets.Button
    verdict : Verdict
        What was said last.

    Raises
    ------
    InputError
        There is no such exercise, or its answer is neither a letter nor a number.
    """

    def __init__(self, number: str, answer: object = None) -> None:
        asked = exercise(number)
        if isinstance(asked, Made):
            raise InputError(f'Exercise {number} asks for more than a letter or a number; answer it in Python: check("{number}", …).')
        given = answer.strip().lower() if isinstance(answer, str) else answer
        if isinstance(asked, Choice) and given is not None and given not in asked.options:
            raise InputError(str(asked.fault(given)))
        self.number, self._asked = number, asked
        self.answer = self._options(asked) if isinstance(asked, Choice) else self._box(asked.unit)
        self.button = widgets.Button(description="Check", tooltip="Say whether the answer is right, or what to look at")
        self.news = Pane(role="status", kind="news")
        head = Pane(tag("h3", f"Exercise {number}"))
        self.widget = widgets.VBox([Pane(STYLE, kind="style"), OwnKeys(), head, self.answer, self.button, self.news])
        self.widget.add_class("pnb-panel")
        self.button.on_click(lambda _: self._check())
        self.verdict: Verdict = check(number)
        if given is not None:
            self.answer.value = given if isinstance(asked, Choice) else str(given)
            self._check()

    def _options(self, asked: Choice) -> widgets.RadioButtons:
        pairs = [(wording, letter) for letter, wording in asked.options.items()]
        box = widgets.RadioButtons(options=pairs, value=None, layout={"width": "auto"})
        box.tooltip = f"Answers to exercise {self.number}"
        box.add_class("pnb-answers")
        return box

    def _box(self, unit: str) -> widgets.Text:
        words = f"Answer [{unit}]" if unit else "Answer"
        style = {"description_width": "initial"}
        return widgets.Text(description=words, tooltip=f"Answer to exercise {self.number}", style=style, layout={"width": "220px"})

    def _check(self) -> None:
        """Judge what is filled in, and say it."""
        self.verdict = check(self.number, self.answer.value)
        blank = BLANK["a letter" if isinstance(self._asked, Choice) else "a number"]
        self.news.put(blank if self.verdict.answered is Answered.BLANK else repr(self.verdict))

    def close(self) -> None:
        """Leave no widget behind."""
        close_all(self.widget)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The question; in words where widgets cannot be shown."""
        return bundle_of(self, self.widget)

    def __repr__(self) -> str:
        said = f"<Question {self.number}: {self.verdict.answered}>"
        options = self._asked.options if isinstance(self._asked, Choice) else {}
        return "\n".join([said, *(f"  {letter}) {wording}" for letter, wording in options.items())])
