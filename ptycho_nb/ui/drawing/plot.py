"""The live loss of any run, in a plain cell."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

from ptycho_nb.errors import InputError
from ptycho_nb.figures import loss_curves
from ptycho_nb.history import History, State
from ptycho_nb.ui.drawing.bundle import bundle_of
from ptycho_nb.ui.drawing.closing import close_all
from ptycho_nb.ui.drawing.drawer import Cost, Drawer, Frame
from ptycho_nb.ui.drawing.keepsake import Keepsake, pictured
from ptycho_nb.ui.drawing.keys import OwnKeys
from ptycho_nb.ui.drawing.live import LossFrame
from ptycho_nb.ui.drawing.markup import Pane
from ptycho_nb.ui.drawing.style import STYLE

OVER = (State.STOPPED, State.DONE, State.DIVERGED, State.FAILED)
SILENCE = 20.0  # s without a word from the run, after which the drawing rests until the next


class LossPlot:
    """Draws the loss of a run while it goes on: ``train(scan, listener=LossPlot().show())``.

    A listener for ``train``, ``refine`` and ``History(listener=LossPlot())`` in one's own
    Lightning Trainer. It draws in its own thread; when the run ends, the loss curve stays in
    the cell as a plain picture.
    """

    def __init__(self) -> None:
        self.frame = LossFrame()
        self._style = Pane(STYLE, kind="style")
        self.frame.widget.children = (self._style, OwnKeys(), *self.frame.widget.children)
        self.frame.widget.add_class("pnb-panel")
        self._output = Keepsake()
        self._drawer = Drawer([self.frame, _Remains(self._output, self._live)], over=self._over)
        self._history: History | None = None
        self._heard = 0.0

    def show(self) -> Self:
        """Put the plot under the cell that runs now, also where that cell runs again."""
        self._output.show(self._live())
        return self

    def _live(self) -> dict[str, Any]:
        return bundle_of(self, self.frame.widget)

    def __call__(self, history: History) -> None:
        """The listener: notes and returns; at the very end it waits for the last frame."""
        if not self._output.shown:
            self.show()
        self._history, self._heard = history, time.monotonic()
        self._drawer(history)
        self._drawer.start()
        if history.state in OVER:
            self._drawer.wait(5.0)

    def _over(self) -> bool:
        over = self._history is not None and self._history.state in OVER
        return over or time.monotonic() - self._heard > SILENCE

    def close(self) -> None:
        """Take the live plot away; the picture in the cell stays."""
        self._drawer.finish()
        close_all(self.frame.widget)

    def __repr__(self) -> str:
        return f"<LossPlot: {'no run yet' if self._history is None else self._history.state}>"


class _Remains(Frame):
    """Turns the live plot into a plain picture when the run ends, and back when another begins."""

    period = 0.5

    def __init__(self, output: Keepsake, live: Callable[[], dict[str, Any]]) -> None:
        self._output, self._live = output, live
        self._kept: History | None = None

    def draw(self, history: History) -> Cost:
        if self._kept is not None and history is not self._kept:
            self._kept = None
            self._output.put(self._live())
        return Cost()

    def draw_last(self, history: History) -> None:
        if history.state in OVER and self._output.shown:
            self._kept = history
            try:
                self._output.put(pictured(loss_curves(history)))
            except InputError as error:  # no epoch was completed
                self._output.put({"text/plain": str(error)})
