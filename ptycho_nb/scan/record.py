"""A ptychographic scan: what was measured, where, and with which probe, checked at the door."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.errors import InputError, ScanError
from ptycho_nb.scan.detector import Detector
from ptycho_nb.scan.door import (
    check_energy,
    check_extent,
    check_mask,
    check_patterns,
    check_positions,
    check_probe,
    check_size,
    check_truth,
)

FloatArray = NDArray[np.floating[Any]]
ComplexArray = NDArray[np.complexfloating[Any, Any]]

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
        The known object; position (r, c) is its element ``[r, c]``. Every probe centre lies on it;
        patches may reach beyond it.
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
    mask: NDArray[np.bool_] = None  # type: ignore[assignment]  # left out at the door, it becomes all True
    pixel_size: float | None = None
    name: str = "scan"
    notes: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and told as such
            self._check()

    def _check(self) -> None:
        intensity = check_patterns(self.intensity)
        N = intensity.shape[-1]
        positions, mask = check_positions(self.positions, len(intensity)), check_mask(self.mask, N)
        check_extent(positions, N)
        put: dict[str, Any] = {"intensity": intensity, "positions": positions, "mask": mask}
        put["probe"] = check_probe(self.probe, N, "probe")
        if self.true_probe is not None:
            put["true_probe"] = check_probe(self.true_probe, N, "true probe")
        if self.true_positions is not None:
            put["true_positions"] = check_positions(self.true_positions, len(intensity))
        if self.truth is not None:
            put["truth"] = check_truth(self.truth, positions)
        check_size(self.pixel_size)
        if not mask.any():
            raise ScanError("The mask leaves no detector pixel; True marks the pixels to believe: invert it with ~mask.")
        check_energy(put["probe"], intensity, mask)
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
        return float(np.einsum("mrc,rc->m", self.intensity, self.mask).mean(dtype=np.float64))  # no copy of the patterns

    @property
    def middle(self) -> int:
        """Number of the pattern measured nearest to the middle of the scanned field."""
        centre = (self.positions.min(0) + self.positions.max(0)) / 2
        return int(np.square(self.positions - centre).sum(1).argmin())

    @property
    def canvas(self) -> Canvas:
        """The least object array that holds every patch and, where it is known, the whole truth."""
        reach = self.N // 2 + (MARGIN if self.truth is None else 0)
        low = np.floor(self.positions.min(0)).astype(int) - reach
        high = np.ceil(self.positions.max(0)).astype(int) + reach
        if self.truth is not None:
            low, high = np.minimum(low, 0), np.maximum(high, self.truth.shape)
        return Canvas((int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1])))

    def truth_on(self, canvas: Canvas) -> NDArray[np.complex64]:
        """The known object as it lies on an object array of ``canvas.shape``, clear (1) beyond what is known.

        Raises
        ------
        InputError
            There is none, or the array lies elsewhere, as that of a twin does.
        """
        if self.truth is None:
            raise InputError(f"{self.name[:40]} has no known object to compare with; simulate_scan makes scans that have one.")
        low, high = np.maximum(canvas.origin, 0), np.minimum(np.add(canvas.origin, canvas.shape), self.truth.shape)
        if (low > self.positions.min(0)).any() or (high <= self.positions.max(0)).any():
            raise InputError(f"The object lies elsewhere than the known one of {self.name[:40]}, as a twin's does; turn it with twin().")
        found = np.ones(canvas.shape, dtype=np.complex64)
        to = tuple(slice(int(a), int(b)) for a, b in zip(low - canvas.origin, high - canvas.origin, strict=True))
        found[to] = self.truth[low[0] : high[0], low[1] : high[1]]
        return found

    def select(self, patterns: ArrayLike) -> Self:
        """The scan of some patterns only, by index or by a boolean of length M.

        The object's grid may shrink to what they cover; a truth keeps it.
        """
        chosen = np.asarray(patterns)
        index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        if chosen.ndim != 1 or chosen.dtype.kind not in "bui" or (chosen.dtype == bool and len(chosen) != self.M):
            raise ScanError(f"The choice of patterns has shape {chosen.shape} and type {chosen.dtype}; give indices, or {self.M} booleans.")
        if not len(index) or index.min() < -self.M or index.max() >= self.M:
            raise ScanError(f"The choice of patterns is empty or reaches outside 0 to {self.M - 1}; choose among the scan's own.")
        true = None if self.true_positions is None else self.true_positions[chosen]
        return replace(self, intensity=self.intensity[chosen], positions=self.positions[chosen], true_positions=true)

    def same(self, other: Scan) -> bool:
        """Whether every attribute of the other is the same, number by number."""
        return self is other or all(_equal(vars(self)[name], vars(other)[name]) for name in ATTRIBUTES)

    def replace(self, **changes: Any) -> Self:
        """The same scan with some attributes changed, checked again."""
        return replace(self, **changes)

    def oriented(self, *, transpose: bool = False, flip_rows: bool = False, flip_columns: bool = False) -> Self:
        """The scan with its positions swapped (row for column) and then turned round inside their bounding box.

        For scans whose axes are recorded another way. A known object no longer fits and is left out.
        """
        if not (transpose or flip_rows or flip_columns):
            return self
        positions = self.positions[:, ::-1] if transpose else self.positions
        ends = positions.min(0) + positions.max(0)
        turn = np.array([flip_rows, flip_columns])
        done = [word for word, yes in (("swapped", transpose), ("rows flipped", flip_rows), ("columns flipped", flip_columns)) if yes]
        return replace(
            self,
            positions=np.where(turn, ends - positions, positions),
            truth=None,
            true_positions=None,
            notes=(*self.notes, f"Positions {', '.join(done)} on request."),
        )

    def on_detector(
        self, *, center: ArrayLike | None = None, crop: int | None = None, bin: int | None = None, mask: ArrayLike | None = None
    ) -> Self:
        """The scan as a smaller, coarser or better centred detector would have given it.

        Cropping widens the object pixel: positions in pixels shrink by the factor by which
        ``pixel_size`` grows, the probes and the truth are low-pass resampled. Binning keeps the object
        pixel and narrows the probe's window. Patterns, mask, positions, probe, truth, pixel
        size and the ``true_`` twins change together; see ``Detector`` for how.

        Parameters
        ----------
        center : (row, col), optional
            Where the beam falls on the detector [px], rounded; by default ``(N // 2, N // 2)``. The
            probe's window stays; only the patterns move.
        crop : int, optional
            Width of the window to keep round the centre [px]; ``crop / bin`` must be even.
        bin : int, optional
            Pixels along each side that are summed into one.
        mask : bool, shape (N, N), optional
            True where a pixel, before crop and bin, is to be believed; joins the scan's own.

        Raises
        ------
        ScanError
            The window does not fit the detector, or the mask leaves nothing.

        References
        ----------
        Object pixel λz/(N p): Thibault et al., Ultramicroscopy 109, 338 (2009), sec. 2.
        """
        window = Detector.of((self.N, self.N), center, crop, bin)
        intensity, believed = window.patterns(self.intensity, self.mask & check_mask(mask, self.N))
        return self.replace(
            intensity=intensity,
            mask=believed,
            positions=window.positions(self.positions),
            probe=window.probe(self.probe),
            truth=None if self.truth is None else window.object(self.truth),
            true_probe=None if self.true_probe is None else window.probe(self.true_probe),
            true_positions=None if self.true_positions is None else window.positions(self.true_positions),
            pixel_size=window.pixel_size(self.pixel_size),
            notes=self.notes if window.whole else (*self.notes, window.sentence),
        )

    def __repr__(self) -> str:
        size = "pixel size unknown" if self.pixel_size is None else f"pixel {self.pixel_size:.3g} m"
        modes = f"{len(self.probe)} probe mode" + "s" * (len(self.probe) > 1)
        truth = "truth known" if self.truth is not None else "no truth"
        return f"<Scan {self.name}: {self.M} patterns of {self.N} x {self.N}, {self.photons:.3g} photons each, {modes}, {size}, {truth}>"


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[name]) for name, value in one.items())
    return np.array_equal(one, other)


ATTRIBUTES = tuple(f.name for f in fields(Scan))
