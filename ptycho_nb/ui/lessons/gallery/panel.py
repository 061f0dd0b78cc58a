"""The panel: choose a failure, see it happen, read the number that tells it, cure it."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets

from ptycho_nb.errors import InputError, unknown
from ptycho_nb.history import Control
from ptycho_nb.lessons.failures import FAILURES, Failure, Outcome
from ptycho_nb.lessons.failures.failure import STOPPED
from ptycho_nb.ui.drawing import NOTHING, Fold, Keepsake, Markup, Pane, bundle_of, close_all, code, joined, pictured, tag
from ptycho_nb.ui.lessons.gallery import pictures
from ptycho_nb.ui.lessons.gallery.python import program
from ptycho_nb.ui.lessons.look import heading
from ptycho_nb.ui.panels.task import Task

BAD, GOOD = "Failure", "Cured"
INTRODUCTION = (
    "Seven ways to fail. Each is a real run on a small simulated scan: look at the picture, then at the number that tells the failure "
    "without knowing the truth, then cure it."
)
EMPTY = "Not run yet: press Show the failure. A run takes a few seconds."
GUESS = "Why, and what cures it: guess before you look"
NEXT = "Press Cure it to run the same once more with one thing changed."


class FailureGallery:
    """Failures with their symptom, the number that tells each, and its cure.

    Parameters
    ----------
    failure : str
        Which is chosen at first, a key of ``lessons.failures.FAILURES``.

    Attributes
    ----------
    widget : widgets.VBox
    choice : widgets.Dropdown
        Its value is the key.
    show_button, cure_button, stop_button : widgets.Button
    outcomes : dict of str to dict of str to Outcome
        By key, then "Failure" and "Cured": what has been run.

    Raises
    ------
    InputError
        There is no such failure.
    """

    def __init__(self, failure: str = "overlap") -> None:
        if failure not in FAILURES:
            raise InputError(unknown("failure", failure, FAILURES))
        self.outcomes: dict[str, dict[str, Outcome]] = {}
        self.choice = widgets.Dropdown(
            options=[(case.title, key) for key, case in FAILURES.items()],
            value=failure,
            description="Failure",
            tooltip="What goes wrong",
            style={"description_width": "initial"},
            layout={"width": "max-content"},
        )
        fitting = {"width": "auto"}
        self.show_button = widgets.Button(
            description="Show the failure", tooltip="Run it and judge it; a few seconds", button_style="primary", layout=fitting
        )
        self.cure_button = widgets.Button(description="Cure it", tooltip="Run it once more with one thing changed", layout=fitting)
        self.stop_button = widgets.Button(description="Stop", tooltip="End the run after its step", disabled=True, layout=fitting)
        self.story, self.state = Pane(kind="text"), Pane(role="status", kind="news")
        self.problem = Pane(role="alert", kind="problem")
        self.seen, self.code = Pane(kind="look"), Pane(kind="code")
        self._running = ""
        self._keepsake = Keepsake()
        self._turn = threading.RLock()  # held while something is put on the screen: the run and the reader both do
        self._task = Task(self._fail, self._began_or_ended)
        self.widget = self._built()
        self.choice.observe(lambda _: self._chosen(), "value")
        self.show_button.on_click(lambda _: self._start(BAD))
        self.cure_button.on_click(lambda _: self._start(GOOD))
        self.stop_button.on_click(lambda _: self.stop())
        self._chosen()

    def _built(self) -> widgets.VBox:
        bar = widgets.HBox([self.choice, self.show_button, self.cure_button, self.stop_button])
        bar.add_class("pnb-bar")
        head = heading("Failure gallery", INTRODUCTION)
        python = Fold([self.code], titles=("Show Python",))
        whole = widgets.VBox([*head, bar, self.story, self.state, self.problem, self.seen, python])
        whole.add_class("pnb-panel")
        return whole

    @property
    def failure(self) -> Failure:
        """The chosen one."""
        return FAILURES[self.choice.value]

    @property
    def python(self) -> str:
        """The shortest Python that makes both runs of the chosen failure and their numbers."""
        return program(self.failure)

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._task.busy

    @property
    def _done(self) -> dict[str, Outcome]:
        """What has been run of the chosen one, the failure first."""
        return self.outcomes.get(self.choice.value, {})

    def show(self) -> Outcome | None:
        """Run the chosen failure and judge it; blocks. What goes wrong is said in the panel."""
        return self._now(BAD)

    def cure(self) -> Outcome | None:
        """Run its cure and judge it, after the failure where that has not been run; blocks."""
        if BAD not in self._done:
            self._now(BAD)
        return self._now(GOOD)

    def stop(self) -> None:
        """End the run under way after its step."""
        self._task.stop()

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until no run is under way; whether that came within this time."""
        return self._task.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        self._task.close()
        close_all(self.widget)

    def _now(self, kind: str) -> Outcome | None:
        key = str(self.choice.value)
        self._task.run(lambda control: self._work(key, kind, control))
        return self.outcomes.get(key, {}).get(kind)

    def _start(self, kind: str) -> None:
        key = str(self.choice.value)
        self._task.start(lambda control: self._work(key, kind, control))

    def _work(self, key: str, kind: str, control: Control) -> None:
        case = FAILURES[key]
        self._running = f"Running: {case.title}, {'the cure' if kind == GOOD else 'the failure'} …"
        self._draw()
        try:
            outcome = case.cure(control) if kind == GOOD else case.show(control)
        except InputError:
            if not control.stopping:
                raise
            self._running = STOPPED
            return
        self._running = ""
        with self._turn:
            before = self.outcomes.get(key, {})
            self.outcomes[key] = {name: one for name in (BAD, GOOD) if (one := outcome if name == kind else before.get(name))}

    def _fail(self, sentence: str) -> None:
        self._running = ""
        self.problem.put(sentence)

    def _began_or_ended(self, busy: bool) -> None:
        if busy:
            self.problem.put()
        self._reflect(busy)
        if not busy:
            self._draw()
            self._running = ""
            self._keepsake.keep(self._still)

    def _reflect(self, busy: bool) -> None:
        """Which buttons can be pressed."""
        self.show_button.disabled = busy
        self.cure_button.disabled = busy or BAD not in self._done
        self.stop_button.disabled = not busy

    def _chosen(self) -> None:
        """Another failure: its Python, and what has been seen of it."""
        with self._turn:
            self.code.put(code(self.python))
            self._reflect(self._task.busy)
            self._draw()

    def _draw(self) -> None:
        """The chosen failure: why it happens only once it has been seen."""
        with self._turn:
            case, done = self.failure, self._done
            self.story.put(*_story(case, done))
            self.state.put(tag("p", self._running) if self._running else _told(case, done))
            drawn = joined(pictures.columns(done), pictures.table(case, done), pictures.judged(done)) if done else NOTHING
            self.seen.put(drawn)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; a picture of what has been run where widgets cannot be shown."""
        return bundle_of(self, self.widget, self._still)

    def _still(self) -> dict[str, Any]:
        return pictured(pictures.still(self.failure, self._done)) if self._done else {}

    def _ipython_display_(self) -> None:
        """The panel, and under it a plain output for the picture that comes later and stays."""
        self._keepsake.show_below(self._repr_mimebundle_)

    def __repr__(self) -> str:
        run = " and ".join(name.lower() for name in self._done) or "not run"
        return f"<FailureGallery: {self.failure.title}, {run}>"


def _story(case: Failure, done: dict[str, Outcome]) -> list[Markup]:
    """What is seen; once it has been seen, why and what cures it: for who asks, and after the cure for all."""
    told = [_paragraph("What is seen. ", case.symptom)]
    reasons = [_paragraph("Why. ", case.why), _paragraph("The cure. ", case.remedy)]
    if GOOD in done:
        return [*told, *reasons]
    return [*told, tag("details", tag("summary", GUESS), *reasons)] if done else told


def _paragraph(head: str, sentence: str) -> Markup:
    return tag("p", tag("b", head), sentence)


def _told(case: Failure, done: dict[str, Outcome]) -> Markup:
    """Each number against its threshold, in sentences."""
    if not done:
        return tag("p", EMPTY)
    said = [
        tag("p", tag("b", f"{name}. "), f"{case.diagnostic.words(one.reading.number)} {one.reading.note}".strip())
        for name, one in done.items()
    ]
    return joined(*said, *([tag("p", NEXT)] if GOOD not in done else []))
