"""What is drawn while a run goes on: its loss, and the object as it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
from numpy.typing import NDArray

from ptycho_nb.history import History, Preview, State
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing.curve import Curve
from ptycho_nb.ui.drawing.drawer import SHARE, Cost, Frame
from ptycho_nb.ui.drawing.images import object_images, probe_image
from ptycho_nb.ui.drawing.loss import Line, loss_svg
from ptycho_nb.ui.drawing.markup import Pane, tag

OFF = "This live picture failed and is off; the run goes on. The log has the reason."
NARROW = {"width": "max-content"}
SMOOTHING = (("off", 0.0), ("light", 0.8), ("strong", 0.95))
Inside = tuple[slice, slice]  # rows and columns
JUDGES = 48  # patterns, evenly over the scan, that the live misfit is computed on


class _Part:
    """The curves of one history, taken from it as it grows."""

    def __init__(self, history: History, name: str) -> None:
        self.history, self.name = history, name
        self.train, self.val = Curve(), Curve()

    def grow(self) -> None:
        """Take what is new."""
        for _, value in self.history.steps[self.train.length :]:
            self.train.add(value)
        for _, value in self.history.validation[self.val.length :]:
            self.val.add(value)

    def lines(self, before: int, smoothing: float) -> list[Line]:
        """Its curves, ``before`` steps from the left."""
        name = f"{self.name}: " if self.name else ""
        places, values = self.train.drawn(smoothing)
        told = f"{name}training loss" if self.val.length else f"{name}loss"
        lines = [Line(told, before + places, values)]
        if self.val.length:
            times, losses = self.val.drawn()
            steps = [step for step, _ in self.history.validation[: self.val.length]]
            lines.append(Line(f"{name}validation loss", before + np.interp(times, np.arange(len(steps)) + 1, steps), losses))
        return lines


class LossFrame(Frame):
    """Training and validation loss by step, with a choice of scale and smoothing.

    The parts of one run stand one after the other where they are announced; otherwise a new
    history takes the place of the one before.

    Attributes
    ----------
    widget : widgets.VBox
        The drawing with its two controls.
    """

    period = 0.3
    share = 0.4 * SHARE

    def __init__(self) -> None:
        self.pane = Pane(loss_svg([]), kind="loss")
        self.log = widgets.Checkbox(
            value=True, description="logarithmic", indent=False, tooltip="Loss on a logarithmic scale", layout=NARROW
        )
        self.smoothing = widgets.Dropdown(
            options=SMOOTHING, description="Smoothing", tooltip="An exponential mean of the training loss", layout=NARROW
        )
        controls = widgets.HBox([self.log, self.smoothing])
        controls.add_class("pnb-bar")
        self.widget = widgets.VBox([self.pane, controls])
        self._lock = threading.Lock()
        self._parts: list[_Part] = []
        self._announced: str | None = None
        for control in (self.log, self.smoothing):
            control.observe(self._redraw, "value")

    def begin(self) -> None:
        """Forget what was drawn."""
        with self._lock:
            self._parts = []
            self.pane.put(loss_svg([]))

    def announce(self, name: str) -> None:
        """The next history is a part of that name, drawn after those before it; an earlier one of the name goes."""
        self._announced = name

    def note(self, history: History) -> None:
        if not self._parts or self._parts[-1].history is not history:
            with self._lock:
                self._follow(history)

    def _follow(self, history: History) -> None:
        if all(part.history is not history for part in self._parts):
            names = [part.name for part in self._parts]
            name = self._announced or ""
            kept = 0 if self._announced is None else names.index(name) if name in names else len(names)
            self._parts = [*self._parts[:kept], _Part(history, name)]

    def draw(self, history: History) -> Cost:
        with self._lock:
            self._follow(history)
            for part in self._parts:
                part.grow()
            return Cost(bytes=self._show())

    def _show(self) -> int:
        lines, before = [], 0
        for part in self._parts:
            lines += part.lines(before, float(self.smoothing.value))
            before += part.train.length
        return self.pane.put(loss_svg(lines, log=bool(self.log.value)))

    def _redraw(self, _: Any) -> None:
        with self._lock:
            self._show()

    def switch_off(self) -> None:
        self.pane.put(OFF)


class PreviewFrame(Frame):
    """The object and the probe as the run sees them, and how well they explain some of the patterns.

    The running thread computes a preview when asked to; its time counts as drawing.
    """

    period = 1.0
    share = 0.5 * SHARE

    def __init__(self) -> None:
        self.pane = Pane(kind="preview")
        self._wanted = threading.Event()
        self._fresh: Preview | None = None
        self._seconds = 0.0
        self._scan: Scan | None = None
        self._judged: Scan | None = None
        self._seen: Callable[[History, Preview, Inside], None] | None = None

    def on_seen(self, listener: Callable[[History, Preview, Inside], None]) -> None:
        """Call ``listener`` with each preview that is drawn and what of it was scanned, in the drawing thread."""
        self._seen = listener

    def of(self, scan: Scan) -> None:
        """Draw runs on this scan from now on, beginning with nothing."""
        self.clear()
        self._scan = scan
        chosen = np.unique(np.linspace(0, scan.M - 1, min(scan.M, JUDGES)).round().astype(int))
        self._judged = scan.select(chosen)

    def clear(self) -> None:
        """Show nothing: what was drawn is of another run or scan."""
        self._wanted.clear()
        self._fresh = None
        self.pane.put()

    def note(self, history: History) -> None:
        if self._wanted.is_set():
            self._wanted.clear()
            began = time.perf_counter()
            self._fresh = history.preview()
            self._seconds = time.perf_counter() - began

    def draw(self, history: History) -> Cost | None:
        fresh, self._fresh = self._fresh, None
        if fresh is None:
            if history.state is State.RUNNING:
                self._wanted.set()
            return None
        assert self._scan is not None
        if self._seen is not None:
            self._seen(history, fresh, _reconstruction(fresh, self._scan).scanned)
        return Cost(self._seconds, self._show(fresh))

    def draw_last(self, history: History) -> None:
        """What there is: the run itself no longer answers; its result is shown by ``keep``."""
        self._wanted.clear()
        if self._fresh is not None:
            self.draw(history)

    def keep(self, result: Reconstruction) -> None:
        """Show a result."""
        self._wanted.clear()
        self._fresh = None
        self._show(Preview(result.object, result.origin, result.probe))

    def _show(self, seen: Preview) -> int:
        assert self._scan is not None
        now = _reconstruction(seen, self._scan)
        images = object_images(seen.object, inside=now.scanned)
        return self.pane.put(tag("div", images, probe_image(seen.probe), class_="pnb-pictures"), self._misfit(seen))

    def _misfit(self, seen: Preview) -> Any:
        assert self._judged is not None
        value = _reconstruction(seen, self._judged).r_factor(self._judged)
        return tag("p", f"Misfit R {value:.3f} on {self._judged.M} patterns", class_="pnb-numbers")

    def switch_off(self) -> None:
        self.pane.put(OFF)


def _reconstruction(seen: Preview, scan: Scan) -> Reconstruction:
    coverage: NDArray[np.float32] = np.ones(seen.object.shape, np.float32)
    return Reconstruction(seen.object, coverage, seen.probe, scan.positions, seen.origin, scan.pixel_size, "Preview", State.RUNNING)
