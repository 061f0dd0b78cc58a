"""What is drawn while a run goes on: its loss, and the object as it grows."""

from __future__ import annotations

import threading
import time
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
SMOOTHING = (("off", 0.0), ("light", 0.8), ("strong", 0.95))
JUDGES = 48  # patterns, evenly over the scan, that the live misfit is computed on


class LossFrame(Frame):
    """Training loss by step and validation loss by epoch, with a choice of scale and smoothing.

    Attributes
    ----------
    widget : widgets.VBox
        The drawing with its two controls.
    """

    period = 0.3
    share = 0.4 * SHARE

    def __init__(self) -> None:
        self.pane = Pane(loss_svg([]), kind="loss")
        self.log = widgets.Checkbox(value=True, description="logarithmic", indent=False)
        self.smoothing = widgets.Dropdown(options=SMOOTHING, description="Smoothing")
        controls = widgets.HBox([self.log, self.smoothing])
        controls.add_class("pnb-bar")
        self.widget = widgets.VBox([self.pane, controls])
        self._lock = threading.Lock()
        self._clear()
        for control in (self.log, self.smoothing):
            control.observe(self._redraw, "value")

    def _clear(self, history: History | None = None) -> None:
        self._history = history
        self._train, self._val = Curve(), Curve()
        self._epochs = self._epoch_end = 0

    def note(self, history: History) -> None:
        if history.epochs != self._epochs:  # the one number that the history does not keep
            self._epochs, self._epoch_end = history.epochs, len(history.steps)

    def draw(self, history: History) -> Cost:
        with self._lock:
            if history is not self._history:
                epochs, end = self._epochs, self._epoch_end
                self._clear(history)
                self._epochs, self._epoch_end = epochs, end
            for _, value in history.steps[self._train.length :]:
                self._train.add(value)
            for value in history.metrics.get("val_loss", [])[self._val.length :]:
                self._val.add(value)
            return Cost(bytes=self._show())

    def _show(self) -> int:
        places, values = self._train.drawn(float(self.smoothing.value))
        lines = [Line("training", places, values)]
        if self._val.length:
            epochs, losses = self._val.drawn()
            end = min(self._epoch_end, self._train.length) or self._train.length
            lines.append(Line("validation", epochs * end / self._val.length, losses))
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

    def of(self, scan: Scan) -> None:
        """Draw runs on this scan from now on."""
        self._scan, self._fresh = scan, None
        chosen = np.unique(np.linspace(0, scan.M - 1, min(scan.M, JUDGES)).round().astype(int))
        self._judged = scan.select(chosen)
        self._wanted.clear()

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
