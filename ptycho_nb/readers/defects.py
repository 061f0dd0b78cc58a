"""Detector pixels that measured nothing: saturated, marked or never finite ones are masked, and said."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import ScanError
from ptycho_nb.scan import located

SENTINELS = (65535, 2147483647, 4294967295)  # greatest integers that detectors write, also when stored as floats
MOST = 0.25  # share of the detector that may be saturated


def mask_defects(values: NDArray[Any], believed: NDArray[np.bool_], notes: list[str]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Patterns (M, R, C), zero where a pixel is not to be believed, and the mask (R, C) that says where.

    A pixel that ever holds the greatest integer of the file's type is masked in all patterns; so
    is one that is NaN, infinite or negative in all of them. What the mask already leaves out is
    not looked at.

    Raises
    ------
    ScanError
        More than a quarter of the detector is saturated.
    """
    saturated = _saturated(values) & believed
    never = _never_valid(values) & believed
    if saturated.mean() > MOST:
        many = f"{int(saturated.sum())} of {saturated.size} pixels"
        raise ScanError(f"{many} reach the greatest integer of {values.dtype}; give mask= or unclipped patterns.")
    if saturated.any():
        notes.append(f"{_pixels(saturated)} the greatest integer that {values.dtype} or a detector writes; masked.")
    if never.any():
        notes.append(f"{_pixels(never)} NaN, infinite or negative values in every pattern; masked.")
    mask = believed & ~saturated & ~never
    if not mask.all():
        values = np.where(mask, values, np.zeros((), values.dtype))
    empty = np.array([not pattern.any() for pattern in values])
    if empty.any():
        notes.append(f"{located(empty)}, are zero everywhere; they are kept.")
    return values, mask


def defects(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where patterns (M, R, C) ever hold the greatest integer, or never a number to believe."""
    return np.asarray(_saturated(values) | _never_valid(values))


def _saturated(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind in "iu":
        found: NDArray[np.bool_] = (values == np.iinfo(values.dtype).max).any(0) | np.isin(values.max(0), SENTINELS)
        return found
    if values.dtype.kind == "f":
        return np.isin(np.fmax.reduce(values, axis=0), SENTINELS)
    return np.zeros(values.shape[1:], dtype=bool)


def _never_valid(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind not in "if":
        return np.zeros(values.shape[1:], dtype=bool)
    valid = np.zeros(values.shape[1:], dtype=bool)
    for pattern in values:
        valid |= np.isfinite(pattern) & (pattern >= 0)
        if valid.all():
            break
    return ~valid


def _pixels(bad: NDArray[np.bool_]) -> str:
    row, col = np.argwhere(bad)[0]
    return f"{int(bad.sum())} detector pixels (first [{row}, {col}]) hold" if bad.sum() > 1 else f"Detector pixel [{row}, {col}] holds"
