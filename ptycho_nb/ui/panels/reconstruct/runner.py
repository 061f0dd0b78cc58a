"""One run at a time beside a free kernel, with its record, and those who wait for it."""

from __future__ import annotations

import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, History, Preview, State
from ptycho_nb.memory import hand_back
from ptycho_nb.ui.drawing import Drawer
from ptycho_nb.ui.panels.at_work import AtWork
from ptycho_nb.ui.panels.failures import NO_THREAD, in_a_sentence
from ptycho_nb.ui.panels.reconstruct.methods import Job, Outcome, Part
from ptycho_nb.ui.panels.run import Run

log = logging.getLogger(__name__)

OVER = (State.DONE, State.STOPPED, State.DIVERGED, State.FAILED)
NUMBERS = itertools.count(1)  # of the runs of this kernel

Listener = Callable[[Run], object]


@dataclass(frozen=True)
class Screen:
    """What a runner tells of a run; all but ``state`` in the thread of the run.

    Attributes
    ----------
    state : callable
        Where the run stands.
    problem : callable
        What ended it, in a sentence.
    part : callable
        A part of it begins.
    before : callable
        It is about to begin, anew or going on (True).
    after : callable
        It left this; gives the run in words.
    others : callable
        The runs of other panels that are under way, whenever these change, in any thread.
    """

    state: Callable[[State], object]
    problem: Callable[[str], object]
    part: Callable[[Part], object]
    before: Callable[[Run, bool], object]
    after: Callable[[Run, Outcome], str]
    others: Callable[[Sequence[Run]], object]


class Runner:
    """Runs one job at a time and keeps the record of it.

    Attributes
    ----------
    run : Run or None
        The run that is under way, or was the last.
    outcome : Outcome or None
        Of the last run that gave one.
    failure : BaseException or None
        What ended the last run, where it failed.
    control : Control
        Of the run that is under way.
    turn : RLock
        Held while the state changes: no thread says an older one after a newer.
    """

    def __init__(self, drawer: Drawer, screen: Screen) -> None:
        self._drawer, self._screen = drawer, screen
        self.run: Run | None = None
        self.outcome: Outcome | None = None
        self.failure: BaseException | None = None
        self.control = Control()
        self.turn = threading.RLock()
        self._claimed, self._at_work = threading.Lock(), AtWork()
        self._begin: list[Listener] = []
        self._end: list[Listener] = []
        self._part = ""
        self._before = (0.0, 0)  # seconds and steps of the parts that are over
        self._closed = False
        RUNNERS.add(self)
        _tell_of_others()

    def on_begin(self, listener: Listener) -> None:
        """Call ``listener`` with each run that begins, in its thread."""
        self._begin.append(listener)

    def on_end(self, listener: Listener) -> None:
        """Call ``listener`` with each run that has ended, however it did, in its thread."""
        self._end.append(listener)

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._claimed.locked()

    def start(self, prepared: Callable[[Runner], Job]) -> None:
        """Run this in a thread; nothing happens where a run is under way."""
        job = self._claim(prepared)
        if job is None:
            return
        try:
            threading.Thread(target=self._work, args=(job,), name="ptycho_nb run", daemon=True).start()
        except RuntimeError:
            log.exception("No thread could be started.")
            self._screen.problem(NO_THREAD)
            self._over(State.FAILED)
            self._at_work.end()

    def go(self, prepared: Callable[[Runner], Job]) -> Run | None:
        """Run this now; blocks. None, and nothing happens, where a run is under way or none can be made."""
        job = self._claim(prepared)
        return None if job is None else self._work(job)

    def wait(self, seconds: float) -> bool:
        """Block until no run is under way; whether that came within this time."""
        return self._at_work.wait(seconds)

    def stop(self) -> None:
        """End the run after its step and keep what there is; wakes a paused run."""
        self.control.stop()
        self.reflect()

    def stop_others(self) -> None:
        """End the runs of other panels, those too that no cell shows any more."""
        for runner in list(RUNNERS):
            if runner is not self:
                runner.stop()

    def close(self, seconds: float) -> None:
        """Stop, wait, and take no more; from within the run itself without the wait."""
        with TELLING:
            RUNNERS.discard(self)
        with self.turn:
            self._closed = True
            self.control.stop()
        self.wait(seconds)

    def hear(self, history: History) -> None:
        """The listener of every part: notes that a part has begun, says a state that is new, and draws."""
        run = self.run
        if run is not None and (not run.histories or run.histories[-1][1] is not history):
            self._before = sum(h.elapsed for _, h in run.histories), sum(len(h.steps) for _, h in run.histories)
            run.histories = (*run.histories, (self._part, history))
        if run is not None and self._standing(run) is not run.state:
            self.reflect()
        self._drawer(history)

    def reflect(self) -> None:
        """Say where the run that is under way stands; nothing where it has ended."""
        with self.turn:
            if self.run is not None and self.busy:
                self.run.state = self._standing(self.run)
                self._screen.state(self.run.state)

    def _standing(self, run: Run) -> State:
        """Where it stands, by what its last part says and what was asked of it."""
        if self.control.stopping:
            return State.STOPPING
        if not run.histories:
            return State.LOADING
        state = run.histories[-1][1].state
        if state in OVER:  # the patches are put together, and what pauses is the part after that
            return State.PAUSING if self.control.paused else State.RUNNING
        return state

    def say(self, part: Part) -> None:
        """A part of the run begins."""
        self._part = part.name or self._part
        self._screen.part(part)
        self.reflect()

    def film(self, history: History, seen: Preview, inside: tuple[slice, slice]) -> None:
        """Keep this moment of the run."""
        if self.run is not None:
            self.run.film.take(self._before[0] + history.elapsed, self._before[1] + len(history.steps), seen, inside)

    def _claim(self, prepared: Callable[[Runner], Job]) -> Job | None:
        """The job, if none is under way and it can be made: only who gets it may run it."""
        with self.turn:
            if self._closed or not self._claimed.acquire(blocking=False):
                return None
            self.control = Control()
            try:
                job = prepared(self)
            except Exception as error:
                self._claimed.release()
                if not isinstance(error, InputError):
                    log.exception("The run could not be prepared.")
                self._screen.problem(in_a_sentence(error))
                return None
            self._at_work.begin()
            self.failure = None
            self.run = Run(next(NUMBERS), job.method, job.scan, dict(job.configs))
            self._screen.state(State.LOADING)
            return job

    def _work(self, job: Job) -> Run:
        run, state = self.run, State.FAILED
        assert run is not None
        self._at_work.mine()
        try:
            _tell_of_others()
            self._tell(self._begin, run)
            with self._drawer.following():
                state = self._ran(job, run)
            if state is not State.FAILED:
                self._sum_up(run)
        finally:
            self._over(state)
            _tell_of_others()
            self._tell(self._end, run)
            hand_back()
            self._at_work.end()
        return run

    def _over(self, state: State) -> None:
        """The run has ended so: the next may begin."""
        with self.turn:
            assert self.run is not None
            self.run.state = state
            self._screen.state(state)
            self._claimed.release()

    def _ran(self, job: Job, run: Run) -> State:
        """Run, keep what it gave; how it ended."""
        try:
            self._screen.before(run, job.earlier is not None)
            self.outcome = job.run()
        except BaseException as error:
            log.log(logging.INFO if isinstance(error, InputError) else logging.ERROR, "The run failed.", exc_info=True)
            self.failure, run.summary = error, in_a_sentence(error)
            self._screen.problem(run.summary)
            if isinstance(error, KeyboardInterrupt):  # of the cell that waits for this run: the cell ends with it
                raise
            return State.FAILED
        run.code, run.result = self.outcome.code, self.outcome.result
        return run.result.state

    def _sum_up(self, run: Run) -> None:
        """The last picture, and the run in words; without them the object is there all the same."""
        assert self.outcome is not None
        found, history = self.outcome.result, self.outcome.history
        try:
            steps = self._before[1] + (0 if history is None else len(history.steps))
            run.film.take_last(found.seconds, steps, Preview(found.object, found.origin, found.probe), found.scanned)
            run.summary = self._screen.after(run, self.outcome)
        except Exception:
            log.exception("The result could not be drawn or judged.")

    def _tell(self, listeners: list[Listener], run: Run) -> None:
        for listener in list(listeners):
            try:
                listener(run)
            except Exception:
                log.exception("The run could not be handed on.")


RUNNERS: weakref.WeakSet[Runner] = weakref.WeakSet()  # of the panels of this kernel that are not closed
TELLING = threading.Lock()


def _tell_of_others() -> None:
    """Tell each panel which runs of the others are under way: a cell run again leaves the run of its panel before behind."""
    with TELLING:
        at_work = [runner for runner in RUNNERS if runner.busy]
        for runner in RUNNERS:
            runner._screen.others([other.run for other in at_work if other is not runner and other.run is not None])
