"""A curve of any length as at most 400 points, at a cost that does not grow with it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

POINTS = 400


class Curve:
    """Values one after the other, kept as means over equal stretches; two stretches merge when they become too many.

    Values that are not finite are left out of their stretch.
    """

    def __init__(self, points: int = POINTS) -> None:
        self._points = points
        self._sums = np.zeros(points)
        self._counts = np.zeros(points)
        self._stretch = 1
        self.length = 0

    def add(self, value: float) -> None:
        """One more value."""
        if self.length == self._points * self._stretch:
            self._merge()
        place = self.length // self._stretch
        self.length += 1
        if math.isfinite(value):
            self._sums[place] += value
            self._counts[place] += 1

    def _merge(self) -> None:
        half = self._points // 2
        for kept in (self._sums, self._counts):
            kept[:half] = kept.reshape(half, 2).sum(1)
            kept[half:] = 0
        self._stretch *= 2

    def drawn(self, smoothing: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places (K,), counted from 1, and values (K,) of at most 400 points.

        Parameters
        ----------
        smoothing : float
            Weight, 0 to below 1, of what came before in an exponential mean that begins unbiased.
        """
        used = np.flatnonzero(self._counts)
        values = self._sums[used] / self._counts[used]
        ends = np.minimum((used + 1) * self._stretch, self.length)
        places = (used * self._stretch + 1 + ends) / 2
        if smoothing > 0 and len(values):
            mean, weight = 0.0, 0.0
            for i, value in enumerate(values):
                mean, weight = smoothing * mean + (1 - smoothing) * value, smoothing * weight + 1 - smoothing
                values[i] = mean / weight
        return places, values
