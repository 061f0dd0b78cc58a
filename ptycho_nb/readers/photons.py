"""Photons as the one unit: patterns in photons, and a probe that carries as many."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import ptycho_nb
from ptycho_nb.errors import ScanError
from ptycho_nb.metrics import probe_diameter
from ptycho_nb.readers import evidence
from ptycho_nb.scan import located

ASSUMED = 1e6  # photons a pattern where nothing tells
FEW = 100.0  # a probe of less energy than this is not in photons
CLEAR = 99.0  # percentile of the patterns' photons that stands for the empty beam
APART = 2.0  # factor by which probe and patterns may differ before the probe is scaled
WIDEST = 0.6  # of the window: what the diameter of an estimated probe may be
DEFOCUS_STEP = 1e-3  # waves at the edge of the detector: how finely a defocus is found


def as_photons(values: NDArray[Any], quantity: str, expected: float | None, notes: list[str]) -> NDArray[np.float32]:
    """Photons (M, R, C) of counts or amplitude.

    The square of sqrt(counts) is rounded to the counts. Patterns that were normalised are scaled
    so that a mean one holds ``expected`` photons.

    Parameters
    ----------
    values : real, shape (M, R, C)
    quantity : "counts" or "amplitude"
    expected : float or None
        Mean photons of a pattern by the file or the probe, where known.
    """
    scaled = values.dtype.kind == "f" and (evidence.normalised(values) or (quantity == "amplitude" and evidence.ptychopinn_scale(values)))
    photons = values.astype(np.float32)
    if quantity == "amplitude":
        photons = np.square(photons)
        if evidence.square_root_of_counts(values):
            np.rint(photons, out=photons)  # the counts again, without the root's rounding
    mean = float(photons.sum(dtype=np.float64) / len(photons))
    if not scaled or not np.isfinite(mean) or mean <= 0:
        return photons
    if expected is None:
        notes.append(f"The patterns are normalised and no photons are stored: a mean one is taken to hold {ASSUMED:g}.")
    else:
        notes.append(f"The patterns are normalised; they are scaled so that a mean one holds {expected:.4g} photons.")
    photons *= np.float32((ASSUMED if expected is None else expected) / mean)
    return photons


def fit_probe(
    probe: NDArray[Any], photons: NDArray[np.float32], mask: NDArray[np.bool_], through: float | None, notes: list[str]
) -> NDArray[Any]:
    """The probe, scaled to the patterns' photons where it is off by more than a factor of two.

    Compared on the believed pixels. Without a known object the empty beam is what the brightest
    patterns show (99th percentile).

    Parameters
    ----------
    through : float or None
        Mean transmission |object|² where it is known.
    """
    energy = float(_far_intensity(probe)[mask].sum())
    if not np.isfinite(energy) or energy <= 0:
        return probe
    sums = _sums(photons, mask)
    ratio = float(sums.mean()) / (energy * (through or 1.0))
    if 1 / APART <= ratio <= APART:
        return probe
    clear = float(sums.mean()) / through if through else _clear(sums)
    notes.append(f"The probe carries {energy:.3g} photons, the patterns {sums.mean():.3g}; it is scaled to {clear:.4g}.")
    scaled: NDArray[Any] = probe * np.sqrt(clear / energy)
    return scaled


def estimate_probe(
    photons: NDArray[np.float32], mask: NDArray[np.bool_], diameter: float | None, notes: list[str]
) -> NDArray[np.complex64]:
    """A probe (1, N, N) whose far field has the amplitude of the mean of these patterns (M, N, N).

    At phase zero it is the most compact one of that far field, a beam in focus; a diameter [px] that
    holds 90 % of it puts it out of focus. It carries the photons of the brightest patterns (99th
    percentile), where the object is clearest.

    Raises
    ------
    ScanError
        A beam of this diameter does not fit the window.
    """
    far = np.sqrt(np.where(mask, photons.mean(0, dtype=np.float64), 0))
    wave = ptycho_nb.near_field(far) if diameter is None else _spread(far, diameter)
    clear = _clear(_sums(photons, mask))
    energy = float(np.square(np.abs(wave)).sum())
    how = "in focus" if diameter is None else f"{probe_diameter(wave):.3g} px wide, out of focus"
    notes.append(f"No probe is stored; it is estimated from the mean pattern as a beam {how}, of {clear:.4g} photons: refine it.")
    return np.asarray(wave * np.sqrt(clear / max(energy, 1e-300)), dtype=np.complex64)[None]


def _spread(far: NDArray[np.float64], diameter: float) -> NDArray[np.complexfloating[Any, Any]]:
    """The probe (N, N) of this far-field amplitude, put out of focus until 90 % of it lies within a diameter [px].

    Defocus is a quadratic phase in the far field, positive as in ``simulate``; its size is found by
    bisection. A beam that is wider in focus stays so.
    """
    N = len(far)
    if not diameter <= WIDEST * N:
        raise ScanError(
            f"probe_diameter is {diameter:.4g} px in a window of {N}; at most {WIDEST * N:.0f} px fit: check its unit and the pixel size."
        )
    axis = np.arange(N) - N // 2
    radius = (axis[:, None] ** 2 + axis**2) / (N / 2) ** 2
    low, high = 0.0, N / 2  # waves at the edge of the detector
    high = high if probe_diameter(ptycho_nb.near_field(far)) < diameter else low
    while high - low > DEFOCUS_STEP:
        middle = (low + high) / 2
        tried = ptycho_nb.near_field(far * np.exp(2j * np.pi * middle * radius))
        low, high = (middle, high) if probe_diameter(tried) < diameter else (low, middle)
    return ptycho_nb.near_field(far * np.exp(2j * np.pi * low * radius))


def energy(probe: NDArray[Any] | None) -> float | None:
    """Photons of the empty beam, or None when the probe is not in photons."""
    if probe is None:
        return None
    total = float(np.square(np.abs(probe), dtype=np.float64).sum())
    return total if np.isfinite(total) and total >= FEW else None


def transmission(truth: NDArray[Any] | None, positions: NDArray[np.float64]) -> float | None:
    """Mean |object|² where the probe went, or None."""
    if truth is None:
        return None
    (r0, c0), (r1, c1) = np.floor(positions.min(0)).astype(int), np.ceil(positions.max(0)).astype(int) + 1
    return float(np.square(np.abs(truth[max(r0, 0) : r1, max(c0, 0) : c1]), dtype=np.float64).mean()) or None


def dim(photons: NDArray[np.float32], notes: list[str]) -> None:
    """A note on frames far darker than the rest, such as a closed shutter."""
    sums = photons.sum((1, 2), dtype=np.float64)
    dark = (sums > 0) & (sums < 0.01 * np.median(sums))
    if dark.any():
        notes.append(f"{located(dark)}, hold less than 1 % of the usual photons.")


def _far_intensity(probe: NDArray[Any]) -> NDArray[np.float64]:
    axes = (-2, -1)
    far = np.fft.fftshift(np.fft.fft2(probe.astype(np.complex128), norm="ortho"), axes=axes)
    intensity: NDArray[np.float64] = np.square(np.abs(far)).sum(0)
    return intensity


def _sums(photons: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.array([pattern[mask].sum(dtype=np.float64) for pattern in photons])


def _clear(sums: NDArray[np.float64]) -> float:
    return float(np.percentile(sums, CLEAR))
