"""A ptychographic scan: what was measured, where, and with which probe, checked at the door."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.errors import ScanError

FloatArray = NDArray[np.floating[Any]]
ComplexArray = NDArray[np.complexfloating[Any, Any]]

SMALLEST_N = 8
MARGIN = 2  # object pixels beyond the outermost patch, so that sub-pixel neighbours exist


class Canvas(NamedTuple):
    """Where the object array lies: ``object[r, c]`` is at position ``origin + (r, c)`` [px]."""

    origin: tuple[int, int]
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Scan:
    """Diffraction patterns, probe positions and probe, in photons and object pixels.

    Attributes
    ----------
    intensity : float32, shape (M, N, N)
        Photons in each detector pixel, zero frequency at ``[N // 2, N // 2]``.
    positions : float64, shape (M, 2)
        Probe centres (row, col) in object pixels.
    probe : complex64, shape (P, N, N)
        Incoherent modes; ``sum |probe|**2`` is the photons of a pattern where the object is 1.
    truth : complex64, shape (H, W), or None
        The known object; position (r, c) is its element ``[r, c]``.
    true_probe, true_positions : like ``probe`` and ``positions``, or None
        What a simulation really used, where ``probe`` and ``positions`` carry errors.
    mask : bool, shape (N, N)
        True where a detector pixel is to be believed.
    pixel_size : float or None
        Width of an object pixel [m].
    name : str
        What to call the scan.
    notes : tuple of str
        What the reader read and assumed, a sentence each.
    metadata : dict
        Anything else, JSON-like.

    Raises
    ------
    ScanError
        The arrays are no scan; one sentence says what, where and the way out.
    """

    intensity: NDArray[np.float32]
    positions: NDArray[np.float64]
    probe: NDArray[np.complex64]
    truth: NDArray[np.complex64] | None = None
    true_probe: NDArray[np.complex64] | None = None
    true_positions: NDArray[np.float64] | None = None
    mask: NDArray[np.bool_] | None = None  # None at the door becomes all True
    pixel_size: float | None = None
    name: str = "scan"
    notes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        intensity = _patterns(self.intensity)
        N = intensity.shape[-1]
        put = {"intensity": intensity, "positions": _positions(self.positions, len(intensity))}
        put["probe"] = _probe(self.probe, N, "probe")
        put["mask"] = _mask(self.mask, N)
        if self.true_probe is not None:
            put["true_probe"] = _probe(self.true_probe, N, "true probe")
        if self.true_positions is not None:
            put["true_positions"] = _positions(self.true_positions, len(intensity))
        if self.truth is not None:
            put["truth"] = _truth(self.truth, put["positions"])
        _size(self.pixel_size)
        if not put["mask"].any():
            raise ScanError("The mask leaves no detector pixel; True marks the pixels to believe: invert it with ~mask.")
        for name, value in put.items():
            object.__setattr__(self, name, value)

    @property
    def M(self) -> int:
        """Patterns in the scan."""
        return len(self.intensity)

    @property
    def N(self) -> int:
        """Width of a pattern [px]."""
        return int(self.intensity.shape[-1])

    @property
    def photons(self) -> float:
        """Mean photons in a pattern, masked pixels left out."""
        assert self.mask is not None
        return float(self.intensity[:, self.mask].sum(dtype=np.float64) / self.M)

    @property
    def canvas(self) -> Canvas:
        """The object array that holds every patch: the truth's own, or the least that fits."""
        if self.truth is not None:
            return Canvas((0, 0), (self.truth.shape[0], self.truth.shape[1]))
        low = np.floor(self.positions.min(0)).astype(int) - self.N // 2 - MARGIN
        high = np.ceil(self.positions.max(0)).astype(int) + self.N // 2 + MARGIN
        return Canvas((int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1])))

    def select(self, patterns: ArrayLike) -> Self:
        """The scan of some patterns only, by index or by a boolean of length M.

        The object's grid may shrink to what they cover; a truth keeps it.
        """
        chosen = np.asarray(patterns)
        true = None if self.true_positions is None else self.true_positions[chosen]
        return replace(self, intensity=self.intensity[chosen], positions=self.positions[chosen], true_positions=true)

    def replace(self, **changes: Any) -> Self:
        """The same scan with some attributes changed, checked again."""
        return replace(self, **changes)

    def __repr__(self) -> str:
        size = "pixel size unknown" if self.pixel_size is None else f"pixel {self.pixel_size:.3g} m"
        modes = f"{len(self.probe)} probe mode" + "s" * (len(self.probe) > 1)
        truth = "truth known" if self.truth is not None else "no truth"
        return f"<Scan {self.name}: {self.M} patterns of {self.N} x {self.N}, {self.photons:.3g} photons each, {modes}, {size}, {truth}>"


ATTRIBUTES = tuple(f.name for f in fields(Scan))


def located(bad: NDArray[np.bool_]) -> str:
    """Which patterns are meant: ``"17 of 4096 patterns, first 33"``."""
    return f"{int(bad.sum())} of {len(bad)} patterns, first {int(np.argmax(bad))}"


def _real_number(array: ArrayLike, what: str) -> NDArray[Any]:
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise ScanError(f"The {what} have type {values.dtype}; they must be real numbers.")
    return values


def _patterns(array: ArrayLike) -> NDArray[np.float32]:
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
    least = values.reshape(M, -1).min(1)  # NaN and -inf show in the least, +inf in the greatest
    for bad, word in ((~np.isfinite(least) | ~np.isfinite(values.reshape(M, -1).max(1)), "NaN or infinite"), (least < 0, "negative")):
        if bad.any():
            raise ScanError(f"The patterns hold {word} values ({located(bad)}); photons are finite and not negative: mask or repair them.")
    if not values.any():
        raise ScanError("Every pattern is zero; there is nothing to reconstruct: is this the right array?")
    return values


def _positions(array: ArrayLike, M: int) -> NDArray[np.float64]:
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


def _probe(array: ArrayLike, N: int, what: str) -> NDArray[np.complex64]:
    values = np.asarray(array)
    if values.dtype.kind not in "biufc":
        raise ScanError(f"The {what} has type {values.dtype}; it must be numbers.")
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[1:] != (N, N) or not len(values):
        raise ScanError(f"The {what} has shape {np.shape(array)}; it must be ({N}, {N}) or (modes, {N}, {N}) like the patterns.")
    if not np.isfinite(values).all():
        raise ScanError(f"The {what} holds NaN or infinite values; every pixel must be finite.")
    if not values.any():
        raise ScanError(f"The {what} is zero everywhere; leave it out to have one estimated from the patterns.")
    return np.ascontiguousarray(values, dtype=np.complex64)


def _mask(array: ArrayLike | None, N: int) -> NDArray[np.bool_]:
    if array is None:
        return np.ones((N, N), dtype=bool)
    values = np.asarray(array)
    if values.shape != (N, N) or values.dtype != bool:
        raise ScanError(f"The mask is {values.dtype} of shape {values.shape}; it must be boolean ({N}, {N}), True where a pixel is to be believed.")
    return np.ascontiguousarray(values)


def _truth(array: ArrayLike, positions: NDArray[np.float64]) -> NDArray[np.complex64]:
    values = np.asarray(array)
    if values.ndim != 2 or values.dtype.kind not in "biufc" or not np.isfinite(values).all():
        raise ScanError(f"The known object is {values.dtype} of shape {values.shape}; it must be (rows, columns) of finite numbers.")
    outside = ((positions < 0) | (positions > np.array(values.shape) - 1)).any(1)
    if outside.any():
        raise ScanError(f"Positions lie outside the known object of shape {values.shape} ({located(outside)}); are rows and columns swapped?")
    return np.ascontiguousarray(values, dtype=np.complex64)


def _size(value: float | None) -> None:
    if value is not None and not (np.isfinite(value) and value > 0):
        raise ScanError(f"The pixel size is {value} m; it must be a positive length, or None where it is unknown.")
