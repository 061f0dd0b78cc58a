"""Two methods on the same patterns, one after the other, each for the same time with the processor to itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import Config, DataConfig, InferenceConfig, ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.estimate import estimate
from ptycho_nb.history import Control, History, Listener, Preview, State
from ptycho_nb.model import PtychoPINN
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import refine
from ptycho_nb.refinement.start import held_out
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.training import train
from ptycho_nb.ui.panels.reconstruct.runner import NUMBERS
from ptycho_nb.ui.panels.run import Run

METHODS = ("Network", "Iterative")  # in the order in which they run
HELD_OUT = 0.05  # share of the patterns that judge
MARKS = 12  # at most
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # s between two marks
LATE = 0.1  # of the time between two marks, by which one may come after its time
MOST = 10_000  # epochs; the time ends the fit before
TRIAL = 1000  # epochs that are estimated
TIMING = "Timing a few steps of the network, which are not counted, so that its learning rate comes down as its time ends."
SPARE = 1.05  # times the epochs that fit into the time: it is the time that ends the training


@dataclass(frozen=True, eq=False)
class Mark:
    """What a method had at some time.

    Attributes
    ----------
    seconds : float
        Time it had worked; what the mark itself took is not counted.
    seen : Preview
    """

    seconds: float
    seen: Preview


@dataclass(eq=False)
class Side:
    """One method in the contest. The working thread writes, the screen reads.

    Attributes
    ----------
    run : Run
    marks : tuple of Mark
        The last is its result, once it has one.
    worked : float
        Seconds so far: preparation, steps, and putting the patches together.
    again : float
        Seconds that a further scan like this would take this way.
    """

    run: Run
    marks: tuple[Mark, ...] = ()
    worked: float = 0.0
    again: float = math.nan

    @property
    def name(self) -> str:
        """The method."""
        return self.run.method

    @property
    def result(self) -> Reconstruction | None:
        """What it reached."""
        return self.run.result

    def at(self, seconds: float) -> Mark | None:
        """The last mark not later than this."""
        return next((mark for mark in reversed(self.marks) if mark.seconds <= seconds), None)


def times(seconds: float) -> tuple[float, ...]:
    """When marks are taken within a time: round numbers, at most twelve, the end the last of them."""
    step = next((s for s in STEPS if seconds / s <= MARKS), seconds)
    before = [step * k for k in range(1, MARKS + 1) if step * k < 0.999 * seconds]
    return (*(float(f"{t:.6g}") for t in before), seconds)


@dataclass(eq=False)
class Stopwatch:
    """The listener of a run: takes marks when they are due and ends it when its time is over."""

    side: Side
    due: list[float]
    limit: float
    asked: Control
    tell: Listener
    control: Control = field(default_factory=Control)

    def __post_init__(self) -> None:
        self._began, self._spent = time.monotonic(), 0.0

    @property
    def worked(self) -> float:
        """Seconds since it was made, marks left out."""
        return time.monotonic() - self._began - self._spent

    def __call__(self, history: History) -> None:
        run = self.side.run
        if not run.histories or run.histories[-1][1] is not history:  # of a training that goes on there is a new one, with all before
            run.histories = ((self.side.name.lower(), history),)
        self.side.worked = worked = self.worked
        if worked >= self.limit or self.asked.stopping:
            self.control.stop()
        elif self.due and worked >= self.due[0] and history.state is State.RUNNING:
            before = time.monotonic()
            self._mark(history, worked)
            self._spent += time.monotonic() - before
        self.tell(history)

    def _mark(self, history: History, worked: float) -> None:
        self.due = [due for due in self.due if due > worked]
        seen = history.preview()
        if seen is not None:
            run = self.side.run
            self.side.marks = (*self.side.marks, Mark(worked, seen))
            run.film.take(worked, len(history.steps), seen, inside(seen, run.scan))


def grouped(patterns: int) -> DataConfig:
    """Every pattern for training, in groups as large as usual where there are as many patterns."""
    data = DataConfig(validation_fraction=0.0)
    return data.replace(gridsize=min(data.gridsize, math.isqrt(patterns)))


def _epochs(seconds: float, each: float) -> int:
    """Epochs that fill a time, where one takes ``each`` [s]."""
    return int(np.clip(math.ceil(SPARE * seconds / max(each, 1e-6)), 1, MOST))


def inside(seen: Preview, scan: Scan) -> tuple[slice, slice]:
    """Rows and columns of the object inside the bounding box of the probe centres."""
    low = np.maximum(np.ceil(scan.positions.min(0)) - seen.origin, 0).astype(int)
    high = np.maximum(np.minimum(np.floor(scan.positions.max(0)) - seen.origin + 1, seen.object.shape).astype(int), low + 1)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


class Contest:
    """One contest: the patterns that both get, those that judge, and the time.

    Attributes
    ----------
    scan : Scan
        All patterns.
    part : Scan
        What the methods get.
    judged : int64, shape (K,)
        Indices of the patterns that none of them gets.
    sides : dict of str to Side
        By method, as they begin.
    times : tuple of float
        At which marks are due; the end is the last of them [s].
    """

    def __init__(self, scan: Scan, seconds: float, *, fits_probe: bool, control: Control) -> None:
        self.scan, self.seconds, self.control = scan, seconds, control
        self.judged: NDArray[np.int64] = held_out(scan, HELD_OUT, 0)
        self.part = scan.select(np.setdiff1d(np.arange(scan.M), self.judged)) if len(self.judged) else scan
        self.fits_probe = fits_probe
        self.sides: dict[str, Side] = {}
        self.times = times(seconds)

    def shown(self, side: Side, seconds: float) -> Mark | None:
        """What a method had at one of ``times``: the end is where it ended; a mark comes a step or two after its time."""
        end = seconds >= self.times[-1]
        return side.marks[-1] if end and side.marks else side.at(seconds + LATE * self.times[0])

    def nearest(self, seconds: float) -> float:
        """The first of ``times`` at which a mark of this time is shown."""
        return next((t for t in self.times if t + LATE * self.times[0] >= seconds), self.times[-1])

    @property
    def common(self) -> float:
        """The last of ``times`` that every method that has begun came to [s]."""
        if all(side.run.state is State.DONE for side in self.sides.values()):
            return self.times[-1]
        least = min((side.worked for side in self.sides.values()), default=0.0)
        return max((t for t in self.times if t <= least + LATE * self.times[0]), default=self.times[0])

    def run(self, listener: Listener, say: Callable[[str], object]) -> None:
        """Both to the end of their time; a stop keeps what there is and begins no more.

        Parameters
        ----------
        listener : callable
            As for ``train`` and ``refine``, after the marks were taken.
        say : callable
            Told what begins.
        """
        for turn in (self._network, self._iterative):
            if not self.control.stopping:
                turn(listener, say)

    def _network(self, listener: Listener, say: Callable[[str], object]) -> None:
        say(TIMING)
        data, model, inference = grouped(self.part.M), ModelConfig(), InferenceConfig()
        pace = estimate(self.part, training=TrainingConfig(epochs=TRIAL), data=data, control=self.control)
        stitching = reconstruct(PtychoPINN.for_scan(self.part, model, data), self.part, inference).seconds
        if self.control.stopping or math.isnan(pace.seconds):
            return
        limit = max(0.0, self.seconds - stitching)
        training = TrainingConfig(epochs=_epochs(limit, pace.steps_per_epoch * pace.seconds_per_step))
        side = self._begin("Network", {"training": training, "model": model, "data": data, "inference": inference})
        say("Network")
        watch = self._watch(side, limit, listener)
        trained = train(self.part, training, model, data, inference, listener=watch, control=watch.control)
        while trained.state is State.DONE and watch.worked < limit:  # the steps took less than was foretold
            more = _epochs(limit - watch.worked, watch.worked / max(1, trained.standing.epoch))
            trained = train(self.part, training.replace(epochs=more), listener=watch, control=watch.control, resume_from=trained)
        found = reconstruct(trained.model, self.part)
        side.again = found.seconds
        self._end(side, found.replace(state=trained.state, history=trained.history), watch)

    def _iterative(self, listener: Listener, say: Callable[[str], object]) -> None:
        config = RefinementConfig(epochs=MOST, time_limit=max(0.1, self.seconds), refine_probe=self.fits_probe)
        side = self._begin("Iterative", {"refinement": config})
        say("Iterative")
        watch = self._watch(side, self.seconds, listener)
        found = refine(self.part, config=config, listener=watch, control=watch.control)
        self._end(side, found, watch)
        side.again = side.worked

    def _begin(self, method: str, configs: dict[str, Config]) -> Side:
        side = Side(Run(next(NUMBERS), method, self.part, configs, state=State.RUNNING))
        self.sides[method] = side
        return side

    def _watch(self, side: Side, limit: float, listener: Listener) -> Stopwatch:
        return Stopwatch(side, list(self.times[:-1]), limit, self.control, listener)

    def _end(self, side: Side, found: Reconstruction, watch: Stopwatch) -> None:
        """Keep the result; a run that its time ended is done."""
        run, side.worked = side.run, watch.worked
        state = State.DONE if found.state is State.STOPPED and not self.control.stopping else found.state
        run.result = found.replace(seconds=side.worked, state=state)
        seen = Preview(found.object, found.origin, found.probe)
        side.marks = (*side.marks, Mark(side.worked, seen))
        steps = 0 if found.history is None else len(found.history.steps)
        run.film.take_last(side.worked, steps, seen, inside(seen, self.part))
        run.state = state
