"""What is drawn over the images of a viewer: checked at the door, plain numbers after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ptycho_nb.errors import InputError, unknown

LONGEST = 60  # characters of a label
KINDS = {  # kind -> what "at" is, and how many axes the array of it has
    "circle": ("(row, col) of its centre", 1, 2),
    "points": ("a list of (row, col)", 2, 2),
    "line": ("a list of (row, col), joined in this order", 2, 2),
    "box": ("(top, left, bottom, right)", 1, 4),
}


def checked(marks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The marks in plain numbers and texts.

    Raises
    ------
    InputError
        A kind that does not exist, or coordinates that are none of its kind.
    """
    return [_checked(mark) for mark in marks]


def _checked(mark: Mapping[str, Any]) -> dict[str, Any]:
    kind = mark.get("kind")
    if kind not in KINDS:
        raise InputError(unknown("kind of mark", kind, KINDS))
    words, axes, length = KINDS[kind]
    at = _numbers(mark.get("at"))
    if at is None or at.ndim != axes or at.shape[-1] != length:
        raise InputError(f"A {kind} has at={mark.get('at')!r:.60}; it must be {words}, in finite numbers.")
    radius = _numbers(mark.get("radius", 0))
    if radius is None or radius.ndim or (kind == "circle" and radius <= 0):
        raise InputError(f"A circle has radius={mark.get('radius')!r:.60}; it must be a number above 0, in pixels.")
    drawn = {"kind": kind, "at": at.tolist(), "label": str(mark.get("label", ""))[:LONGEST], "dashed": bool(mark.get("dashed", False))}
    return drawn | ({"radius": float(radius)} if kind == "circle" else {})


def _numbers(given: Any) -> np.ndarray[Any, Any] | None:
    """Finite numbers to a hundredth of a pixel; None where they are none."""
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        return None
    return found.round(2) if np.isfinite(found).all() else None
