"""The check at the door: each array of a scan, in its own type, or one sentence on what is wrong with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.errors import ScanError

SMALLEST_N = 8
LEAST_SIZE, GREATEST_SIZE = 1e-15, 1.0  # m, of an object pixel
WIDEST, SPARSEST = 2**26, 10  # px of an object, and times the px of all patterns, that positions in px do not exceed together
FARTHEST = 100.0  # ratio of the photons of probe and pattern beyond which they are in different units


def located(bad: NDArray[np.bool_]) -> str:
    """Which patterns are meant: ``"17 of 4096 patterns, first 33"``."""
    return f"{int(bad.sum())} of {len(bad)} patterns, first {int(np.argmax(bad))}"


def _real_number(array: ArrayLike, what: str) -> NDArray[Any]:
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise ScanError(f"The {what} have type {values.dtype}; they must be real numbers.")
    return values


def check_patterns(array: ArrayLike) -> NDArray[np.float32]:
    values = np.asarray(array)
    if values.dtype.kind == "c":
        raise ScanError("The patterns are complex; a detector counts photons: give |.|² of a simulated far field.")
    values = _real_number(values, "patterns")
    if values.ndim != 3 or values.shape[1] != values.shape[2]:
        raise ScanError(f"The patterns have shape {values.shape}; they must be (M, N, N): M square patterns (crop makes them square).")
    M, N = values.shape[:2]
    if N % 2 or N < SMALLEST_N:
        raise ScanError(f"The patterns are {N} px wide; the width must be even and at least {SMALLEST_N}: crop to an even width.")
    if M < 1:
        raise ScanError("The scan holds no pattern; it needs at least one.")
    values = np.ascontiguousarray(values, dtype=np.float32)
    check_values(values)
    return values


def check_values(values: NDArray[Any]) -> None:
    """That patterns (M, …) are finite, not negative and not all zero.

    Raises
    ------
    ScanError
        They are not; the sentence counts and locates the patterns.
    """
    M = len(values)
    least = values.reshape(M, -1).min(1)  # NaN and -inf show in the least, +inf in the greatest
    for bad, word in ((~np.isfinite(least) | ~np.isfinite(values.reshape(M, -1).max(1)), "NaN or infinite"), (least < 0, "negative")):
        if bad.any():
            raise ScanError(f"The patterns hold {word} values ({located(bad)}); photons are finite and not negative: mask or repair them.")
    if not values.any():
        raise ScanError("Every pattern is zero; there is nothing to reconstruct: is this the right array?")


def check_positions(array: ArrayLike, M: int) -> NDArray[np.float64]:
    values = _real_number(array, "positions")
    if values.ndim != 2 or values.shape[1] != 2:
        raise ScanError(f"The positions have shape {values.shape}; they must be ({M}, 2): row and column of each probe centre.")
    if len(values) != M:
        raise ScanError(f"Scan has {M} patterns but {len(values)} positions; they must match one to one.")
    values = np.ascontiguousarray(values, dtype=np.float64)
    bad = ~np.isfinite(values).all(1)
    if bad.any():
        raise ScanError(f"The positions hold NaN or infinite values ({located(bad)}); every pattern needs a finite (row, column).")
    span = np.ptp(values, axis=0).max()
    if M > 1 and 0 < span < 1e-2:
        raise ScanError(f"The positions span {span:.3g} px in all, which looks like metres; give position_unit and the pixel size's parts.")
    if M > 1 and span == 0:
        raise ScanError(f"All {M} positions are the same; ptychography needs a probe that moves.")
    if span > 1e5:
        raise ScanError(f"The positions span {span:.3g} px, too far for one object; are they in another unit? Give position_unit.")
    return values


def check_probe(array: ArrayLike, N: int, what: str) -> NDArray[np.complex64]:
    values = np.asarray(array)
    if values.dtype.kind not in "biufc":
        raise ScanError(f"The {what} has type {values.dtype}; it must be numbers.")
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[1:] != (N, N) or not len(values):
        raise ScanError(f"The {what} has shape {np.shape(array)}; it must be ({N}, {N}) or (modes, {N}, {N}) like the patterns.")
    values = np.ascontiguousarray(values, dtype=np.complex64)
    if not np.isfinite(values).all():
        raise ScanError(f"The {what} holds NaN or infinite values; every pixel must be finite.")
    if not values.any():
        raise ScanError(f"The {what} is zero everywhere; leave it out to have one estimated from the patterns.")
    return values


def check_mask(array: ArrayLike | None, N: int) -> NDArray[np.bool_]:
    if array is None:
        return np.ones((N, N), dtype=bool)
    values = np.asarray(array)
    if values.shape != (N, N) or values.dtype != bool:
        raise ScanError(f"The mask is {values.dtype} of shape {values.shape}; it must be boolean ({N}, {N}), True where a pixel is good.")
    return np.ascontiguousarray(values)


def check_truth(array: ArrayLike, positions: NDArray[np.float64]) -> NDArray[np.complex64]:
    values = np.asarray(array)
    plain = values.ndim == 2 and values.dtype.kind in "biufc"
    values = np.ascontiguousarray(values, dtype=np.complex64) if plain else values
    if not plain or not np.isfinite(values).all():
        raise ScanError(f"The known object is {values.dtype} of shape {values.shape}; it must be (rows, columns) of finite numbers.")
    outside: NDArray[np.bool_] = np.any((positions < 0) | (positions > np.array(values.shape) - 1), axis=1)
    if outside.any():
        where = located(outside)
        raise ScanError(f"Positions lie outside the known object of shape {values.shape} ({where}); are rows and columns swapped?")
    return values


def check_size(value: float | None) -> None:
    if value is not None and not LEAST_SIZE <= value <= GREATEST_SIZE:
        allowed = f"a positive length, {LEAST_SIZE:g} to {GREATEST_SIZE:g} m"
        raise ScanError(f"The pixel size is {value} m; it must be {allowed}, or None where it is unknown.")


def check_extent(positions: NDArray[np.float64], N: int) -> None:
    """That the object is not far larger than all patterns together: it would fill the memory, and no two of them would overlap."""
    rows, columns = (int(n) for n in np.ceil(np.ptp(positions, axis=0)) + N)
    if rows * columns > max(WIDEST, SPARSEST * len(positions) * N**2):
        raise ScanError(
            f"The positions span {rows} x {columns} px, far more than {len(positions)} patterns of {N} px can cover; "
            "are they in another unit? Give position_unit."
        )


def check_energy(probe: NDArray[np.complex64], intensity: NDArray[np.float32], mask: NDArray[np.bool_]) -> None:
    """A probe in arbitrary units is told apart from one in photons, which an object only dims."""
    carried = float(np.square(np.abs(probe), dtype=np.float64).sum())
    believed = np.einsum("mrc,rc->m", intensity, mask)
    if not np.isfinite(believed).all():
        raise ScanError("The patterns sum to more than 1e38 photons, which no detector counts; divide them by the detector's gain.")
    if not believed.any():
        raise ScanError("No photon was measured where the mask says True; nothing is left to reconstruct: is it inverted?")
    measured = float(np.median(believed))
    if 0 < measured < np.inf and not 1 / FARTHEST < carried / measured < FARTHEST:
        raise ScanError(
            f"The probe carries {carried:.3g} photons, a pattern {measured:.3g}; sum |probe|² must be photons too: scale the probe."
        )
