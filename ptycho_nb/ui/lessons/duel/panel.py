"""The panel: a time each, one button, both objects as they grow, and what came of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.figures import Picture, comparison
from ptycho_nb.files import StrPath
from ptycho_nb.history import Control
from ptycho_nb.readers import load_scan
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan
from ptycho_nb.ui.drawing import Drawer, Keepsake, Pane, bundle_of, close_all, pictured, tag
from ptycho_nb.ui.lessons.duel.contest import Contest
from ptycho_nb.ui.lessons.duel.judging import Course, Score, course, score
from ptycho_nb.ui.lessons.duel.screen import Screen
from ptycho_nb.ui.lessons.duel.words import curves, table, verdict
from ptycho_nb.ui.lessons.look import heading
from ptycho_nb.ui.panels.reconstruct.summary import scan_in_words
from ptycho_nb.ui.panels.run import Run
from ptycho_nb.ui.panels.task import Task

LEAST, MOST = 0.5, 600.0  # s each
INTRODUCTION = (
    "The same patterns, the same time: first the network trains on them, then the iterative fit takes its turn, one after the other so "
    "that each has the processor to itself. Both take long steps until near the end of the time chosen: what is seen early on is not what "
    "so short a time alone would give. A few patterns are kept from both, to judge by."
)
EMPTY = "No contest yet: choose the seconds each and press Start."
EQUAL = "Without this both keep the scan's own probe: the misfits are then of equal freedom"


class Duel:
    """Network against Iterative on one scan, each for the same time.

    Parameters
    ----------
    source : Scan, SimulationConfig or path, optional
        The scan, or where it comes from; the default simulated scan where left out. It is made or read at the first Start.

    Attributes
    ----------
    widget : widgets.VBox
    seconds : widgets.Text
        Time of each method [s].
    fits_probe : widgets.Checkbox
        Whether the iterative fit may change the probe, which the network takes as it is.
    start, stop : widgets.Button
    scan : Scan or None
    scores : dict of str to Score
        By method, of the last contest.
    verdict : str
        What came of it.

    Raises
    ------
    InputError
        The source is none of these.
    """

    def __init__(self, source: Scan | SimulationConfig | StrPath | None = None) -> None:
        if not isinstance(source, Scan | SimulationConfig | str | os.PathLike | None):
            raise InputError(f"A duel takes a Scan, a SimulationConfig or a path, not a {type(source).__name__}.")
        self.source = SimulationConfig() if source is None else source
        self.scan: Scan | None = source if isinstance(source, Scan) else None
        self.scores: dict[str, Score] = {}
        self.verdict = ""
        self._contest: Contest | None = None
        self._keepsake = Keepsake()
        wide = {"description_width": "initial"}
        self.seconds = widgets.Text(
            "10",
            description="Seconds each",
            tooltip="How long each method works",
            layout={"width": "170px"},
            style=wide,
            continuous_update=False,
        )
        self.fits_probe = widgets.Checkbox(
            False, description="Iterative may fit the probe", tooltip=EQUAL, indent=False, layout={"width": "auto"}
        )
        self.start = widgets.Button(description="Start", tooltip="Run both, one after the other", button_style="primary")
        self.stop = widgets.Button(description="Stop and keep", tooltip="End the contest and keep what there is", disabled=True)
        self.about, self.problem = Pane(kind="scan"), Pane(role="alert", kind="problem")
        self.screen = Screen()
        self.news, self.numbers = Pane(role="status", kind="after"), Pane(kind="numbers")
        self.task = Task(self.problem.put, self._changed)
        self._drawer = Drawer([self.screen])
        self.widget = self._built()
        self.start.on_click(lambda _: self._click())
        self.stop.on_click(lambda _: self.halt())
        self.screen.state.put(EMPTY)
        self._tell_scan()

    def _built(self) -> widgets.VBox:
        bar = widgets.HBox([self.seconds, self.start, self.stop, self.fits_probe, Pane(f"{EQUAL}.")])
        bar.add_class("pnb-bar")
        head = [
            *heading("Network against iterative", INTRODUCTION),
            self.about,
        ]
        whole = widgets.VBox([*head, bar, self.screen.state, self.problem, self.screen.widget, self.news, self.numbers])
        whole.add_class("pnb-panel")
        return whole

    @property
    def busy(self) -> bool:
        """Whether a contest is under way."""
        return self.task.busy

    @property
    def runs(self) -> dict[str, Run]:
        """The runs of the last contest, by method."""
        return {} if self._contest is None else {name: side.run for name, side in self._contest.sides.items()}

    @property
    def results(self) -> dict[str, Reconstruction]:
        """What the methods of the last contest reached."""
        return {name: run.result for name, run in self.runs.items() if run.result is not None}

    def run(self) -> dict[str, Score]:
        """The contest, to its end; blocks. What goes wrong is said in the panel, in a sentence."""
        seconds = self._time()
        if seconds is not None:
            self.task.run(lambda control: self._work(seconds, control))
        return self.scores

    def halt(self) -> None:
        """End the contest and keep what there is."""
        self.task.stop()
        self.screen.state.put("Stopping")

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until no contest is under way; whether that came within this time."""
        return self.task.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        self.task.close()
        close_all(self.widget)

    def _click(self) -> None:
        seconds = self._time()
        if seconds is not None:
            self.task.start(lambda control: self._work(seconds, control))

    def _time(self) -> float | None:
        """What the box says; a sentence where it is no time."""
        try:
            seconds = float(self.seconds.value)
        except ValueError:
            seconds = 0.0
        if not LEAST <= seconds <= MOST:
            self.problem.put(f"Seconds each is {self.seconds.value[:40]!r}; it must be a number in {LEAST:g} to {MOST:g}.")
            return None
        self.problem.put()
        return seconds

    def _changed(self, busy: bool) -> None:
        self.start.disabled = self.seconds.disabled = self.fits_probe.disabled = self.screen.time.disabled = busy
        self.stop.disabled = not busy

    def _tell_scan(self) -> None:
        if self.scan is not None:
            self.about.put(scan_in_words(self.scan))
        elif isinstance(self.source, SimulationConfig):
            self.about.put("The scan is simulated at the first Start.")
        else:
            self.about.put(f"The scan is read at the first Start: {Path(str(self.source)).name}.")

    def _ready(self) -> Scan:
        """The scan, made or read now if it was not before."""
        if self.scan is None:
            self.screen.state.put("Making the scan ready")
            assert not isinstance(self.source, Scan)  # that one is ready
            self.scan = simulate_scan(self.source) if isinstance(self.source, SimulationConfig) else load_scan(self.source)
            self._tell_scan()
        return self.scan

    def _work(self, seconds: float, control: Control) -> None:
        """One contest, drawn as it goes, then judged."""
        self.news.put()
        self.numbers.put()
        self.scores, self.verdict, self._contest = {}, "", None
        try:
            contest = Contest(self._ready(), seconds, fits_probe=bool(self.fits_probe.value), control=control)
            self._contest = contest
            self.screen.begin(contest)
            with self._drawer.following():
                contest.run(self._drawer, self.screen.state.put)
            self.screen.finish()
            self._judge(contest, control.stopping)
        except Exception:
            self.screen.state.put("Failed")
            raise

    def _judge(self, contest: Contest, stopped: bool) -> None:
        self.screen.state.put("Judging: these seconds belong to neither")
        scores = {name: score(side, contest) for name, side in contest.sides.items()}
        self.scores = {name: one for name, one in scores.items() if one is not None}
        courses: dict[str, Course] = {name: course(contest.sides[name], contest, Control()) for name in self.scores}
        sentences = verdict(self.scores, contest.seconds, stopped)
        self.verdict = " ".join(sentences)
        for name, run in self.runs.items():
            run.summary = f"{name}: misfit R {self.scores[name].r_factor:.3f}" if name in self.scores else "no finite numbers"
        if self.scores:
            self.numbers.put(curves(courses, self.scores), table(self.scores))
        self.news.put(tag("p", *(f"{sentence} " for sentence in sentences)))
        self._keepsake.keep(self._still)
        self.screen.state.put("Stopped" if stopped else "Done")

    def picture(self) -> Picture | None:
        """The objects beside each other, and the known one; None before there is one."""
        found = self.results
        if not found or self.scan is None:
            return None
        first = next(iter(found.values()))
        return comparison(found, None if self.scan.truth is None else self.scan.truth_on(first.canvas))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; a picture of both objects where widgets cannot be shown."""
        return bundle_of(self, self.widget, self._still)

    def _still(self) -> dict[str, Any]:
        drawn = self.picture()
        return {} if drawn is None else pictured(drawn)

    def _ipython_display_(self) -> None:
        """The panel, and under it a plain output for the picture that comes later and stays."""
        self._keepsake.show_below(self._repr_mimebundle_)

    def __repr__(self) -> str:
        ran = ", ".join(f"{name} R {one.r_factor:.3f}" for name, one in self.scores.items())
        return f"<Duel: {ran or 'no contest yet'}>"
