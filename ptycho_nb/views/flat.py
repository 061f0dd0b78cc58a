"""The phase of an object, without the ramp that the data leave free and without jumps of 2π."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import unwrap_phase

FITTED = 60_000  # pixels, evenly over the region, that a ramp is fitted to
ROUNDS, REFITS = 4, 12  # of the wrapped phase; of the weights in each
BIWEIGHT = 4.685  # standard deviations beyond which a pixel has no say: 95 % efficient on Gaussian noise
LEAST_SPREAD = 1e-4  # rad

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
Mask = NDArray[np.bool_]


def flattened(found: Complex, lit: Mask, judged: Mask, *, remove_ramp: bool, unwrap: bool) -> tuple[Real, tuple[float, float] | None]:
    """The phase (h, w) [rad], NaN where unlit, and the ramp taken off it along rows and columns [rad/px].

    Its mean over what is judged is taken off: over the circle, or where it is unwrapped the plain mean.
    A ramp begins as the mean phase step from pixel to pixel; then it is the slope of the plane
    through the phase that is left.

    Parameters
    ----------
    found : complex128, shape (h, w)
    lit, judged : bool, shape (h, w)
        Where the object is known, and the part of it that ramp and mean are taken from.
    """
    ramp = np.zeros(2)
    if remove_ramp:
        ramp = _mean_slope(found, judged)
        ramp = ramp if unwrap else _settled(found, judged, ramp)
        found = found * _wave(found.shape, -ramp)
    phase = np.where(lit, np.angle(found * np.exp(-1j * np.angle(found[judged].sum()))), np.nan)
    if unwrap:
        phase = _unwrapped(phase, lit)
        if remove_ramp:
            rest = _slope(phase, np.abs(found), judged)
            phase, ramp = phase - _plane(phase.shape, rest), ramp + rest
        phase = phase - phase[judged].mean()
    return phase, (float(ramp[0]), float(ramp[1])) if remove_ramp else None


def _unwrapped(phase: Real, lit: Mask) -> Real:
    """The phase without jumps of 2π, as far as its lit pixels hang together.

    References
    ----------
    Herráez, Burton, Lalor & Gdeisat, Appl. Opt. 41, 7437 (2002), by scikit-image.
    """
    masked = np.ma.masked_array(np.where(lit, phase, 0.0), ~lit)
    return np.where(lit, np.ma.getdata(unwrap_phase(masked, rng=0)), np.nan)  # type: ignore[no-untyped-call]


def _mean_slope(found: Complex, judged: Mask) -> Real:
    """The phase step to the next pixel along rows and columns [rad/px], mean over the circle, each pair weighed by its amplitudes."""
    kept = np.where(judged, found, 0)
    down, across = np.sum(kept[1:] * kept[:-1].conj()), np.sum(kept[:, 1:] * kept[:, :-1].conj())
    return np.angle([down, across])


def _settled(found: Complex, judged: Mask, ramp: Real) -> Real:
    """The ramp that leaves a wrapped phase flat, from one that nearly does."""
    for _ in range(ROUNDS):
        level = found * _wave(found.shape, -ramp)
        left = np.angle(level * np.exp(-1j * np.angle(level[judged].sum())))
        step = _slope(left, np.abs(found), judged)
        ramp = ramp + step
        if np.abs(step).max() * max(found.shape) < LEAST_SPREAD:
            break
    return ramp


def _slope(phase: Real, amplitude: Real, judged: Mask) -> Real:
    """Slopes (2,) [rad/px] of the plane through the phase: least squares weighed by amplitude, what stands out weighed down.

    References
    ----------
    Holland & Welsch, Commun. Stat. A 6, 813 (1977), for the biweight and its width.
    """
    rows, columns = np.nonzero(judged)
    step = -(-len(rows) // FITTED)
    rows, columns = rows[::step], columns[::step]
    terms = np.stack([np.ones(len(rows)), rows - rows.mean(), columns - columns.mean()], 1)
    values, light = phase[rows, columns], amplitude[rows, columns]
    weight, plane = light, np.zeros(3)
    for _ in range(REFITS):
        weighed = terms * weight[:, None]
        plane = np.linalg.lstsq(weighed.T @ terms, weighed.T @ values)[0]
        left = values - terms @ plane
        left = left - np.median(left)
        spread = max(1.4826 * float(np.median(np.abs(left))), LEAST_SPREAD)
        weight = light * np.clip(1 - (left / (BIWEIGHT * spread)) ** 2, 0, None) ** 2
    return plane[1:]


def _plane(shape: tuple[int, ...], slope: Real) -> Real:
    return slope[0] * np.arange(shape[0])[:, None] + slope[1] * np.arange(shape[1])


def _wave(shape: tuple[int, ...], slope: Real) -> Complex:
    return np.exp(1j * _plane(shape, slope))
