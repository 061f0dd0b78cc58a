"""Limits and colours: from where to where an image is drawn, in which map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import ViewConfig
from ptycho_nb.errors import InputError

LOW, HIGH = 0.1, 99.9  # per cent of the pixels; the rest may be stray
WRAPPED = 0.75 * np.pi  # rad; a phase that goes this far is drawn on a full circle of colours
CIRCLE, EVEN = "twilight", "RdBu_r"  # colours that close; colours with a middle
TICKS = {-np.pi: "−π", -np.pi / 2: "−π/2", 0.0: "0", np.pi / 2: "π/2", np.pi: "π"}

Limits = tuple[float, float]


def robust(values: NDArray[Any]) -> Limits:
    """From the 0.1 to the 99.9 per cent point, a little apart even where all values are equal; what is not finite has no say."""
    known = values[np.isfinite(values)]
    low, high = (float(v) for v in np.percentile(known, (LOW, HIGH))) if known.size else (0.0, 1.0)
    margin = max(0.0, 1e-6 * abs(high) - (high - low))
    return low - margin / 2 - 1e-12, high + margin / 2 + 1e-12


def even(values: NDArray[Any]) -> Limits:
    """Equal limits either side of zero, at the 99.9 per cent point of the sizes."""
    known = np.abs(values[np.isfinite(values)])
    high = max(float(np.percentile(known, HIGH)), 1e-9) if known.size else 1.0
    return -high, high


def circular(phases: NDArray[Any]) -> bool:
    """Whether phases [rad] that may have wrapped go so far that only a closed circle of colours shows them."""
    return even(phases)[1] > WRAPPED


def phase_colours(phases: NDArray[Any], config: ViewConfig) -> tuple[str, Limits]:
    """Colour map and limits of the phase."""
    chosen = config.phase_low is not None or config.phase_high is not None
    closed = not config.unwrap and not chosen and (circular(phases) or config.phase_map == CIRCLE)
    name = config.phase_map if config.phase_map != "auto" else CIRCLE if closed else EVEN
    limits = (-np.pi, np.pi) if name == CIRCLE and closed else even(phases) if name in (CIRCLE, EVEN) else robust(phases)
    return name, by_hand("phase", limits, config.phase_low, config.phase_high)


def by_hand(word: str, limits: Limits, low: float | None, high: float | None) -> Limits:
    """These limits, each replaced where one is set."""
    bottom, top = limits[0] if low is None else low, limits[1] if high is None else high
    if not bottom < top:
        raise InputError(f"The {word} is to be drawn from {bottom:.4g} to {top:.4g}, which is no range; leave a limit empty or change it.")
    return bottom, top
