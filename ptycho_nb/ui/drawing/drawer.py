"""Drawing beside a run: by time, in a thread of its own, for a small share of the run, and never in its way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple

from ptycho_nb.history import History

log = logging.getLogger(__name__)

SHARE = 0.03  # of the run, for all drawing together
TRAFFIC = 150_000  # bytes a second to the screen
PATIENCE = 0.05  # s between two looks for something to draw
LAST = 20.0  # s that the end of a run waits for the last frame


class Cost(NamedTuple):
    """What one frame took."""

    seconds: float = 0.0  # of the running thread
    bytes: int = 0  # to the screen


class Frame:
    """Something drawn again and again during a run.

    Attributes
    ----------
    period : float
        Least time between two frames [s].
    share : float
        Of the run, at most, for drawing it.
    """

    period: ClassVar[float] = 0.3
    share: ClassVar[float] = SHARE / 3

    def note(self, history: History) -> None:
        """Take what is needed; called in the running thread after each step."""

    def draw(self, history: History) -> Cost | None:
        """Draw; called in the drawing thread. None: nothing to draw yet, ask again soon."""
        raise NotImplementedError

    def draw_last(self, history: History) -> None:
        """Draw what remains on the screen."""
        self.draw(history)

    def switch_off(self) -> None:
        """Say that this drawing failed and the run goes on."""


class Drawer:
    """Listens to a run and draws it, each frame at its own pace; a frame that fails is left out until another history comes.

    Parameters
    ----------
    frames : sequence of Frame
    over : callable, optional
        Tells that there is nothing more to come; without it the drawing ends with ``following``.
    """

    def __init__(self, frames: Sequence[Frame], over: Callable[[], bool] | None = None) -> None:
        self._all = tuple(frames)
        self.frames = list(self._all)
        self._over = over
        self._history: History | None = None
        self._told = 0
        self._lock = threading.Lock()
        self._end, self._ended = threading.Event(), threading.Event()
        self._ended.set()

    def __call__(self, history: History) -> None:
        """The listener: notes and returns."""
        if history is not self._history:
            with self._lock:
                self._history, self.frames = history, list(self._all)
        self._told += 1
        for frame in self.frames:
            self._guarded(frame, lambda frame=frame: frame.note(history))  # type: ignore[misc]

    @contextmanager
    def following(self) -> Iterator[Drawer]:
        """Draw what is heard while the body runs, and a last time after it."""
        self._history = None  # of what was drawn before
        self.start()
        try:
            yield self
        finally:
            self.finish()

    def start(self) -> None:
        """Begin to draw, in a thread; nothing happens where one draws already."""
        with self._lock:
            if not self._ended.is_set():
                return
            self._end.clear()
            self._ended.clear()
        try:
            threading.Thread(target=self._draw, name="ptycho_nb drawing", daemon=True).start()
        except RuntimeError:  # the system gives none: the run goes on unseen
            log.exception("No thread could be started to draw in.")
            self._ended.set()

    def finish(self) -> None:
        """Have the last frame drawn, and the thread ended."""
        self._end.set()
        self._ended.wait(LAST)

    def wait(self, seconds: float) -> bool:
        """Whether the drawing came to its end within this time."""
        return self._ended.wait(seconds)

    def _draw(self) -> None:
        due = dict.fromkeys(self._all, 0.0)
        while True:
            while not (self._end.is_set() or (self._over is not None and self._over())):
                for frame in self.frames:
                    if time.monotonic() >= due[frame]:
                        due[frame] = time.monotonic() + self._pause_after(frame)
                now = time.monotonic()
                self._end.wait(min(max(min((due[f] for f in self.frames), default=now + 1) - now, PATIENCE), 0.25))
            told = self._told
            self._draw_last()
            with self._lock:
                if self._told == told or self._end.is_set():
                    self._ended.set()
                    return

    def _pause_after(self, frame: Frame) -> float:
        """Draw one frame; how long it may not be drawn again [s]."""
        history, began = self._history, time.thread_time()
        cost = None if history is None else self._guarded(frame, lambda: frame.draw(history))
        if cost is None:
            return PATIENCE
        spent = cost.seconds + time.thread_time() - began
        return max(frame.period, spent / frame.share, len(self.frames) * cost.bytes / TRAFFIC)

    def _draw_last(self) -> None:
        history = self._history
        for frame in self.frames if history is not None else ():
            self._guarded(frame, lambda frame=frame: frame.draw_last(history))  # type: ignore[misc]

    def _guarded(self, frame: Frame, action: Callable[[], Cost | None]) -> Cost | None:
        """The action's result; a failure switches the frame off and is told in the log."""
        try:
            return action()
        except Exception:
            log.exception("A drawing failed and is left out from here on; the run goes on.")
            with self._lock:
                self.frames = [other for other in self.frames if other is not frame]
        try:
            frame.switch_off()
        except Exception:
            log.exception("The drawing could not say that it failed.")
        return None
