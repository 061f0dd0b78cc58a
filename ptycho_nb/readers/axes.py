"""Arrays of any axis order, brought to patterns (M, R, C), positions (M, 2) and modes (P, R, C)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import ScanError
from ptycho_nb.readers.source import quoted

MODES = 128  # of a probe; more is no probe


def squeeze(array: NDArray[Any], least: int) -> NDArray[Any]:
    """The array without axes of length one, down to ``least`` axes; the first are dropped first."""
    while array.ndim > least and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    return array


def as_patterns(array: NDArray[Any], M: int, notes: list[str]) -> NDArray[Any]:
    """Patterns (M, R, C) of an array whose pattern axes come first or last.

    Raises
    ------
    ScanError
        No axis, and no two leading axes together, are M long.
    """
    values, shape = squeeze(array, 3), array.shape
    if not array.size:
        raise ScanError(f"The patterns have shape {shape} and hold nothing; a scan needs at least one pattern.")
    if values.ndim == 4 and math.prod(values.shape[:2]) == M:
        notes.append(f"Patterns of shape {shape} are read as a {values.shape[0]} x {values.shape[1]} grid of patterns, row by row.")
        return values.reshape(M, *values.shape[2:])
    if values.ndim != 3:
        raise ScanError(f"The patterns have shape {shape}; they must be (M, N, N) or (N, N, M), M the number of positions, here {M}.")
    first, last = values.shape[0] == M, values.shape[2] == M
    if first and last and values.shape[1] != M:
        first = values.shape[1] == values.shape[2]
        last = not first
    if first:
        if last:
            notes.append(f"All axes of the patterns are {M} long; the first is taken to count them.")
        return values
    if last:
        notes.append(f"Patterns of shape {shape} are read as (N, N, M): the last axis counts them.")
        return np.moveaxis(values, -1, 0)
    raise ScanError(f"The patterns have shape {shape} but there are {M} positions; one axis must be {M} long: they must match one to one.")


def as_positions(array: NDArray[Any], notes: list[str]) -> NDArray[np.float64]:
    """Positions (M, 2) of an array (M, 2), (2, M) or a grid (A, B, 2)."""
    values = _real(array, "positions")
    if values.ndim > 2 and values.shape[-1] == 2:
        values = values.reshape(-1, 2)
    values = squeeze(values, 2)
    if values.ndim == 2 and values.shape[0] == 2 and values.shape[1] != 2:
        notes.append(f"Positions of shape {array.shape} are read as (2, M): row and column of each.")
        values = values.T
    if values.ndim != 2 or values.shape[1] != 2:
        raise ScanError(f"The positions have shape {array.shape}; they must be (M, 2): row and column of each probe centre.")
    return values.astype(np.float64)


def as_axis(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    """One coordinate of each position: (M,), of (M,), (M, 1) or a grid (A, B)."""
    values = _real(array, f"coordinates {name!r}")
    if len([n for n in values.shape if n != 1]) > 2:
        raise ScanError(f"The coordinates {quoted(name)} have shape {values.shape}; they must be (M,): one for each pattern.")
    return values.reshape(-1).astype(np.float64)


def as_probe(array: NDArray[Any], shape: tuple[int, int], notes: list[str]) -> NDArray[Any]:
    """Modes (P, R, C), R x C as the patterns.

    Raises
    ------
    ScanError
        The probe is of another size than the patterns.
    """
    values = squeeze(array, 2)
    if values.ndim == 3 and values.shape[:2] == shape != values.shape[1:]:
        notes.append(f"The probe of shape {array.shape} is read as (N, N, P): the last axis counts its modes.")
        values = np.moveaxis(values, -1, 0)
    values = values[None] if values.ndim == 2 else values
    if values.ndim == 3 and len(values) > MODES:
        raise ScanError(f"The probe has shape {array.shape}; it may have at most {MODES} modes.")
    if values.ndim != 3 or values.shape[1:] != shape:
        raise ScanError(f"The probe has shape {array.shape}; it must be {shape} or (modes, {shape[0]}, {shape[1]}) like the patterns.")
    return values


def _real(array: NDArray[Any], what: str) -> NDArray[Any]:
    if array.dtype.kind not in "iuf":
        raise ScanError(f"The {what} have type {array.dtype}; they must be real numbers.")
    return array
