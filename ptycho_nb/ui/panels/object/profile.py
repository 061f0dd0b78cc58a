"""Amplitude and phase along a line, and how often each value occurs."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import InputError
from ptycho_nb.quantities import figures, length_unit
from ptycho_nb.ui.drawing import Line, Markup, curves_svg, joined, tag
from ptycho_nb.ui.panels.object.section import Section, Shown
from ptycho_nb.ui.viewer import Viewer
from ptycho_nb.views import profile, robust

HOW = "No line yet: press Line over the images and drag, or type where it begins and ends."
BINS = 80
NAMES = ("from row", "from column", "to row", "to column")


class ProfileSection(Section):
    """Curves along the line that was drawn in the viewer or typed.

    Attributes
    ----------
    boxes : tuple of four widgets.Text
        Row and column of its start and of its end [px of the view].
    """

    title = "Line profile"

    def __init__(self, viewer: Viewer) -> None:
        self._viewer, self._setting = viewer, False
        self.boxes = tuple(_box(name, place) for name, place in zip(NAMES, ("start", "start", "end", "end"), strict=True))
        self.clear = widgets.Button(description="Take away", tooltip="Take the line away", layout={"width": "96px"})
        bar = widgets.HBox([*self.boxes, self.clear])
        bar.add_class("pnb-bar")
        super().__init__([bar])
        for box in self.boxes:
            box.observe(self._typed, "value")
        self.clear.on_click(lambda _: self._take_away())
        viewer.on_line(self._follow)

    def of(self, shown: Shown) -> tuple[object, ...]:
        return shown.view, self._viewer.line

    def draw(self, shown: Shown) -> None:
        line = self._viewer.line
        if len(line) != 2:
            self.pane.put(HOW)
            return
        found = profile(shown.view, *line)
        seen = np.isfinite(found.amplitude)
        if not seen.any():
            raise InputError("The line lies where no light fell; draw it over the object.")
        size = shown.view.pixel_size
        unit, pixel = ("px", 1.0) if size is None else length_unit(size, float(found.distance[-1]))
        places, x = found.distance[seen] * pixel, f"distance [{unit}]"
        self.pane.put(
            _pair(
                _curve("amplitude", "amplitude", places, found.amplitude[seen], x),
                _curve("phase", "phase [rad]", places, found.phase[seen], x),
            )
        )

    def _typed(self, _: Any) -> None:
        """Four numbers are a line; one that is none is said."""
        texts = [str(box.value).strip() for box in self.boxes]
        if self._setting or not all(texts):
            return
        try:
            numbers = [float(text) for text in texts]
        except ValueError:
            wrong = next(text for text in texts if not _is_number(text))
            self.problem.put(f"The line's end is {wrong[:40]!r}; it must be a number of pixels.")
            return
        if not np.isfinite(numbers).all():
            self.problem.put("The line's ends must be finite numbers of pixels.")
            return
        self.problem.put()
        self._viewer.line = ((numbers[0], numbers[1]), (numbers[2], numbers[3]))

    def _follow(self, line: Any) -> None:
        """Say in the boxes where the line lies."""
        numbers = [f"{value:.4g}" for place in line for value in place] or [""] * 4
        same = [_is_number(b.value) and n and abs(float(b.value) - float(n)) < 0.05 for b, n in zip(self.boxes, numbers, strict=True)]
        self._setting = True
        try:
            for box, number, kept in zip(self.boxes, numbers, same, strict=True):
                if not kept:
                    box.value = number
        finally:
            self._setting = False

    def _take_away(self) -> None:
        self._viewer.line = ()
        self._follow(())
        self.problem.put()


class HistogramSection(Section):
    """How often each amplitude and each phase occurs in the scanned region."""

    title = "Histogram"

    def draw(self, shown: Shown) -> None:
        seen = shown.view.seen
        amplitude, phase = shown.view.amplitude[seen], shown.view.phase[seen]
        pair = _pair(_histogram(amplitude, "amplitude", "amplitude"), _histogram(phase, "phase", "phase [rad]"))
        self.pane.put(joined(pair, tag("p", _moments(amplitude, phase), class_="pnb-numbers")))


def _curve(name: str, y: str, places: NDArray[np.float64], values: NDArray[np.float64], x: str) -> Markup:
    low, high, mean = float(values.min()), float(values.max()), float(values.mean())
    told = f"{figures(low)} to {figures(high)}, mean {figures(mean)}"
    words = f"{name.capitalize()} along the line, over {places[-1] - places[0]:.3g} {x.partition('[')[2].rstrip(']')}: {told}."
    return curves_svg([Line(name, places, values, told)], x=x, y=y, words=words)


def _histogram(values: NDArray[Any], name: str, x: str) -> Markup:
    """Share of the pixels in each of 80 bins, as steps."""
    low, high = robust(values)
    least = 1e-4 * max(abs(low), abs(high))  # all but equal values have no 80 bins between them
    counts, edges = np.histogram(values, BINS, range=(min(low, high - least), max(high, low + least)))
    share = 100 * counts / values.size
    most = float(edges[:-1][counts.argmax()] + edges[1:][counts.argmax()]) / 2
    told = f"most often {figures(most)}"
    words = f"Histogram of the {name} over {values.size:,} px: {told}, from {figures(edges[0])} to {figures(edges[-1])}."
    return curves_svg([Line(name, np.repeat(edges, 2)[1:-1], np.repeat(share, 2), told)], x=x, y="pixels [%]", words=words)


def _moments(amplitude: NDArray[Any], phase: NDArray[Any]) -> str:
    pairs = ((figures(values.mean(dtype=float)), figures(values.std(dtype=float))) for values in (amplitude, phase))
    a, p = (f"mean {mean}, standard deviation {spread}" for mean, spread in pairs)
    return f"Over {amplitude.size:,} px that were scanned. Amplitude: {a}. Phase: {p} rad."


def _pair(*curves: Markup) -> Markup:
    return tag("div", *(tag("div", curve) for curve in curves), class_="pnb-curves")


def _box(name: str, end: str) -> widgets.Text:
    tip = f"{name.removeprefix('from ').removeprefix('to ').capitalize()} of the line's {end}, in pixels of the view"
    style = {"description_width": "initial"}
    return widgets.Text(
        "", description=name, tooltip=tip, layout={"width": f"{74 + 7 * len(name)}px"}, style=style, continuous_update=False
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
