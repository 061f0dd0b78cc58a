"""The loss as an SVG drawing: it follows the page's theme, and says in words what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.ui.drawing.markup import Markup, tag

WIDTH, HEIGHT = 480, 270
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 30, 40
COLOURS = ("var(--jp-brand-color1, #0072b2)", "var(--jp-warn-color1, #d55e00)")
DASHES = ("none", "7 4")  # never by colour alone


@dataclass(frozen=True)
class Line:
    """One curve: what it is called, and its places and values (K,)."""

    name: str
    places: NDArray[np.float64]
    values: NDArray[np.float64]


def loss_svg(lines: Sequence[Line], *, x: str = "step", log: bool = True) -> Markup:
    """Curves on one pair of axes.

    A logarithmic scale is drawn where all values are positive, a linear one otherwise.
    """
    shown = [line for line in lines if len(line.values)]
    if not shown:
        return _empty()
    values = np.concatenate([line.values for line in shown])
    log = log and bool((values > 0).all())
    vertical = _Axis.over(values, HEIGHT - BOTTOM, TOP, log)
    horizontal = _Axis(0.0, max(float(line.places[-1]) for line in shown), LEFT, WIDTH - RIGHT)
    parts = [_grid(vertical, horizontal, x)]
    for line, colour, dashes in zip(shown, COLOURS, DASHES, strict=False):
        places, heights = horizontal.at(line.places), vertical.at(line.values)
        points = Markup(" ".join(f"{a:.1f},{b:.1f}" for a, b in zip(places, heights, strict=True)))  # numbers only
        style: dict[str, Any] = {"fill": "none", "stroke_width": 2, "stroke_dasharray": dashes, "style": f"stroke: {colour}"}
        parts.append(tag("polyline", points=points, **style) if len(line.values) > 1 else _dot(points, colour))
    parts.append(_legend(shown))
    return _svg(in_words(shown, x), *parts)


def in_words(lines: Sequence[Line], x: str) -> str:
    """What the drawing shows, for those who do not see it."""
    told = [f"{line.name} {line.values[-1]:.4g}, {_course(line.values)}" for line in lines if len(line.values)]
    end = max((line.places[-1] for line in lines if len(line.values)), default=0)
    return f"Loss up to {x} {end:.0f}: {'; '.join(told)}." if told else "No loss yet."


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


def _grid(vertical: _Axis, horizontal: _Axis, x: str) -> Markup:
    parts = []
    for value in vertical.ticks():
        y = float(vertical.at(np.array([value]))[0])
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", stroke="currentColor", stroke_opacity=0.18))
        parts.append(_text(f"{value:.4g}", LEFT - 7, y + 4, "end"))
    for value in horizontal.ticks(4):
        at = float(horizontal.at(np.array([value]))[0])
        if value == int(value):
            parts.append(_text(f"{int(value):,}", at, HEIGHT - BOTTOM + 17, "middle"))
    base = HEIGHT - BOTTOM
    parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, stroke="currentColor", stroke_opacity=0.6))
    parts.append(_text(x, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, "middle"))
    turned = f"rotate(-90 13 {(TOP + base) / 2})"
    parts.append(tag("text", "loss", x=13, y=(TOP + base) / 2, text_anchor="middle", fill="currentColor", font_size=13, transform=turned))
    return tag("g", *parts)


def _legend(lines: Sequence[Line]) -> Markup:
    parts = []
    for i, (line, colour, dashes) in enumerate(zip(lines, COLOURS, DASHES, strict=False)):
        y, left = TOP - 12, LEFT + 210 * i
        style = {"stroke_width": 2, "stroke_dasharray": dashes, "style": f"stroke: {colour}"}
        parts.append(tag("line", x1=left, x2=left + 28, y1=y - 4, y2=y - 4, **style))
        parts.append(_text(f"{line.name} {line.values[-1]:.4g}", left + 35, y, "start"))
    return tag("g", *parts)


def _dot(point: Markup, colour: str) -> Markup:
    x, y = point.split(",")
    return tag("circle", cx=x, cy=y, r=3, style=f"fill: {colour}")


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    return tag("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill="currentColor", font_size=13)


def _empty() -> Markup:
    return _svg("No loss yet.", _text("The loss appears here with the first step.", WIDTH / 2, HEIGHT / 2, "middle"))


def _svg(words: str, *parts: Markup) -> Markup:
    place = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "xmlns": "http://www.w3.org/2000/svg"}
    return tag("svg", tag("title", words), *parts, role="img", aria_label=words, class_="pnb-svg", **place)
