"""Curves, the loss above all, as an SVG drawing: it follows the page's theme, and says in words what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.figures.picture import LINES
from ptycho_nb.quantities import MINUS, figures
from ptycho_nb.ui.drawing.markup import Markup, tag

WIDTH, PLOT = 480, 200  # of the drawing; height of the plot in it
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 30, 40
ROW = 18  # px of a line of the legend
SHORT = 25  # characters of a title that leave room for another beside it
COLOURS = (
    "var(--jp-brand-color1, #0072b2)",
    "var(--jp-warn-color1, #d55e00)",
    *(f"color-mix(in srgb, {colour} 75%, var(--jp-ui-font-color0, #000))" for colour in LINES[2:]),
)
DASHES = ("none", "7 4", "9 3 2 3", "2 3", "9 2 2 2 2 2")  # never by colour alone
FAR = 0.25  # of the last place: where the first lies farther from zero, the axis begins there
MOST = len(COLOURS)  # curves in one drawing
COUNTED = ("step", "epoch")  # what has no halves


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes
    ----------
    name : str
    places, values : float64, shape (K,)
    end : str, optional
        What the legend says after the name; the last value where left out.
    """

    name: str
    places: NDArray[np.float64]
    values: NDArray[np.float64]
    end: str | None = None

    @property
    def title(self) -> str:
        """What the legend says of it."""
        return f"{self.name} {figures(self.values[-1], 4) if self.end is None else self.end}".strip()


def loss_svg(lines: Sequence[Line], *, x: str = "step", log: bool = True) -> Markup:
    """Losses on one pair of axes.

    A logarithmic scale is drawn where all values are positive, a linear one otherwise.
    """
    if not any(len(line.values) for line in lines):
        return _empty()
    return curves_svg(lines, x=x, y="loss", log=log, whole=x in COUNTED)


def curves_svg(
    lines: Sequence[Line], *, x: str, y: str, log: bool = False, whole: bool = False, words: str = "", reach: Sequence[float] = ()
) -> Markup:
    """At most five curves on one pair of axes, told apart by colour and dash; a curve of one value is a dot.

    Parameters
    ----------
    lines : sequence of Line
        At least one with a value; finite.
    x, y : str
        What runs along the axes, with the unit.
    log : bool
        A logarithmic scale upwards, where all values are positive.
    whole : bool
        Whether places are counted: numbers between whole ones are not written.
    words : str, optional
        What the drawing shows, for those who do not see it; last values and courses where left out.
    reach : sequence of float
        Values that the axis upwards reaches in any case.
    """
    shown = [line for line in lines if len(line.values)][:MOST]
    values = np.concatenate([*(line.values for line in shown), np.array(reach, dtype=float)])
    log = log and bool((values > 0).all())
    top = TOP + ROW * (_rows(shown) - 1)
    vertical = _Axis.over(values, top + PLOT, top, log)
    horizontal = _Axis.along([line.places for line in shown], LEFT, WIDTH - RIGHT, whole)
    parts = [_grid(vertical, horizontal, x, y, whole)]
    for line, colour, dashes in zip(shown, COLOURS, DASHES, strict=False):
        places, heights = horizontal.at(line.places), vertical.at(line.values)
        points = Markup(" ".join(f"{a:.1f},{b:.1f}" for a, b in zip(places, heights, strict=True)))  # numbers only
        style: dict[str, Any] = {"fill": "none", "stroke_width": 2, "stroke_dasharray": dashes, "style": f"stroke: {colour}"}
        parts.append(tag("polyline", points=points, **style) if len(line.values) > 1 else _dot(points, colour))
    parts.append(_legend(shown))
    return _svg(words or in_words(shown, x, y), top + PLOT + BOTTOM, *parts)


def in_words(lines: Sequence[Line], x: str, y: str = "loss") -> str:
    """What the drawing shows, for those who do not see it."""
    told = [f"{line.name} {figures(line.values[-1], 4)}, {_course(line.values)}" for line in lines if len(line.values)]
    end = max((line.places[-1] for line in lines if len(line.values)), default=0)
    return (
        f"{y[:1].upper()}{y[1:]} up to {x} {f'{end:.0f}' if end >= 100 else f'{end:.3g}'}: {'; '.join(told)}." if told else f"No {y} yet."
    )


def _course(values: NDArray[np.float64]) -> str:
    """Which way the last fifth goes: its second half against its first."""
    tail = values[-max(2, len(values) // 5) :]
    before, after = (float(half.mean()) if len(half) else float(values[-1]) for half in np.array_split(tail, 2))
    if abs(after - before) < 0.01 * abs(before):
        return "level"
    return "falling" if after < before else "rising"


@dataclass(frozen=True)
class _Axis:
    """Values from ``low`` to ``high`` on the pixels from ``first`` to ``last``."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    @classmethod
    def over(cls, values: NDArray[np.float64], first: float, last: float, log: bool = False) -> _Axis:
        scaled = np.log10(values) if log else values
        low, high = float(scaled.min()), float(scaled.max())
        room = 0.04 * (high - low) if high > low else max(0.05, 0.05 * abs(high))
        return cls(low - room, high + room, first, last, log)

    @classmethod
    def along(cls, places: Sequence[NDArray[np.float64]], first: float, last: float, counted: bool) -> _Axis:
        low, high = min(float(p[0]) for p in places), max(float(p[-1]) for p in places)
        if low > 0 and (counted or low < FAR * high):
            low = 0.0
        return cls(low, high if high > low else low + 1, first, last)

    def at(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = np.log10(values) if self.log else values
        return self.first + (scaled - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, about: int = 5) -> list[float]:
        if self.log:
            return _log_ticks(self.low, self.high) or [10 ** ((self.low + self.high) / 2)]
        return _ticks(self.low, self.high, about)


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers between two others, a 1-2-5 step apart."""
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= raw)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 between them where there are few, and every round number where they lie within less."""
    decades = range(max(math.floor(low), -300), min(math.ceil(high), 300) + 1)
    if high - low < 0.5:
        return [t for t in _ticks(10**low, 10**high, 4) if t > 0]
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    every = max(1, math.ceil((high - low) / 6))
    return [f * 10.0**d for d in decades if d % every == 0 for f in factors if low <= math.log10(f) + d <= high]


def _grid(vertical: _Axis, horizontal: _Axis, x: str, y_words: str, whole: bool) -> Markup:
    parts, top, base = [], vertical.last, vertical.first
    for value in vertical.ticks():
        y = float(vertical.at(np.array([value]))[0])
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", stroke="currentColor", stroke_opacity=0.18))
        parts.append(_text(figures(value, 4), LEFT - 7, y + 4, "end"))
    for value in horizontal.ticks(4):
        at = float(horizontal.at(np.array([value]))[0])
        if value == int(value) or not whole:
            words = f"{int(value):,}".replace("-", MINUS) if value == int(value) else figures(value, 4)
            parts.append(_text(words, at, base + 17, "middle"))
    parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, stroke="currentColor", stroke_opacity=0.6))
    parts.append(_text(x, (LEFT + WIDTH - RIGHT) / 2, base + BOTTOM - 5, "middle"))
    turned = f"rotate(-90 13 {(top + base) / 2})"
    parts.append(tag("text", y_words, x=13, y=(top + base) / 2, text_anchor="middle", fill="currentColor", font_size=13, transform=turned))
    return tag("g", *parts)


def _rows(lines: Sequence[Line]) -> int:
    """Of the legend: two short titles in one, else one a row."""
    return 1 if len(lines) <= 2 and all(len(line.title) <= SHORT for line in lines) else len(lines)


def _legend(lines: Sequence[Line]) -> Markup:
    parts, one = [], _rows(lines) == 1
    for i, (line, colour, dashes) in enumerate(zip(lines, COLOURS, DASHES, strict=False)):
        y, left = (TOP - 12, LEFT + 210 * i) if one else (TOP - 12 + ROW * i, LEFT)
        style = {"stroke_width": 2, "stroke_dasharray": dashes, "style": f"stroke: {colour}"}
        sample = tag("line", x1=left, x2=left + 28, y1=y - 4, y2=y - 4, **style)
        parts.append(sample if len(line.values) > 1 else _dot(Markup(f"{left + 14},{y - 4}"), colour))
        parts.append(_text(line.title, left + 35, y, "start"))
    return tag("g", *parts)


def _dot(point: Markup, colour: str) -> Markup:
    x, y = point.split(",")
    return tag("circle", cx=x, cy=y, r=3, style=f"fill: {colour}")


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill="currentColor", font_size=13)


def _empty() -> Markup:
    height = TOP + PLOT + BOTTOM
    return _svg("No loss yet.", height, _text("The loss appears here with the first step.", WIDTH / 2, height / 2, "middle"))


def _svg(words: str, height: float, *parts: Markup) -> Markup:
    place = {"viewBox": f"0 0 {WIDTH} {height}", "xmlns": "http://www.w3.org/2000/svg"}
    return tag("svg", tag("title", words), *parts, role="img", aria_label=words, class_="pnb-svg", **place)
