"""Fourier ring correlation: down to which detail two objects agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.errors import InputError
from ptycho_nb.metrics.registration import SMALLEST, Complex, complex_pair

Real = NDArray[np.float64]
Threshold = float | Callable[[ArrayLike], Real]

NYQUIST = 0.5  # cycles/px
GUARD = 2  # the first ring that may cross: mean and slowest drift say nothing of resolution
TAPER = 0.25  # share of each axis over which the edges are brought to zero


def half_bit(counts: ArrayLike) -> Real:
    """The half-bit threshold of rings of ``counts`` Fourier pixels, for two half-data objects.

    References
    ----------
    van Heel & Schatz, J. Struct. Biol. 151, 250 (2005), half-bit curve.
    """
    root = 1 / np.sqrt(np.maximum(np.asarray(counts, dtype=np.float64), 1))
    return (0.2071 + 1.9102 * root) / (1.2071 + 0.9102 * root)


def one_bit(counts: ArrayLike) -> Real:
    """The 1-bit threshold of rings of ``counts`` Fourier pixels.

    References
    ----------
    van Heel & Schatz, J. Struct. Biol. 151, 250 (2005), 1-bit curve.
    """
    root = 1 / np.sqrt(np.maximum(np.asarray(counts, dtype=np.float64), 1))
    return (0.5 + 2.4142 * root) / (1.5 + 1.4142 * root)


@dataclass(frozen=True, eq=False)
class RingCorrelation:
    """Correlation of two objects, ring by ring in Fourier space.

    Attributes
    ----------
    frequency : float64, shape (R,)
        Radius of each ring [cycles/px], 0 to Nyquist.
    correlation : float64, shape (R,)
        In -1 to 1.
    counts : int64, shape (R,)
        Fourier pixels in each ring.
    """

    frequency: Real
    correlation: Real
    counts: NDArray[np.int64]

    def threshold(self, threshold: Threshold) -> Real:
        """The threshold at each ring: a constant such as 0.5, or ``half_bit``, ``one_bit``."""
        level = threshold(self.counts) if callable(threshold) else threshold
        return np.broadcast_to(np.asarray(level, dtype=np.float64), self.correlation.shape)

    def crossing(self, threshold: Threshold = 0.5) -> float:
        """The frequency at which the correlation first falls below the threshold [cycles/px].

        Read between rings by a straight line. The first two rings are passed over. Nyquist,
        0.5, where it never falls below.
        """
        above = self.correlation - self.threshold(threshold)
        below = np.flatnonzero(above[GUARD:] < 0)
        if not below.size:
            return NYQUIST
        i = int(below[0]) + GUARD
        share = above[i - 1] / (above[i - 1] - above[i]) if above[i - 1] > 0 else 0.0
        return float(self.frequency[i - 1] + share * (self.frequency[i] - self.frequency[i - 1]))

    def half_period(self, threshold: Threshold = 0.5) -> float:
        """The finest half-period on which both agree, ``0.5 / crossing`` [px]; 1 at best."""
        return 0.5 / self.crossing(threshold)


def frc(a: ArrayLike, b: ArrayLike) -> RingCorrelation:
    """Fourier ring correlation of two aligned objects, their edges tapered.

    The mean is taken off and the outer eighth of each side brought to zero by a cosine, else
    the edges themselves correlate. Rings are one pixel of the shorter axis wide.

    Parameters
    ----------
    a, b : complex or real, shape (h, w)

    Raises
    ------
    InputError
        The shapes differ, a value is not finite, or a side is under 16 px.

    References
    ----------
    Saxton & Baumeister, J. Microsc. 127, 127 (1982); van Heel & Schatz, J. Struct. Biol. 151, 250 (2005).
    """
    first, second = complex_pair(a, b)
    h, w = first.shape
    if min(h, w) < SMALLEST:
        raise InputError(f"The objects are {h} x {w} px; a ring correlation needs at least {SMALLEST} px each way.")
    window = np.outer(_taper(h), _taper(w))
    first, second = _spectrum(first, window), _spectrum(second, window)
    n = min(h, w)
    ring = np.rint(np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)) * n).astype(np.int64)
    inside = ring <= n // 2
    ring = ring[inside]
    both, one, other = (np.bincount(ring, v[inside]) for v in ((first * second.conj()).real, np.abs(first) ** 2, np.abs(second) ** 2))
    scale = np.sqrt(one * other)
    correlation = np.divide(both, scale, out=np.zeros_like(both), where=scale > 0)
    return RingCorrelation(np.arange(len(both)) / n, correlation, np.bincount(ring))


def _taper(n: int) -> Real:
    """1 in the middle, a raised cosine to 0 over the outer eighth of each side (Tukey)."""
    edge = max(4, round(n * TAPER / 2))
    distance = np.minimum(np.arange(n), np.arange(n)[::-1])
    return np.where(distance < edge, np.sin(np.pi * (distance + 0.5) / (2 * edge)) ** 2, 1.0)


def _spectrum(image: Complex, window: Real) -> Complex:
    return np.fft.fft2((image - np.sum(image * window) / window.sum()) * window)
