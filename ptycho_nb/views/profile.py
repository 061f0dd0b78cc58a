"""Amplitude and phase of a view along a straight line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ptycho_nb.errors import InputError
from ptycho_nb.views.view import View

MOST = 2048  # places on a line
WHOLE = 0.999  # share of the light round a place below which it is unseen

Place = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Profile:
    """What lies on a line.

    Attributes
    ----------
    distance : float64, shape (K,)
        From its start [px], about one pixel apart.
    amplitude, phase : float64, shape (K,)
        The phase in rad; NaN where too little light fell.
    """

    distance: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    phase: NDArray[np.float64]


def profile(shown: View, start: Place, end: Place) -> Profile:
    """Amplitude and phase from one place (row, col) of the view to another, read between pixels.

    Bilinear: a wrapped phase by the complex object, so that no jump of 2π is averaged.

    Raises
    ------
    InputError
        An end lies outside the view, or both are the same place.
    """
    ends = np.array([start, end], dtype=float)
    last = np.array(shown.shape) - 1.0
    if not np.isfinite(ends).all() or (ends < -0.5).any() or (ends > last + 0.5).any():
        rows, columns = shown.shape
        raise InputError(f"The line reaches outside the view: rows must lie in 0 to {rows - 1}, columns in 0 to {columns - 1}.")
    length = float(np.hypot(*(ends[1] - ends[0])))
    if length < 1e-6:
        raise InputError("The line has no length; give it two different ends.")
    share = np.linspace(0, 1, min(max(2, int(np.ceil(length)) + 1), MOST))
    places = np.clip(ends[0] + share[:, None] * (ends[1] - ends[0]), 0, last).T
    lit = np.isfinite(shown.amplitude)
    amplitude, phase = (np.where(lit, values, 0).astype(np.float64) for values in (shown.amplitude, shown.phase))
    seen = _read(lit.astype(np.float64), places) > WHOLE
    along = _read(phase, places)
    if not shown.config.unwrap:
        wave = amplitude * np.exp(1j * phase)
        along = np.angle(_read(wave.real, places) + 1j * _read(wave.imag, places))
    return Profile(share * length, np.where(seen, _read(amplitude, places), np.nan), np.where(seen, along, np.nan))


def _read(values: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(map_coordinates(values, places, order=1, mode="nearest"))
