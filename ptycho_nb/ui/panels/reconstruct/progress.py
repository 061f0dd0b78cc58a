"""Where a run stands, in words and numbers: epoch, rate, time left, loss."""

from __future__ import annotations

import time
from collections import deque

from ptycho_nb.history import History, State
from ptycho_nb.ui.drawing import Cost, Frame, Pane, joined, tag
from ptycho_nb.ui.panels.reconstruct.methods import Part

WINDOW = 40  # samples that the rate is taken over


class ProgressFrame(Frame):
    """Epoch, steps a second, time left and loss in a line of ``pane``, and a bar."""

    period = 0.25
    share = 0.003

    def __init__(self, pane: Pane) -> None:
        self._pane = pane
        self.part = ""
        self.begin()

    def begin(self) -> None:
        """Forget the run before."""
        self.say(Part("", ""))
        self._pane.put()

    def say(self, part: Part) -> None:
        """A part of the run begins."""
        self.part = f", {part.doing}" if part.doing else ""
        self._epochs, self._limit = part.epochs, part.limit
        self._end: float | None = None  # of the time that the limit leaves it
        self._seen: deque[tuple[float, int]] = deque(maxlen=WINDOW)
        self._epoch_steps = 0
        self._last = (0, 0)

    def note(self, history: History) -> None:
        if self._limit and self._end is None:
            self._end = history.elapsed + self._limit
        done, steps = history.epochs, len(history.steps)
        if done != self._last[0]:
            self._epoch_steps = (steps - self._last[1]) // max(1, done - self._last[0]) if self._last[0] or steps else 0
            self._last = (done, steps)

    def draw(self, history: History) -> Cost:
        now, steps = time.monotonic(), len(history.steps)
        if history.state is State.RUNNING:
            self._seen.append((now, steps))
        else:
            self._seen.clear()  # a pause is no part of the rate
        loss = f"loss {history.steps[-1][1]:.4g}" if history.steps and self._epochs else ""
        words = ", ".join(w for w in (self._epoch(history), self._rate(), self._left(history), loss) if w)
        return Cost(bytes=self._pane.put(tag("p", words, class_="pnb-numbers"), self._bar(history)))

    def _epoch(self, history: History) -> str:
        total = max(self._epochs, history.epochs)
        return f"epoch {min(history.epochs + 1, total)} of {total}" if self._epochs else f"{history.epochs} epochs"

    def _speed(self) -> float:
        """Steps a second, 0 while unknown."""
        if len(self._seen) < 2 or self._seen[-1][1] == self._seen[0][1]:
            return 0.0
        return (self._seen[-1][1] - self._seen[0][1]) / (self._seen[-1][0] - self._seen[0][0])

    def _rate(self) -> str:
        speed = self._speed()
        return f"{speed:,.0f} steps/s" if speed >= 10 else f"{speed:.1f} steps/s" if speed else ""

    def _left(self, history: History) -> str:
        speed = self._speed()
        if not speed or not self._epoch_steps or not self._epochs:
            return ""
        done, at = self._last
        seconds = ((self._epochs - done) * self._epoch_steps - (len(history.steps) - at)) / speed
        if self._end is not None:
            seconds = min(seconds, self._end - history.elapsed)
        return f"about {duration(max(0.0, seconds))} left"

    def _bar(self, history: History) -> object:
        if not self._epochs:
            return joined()
        return tag("progress", value=min(history.epochs, self._epochs), max=self._epochs, aria_label="Epochs done", class_="pnb-progress")


def duration(seconds: float) -> str:
    """A time in the unit that suits it: 12 s, 3 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
