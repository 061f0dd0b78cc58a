"""The part of a detector that is kept, and what keeping it does to everything else in a scan.

The grid of the far field and the grid of the object belong together: an object pixel is
λz/(N p) wide. Cropping the detector to n of N pixels therefore widens the object pixel by
N/n, at the same field of view; binning b detector pixels into one keeps the object pixel and
narrows the field of view to N/b object pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import ScanError
from ptycho_nb.scan.door import SMALLEST_N


@dataclass(frozen=True)
class Detector:
    """A square window round the beam, cropped out of a detector and then binned.

    Attributes
    ----------
    shape : (R, C)
        Rows and columns that were measured.
    center : (row, col)
        The measured pixel that zero frequency falls on.
    crop : int
        Width of the window [measured pixels], even.
    bin : int
        Measured pixels along each side of a kept one.
    """

    shape: tuple[int, int]
    center: tuple[int, int]
    crop: int
    bin: int = 1

    @classmethod
    def of(cls, shape: tuple[int, int], center: Any = None, crop: int | None = None, bin: int | None = None) -> Self:
        """The window that a person asked for; what they left out keeps all, unbinned, round the middle.

        Raises
        ------
        ScanError
            The centre is off the detector, or the window is no even square that holds whole bins.
        """
        R, C = shape
        if crop is None and (R != C or R % 2):
            even = min(R, C) // 2 * 2
            raise ScanError(f"The patterns are {R} x {C} px; they must be square and even: crop={even} keeps the middle {even} px.")
        width, factor = whole(min(R, C) if crop is None else crop, "crop"), whole(1 if bin is None else bin, "bin")
        if width % (2 * factor) or not SMALLEST_N * factor <= width <= min(R, C):
            raise ScanError(
                f"crop={width} with bin={factor} does not fit {R} x {C} px: "
                f"crop / bin must be even and at least {SMALLEST_N}, crop at most {min(R, C)}."
            )
        return cls((R, C), _center(center, shape), width, factor)

    @property
    def N(self) -> int:
        """Width of a kept pattern [px]."""
        return self.crop // self.bin

    @property
    def stretch(self) -> tuple[float, float]:
        """The new object pixel over the old one, along rows and columns."""
        return self.shape[0] / self.crop, self.shape[1] / self.crop

    @property
    def whole(self) -> bool:
        """Whether all is kept as it is."""
        return self.center == (self.shape[0] // 2, self.shape[1] // 2) and self.shape == (self.crop, self.crop) and self.bin == 1

    @property
    def sentence(self) -> str:
        """What is kept, for a person."""
        (R, C), w = self.shape, self.crop
        binned = f", {self.bin} x {self.bin} summed into one" if self.bin > 1 else ""
        return f"Of {R} x {C} detector pixels {w} x {w} round {self.center} are kept{binned}."

    def patterns(self, photons: NDArray[Any], mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Photons (M, R, C) and mask (R, C) on the kept window: (M, N, N) and (N, N).

        A bin sums its photons and is believed only when each of its pixels is. Where the window
        reaches over the detector's edge nothing was measured: zero photons, masked.

        Raises
        ------
        ScanError
            No pattern has light there.
        """
        if self.whole:
            return photons, mask
        (start_row, start_col), w = (c - self.crop // 2 for c in self.center), self.crop
        rows, cols = (slice(max(s, 0), min(s + w, size)) for s, size in zip((start_row, start_col), self.shape, strict=True))
        kept, believed = np.zeros((len(photons), w, w), photons.dtype), np.zeros((w, w), dtype=bool)
        to = slice(rows.start - start_row, rows.stop - start_row), slice(cols.start - start_col, cols.stop - start_col)
        kept[:, *to], believed[to] = photons[:, rows, cols], mask[rows, cols]
        if not kept.any():
            raise ScanError(f"No pattern has light in the {w} x {w} px round {self.center}; check center= and crop=.")
        N, b = self.N, self.bin
        return kept.reshape(-1, N, b, N, b).sum((2, 4), dtype=photons.dtype), np.asarray(believed.reshape(N, b, N, b).all((1, 3)))

    def probe(self, probe: NDArray[Any]) -> NDArray[np.complex64]:
        """Modes (P, R, C) as they are on the kept window: (P, N, N).

        Cropping keeps the middle of the probe's far field, which is its exact low-pass
        resampling; with the unitary transform ``sum |probe|**2`` becomes the photons that land
        on the kept window. Binning keeps the middle of the probe's field of view. A bin's
        centre lies (b - 1)/2 measured pixels beyond its first one; the probe takes the phase ramp
        that moves the samples there.
        """
        w, N = self.crop, self.N
        if self.shape != (w, w):
            (R, C), axes = self.shape, (-2, -1)
            far = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(probe, axes=axes), norm="ortho"), axes=axes)
            r, c = R // 2 - w // 2, C // 2 - w // 2
            probe = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(far[..., r : r + w, c : c + w], axes=axes), norm="ortho"), axes=axes)
        if self.bin > 1:
            x = np.arange(w) - w // 2
            ramp = np.exp(-1j * np.pi * (self.bin - 1) / w * x)
            inner = slice(w // 2 - N // 2, w // 2 + N // 2)
            probe = (probe * ramp[:, None] * ramp)[..., inner, inner]
        return np.ascontiguousarray(probe, dtype=np.complex64)

    def positions(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (M, 2) in old object pixels, in new ones."""
        return np.asarray(positions / np.array(self.stretch))

    def object(self, truth: NDArray[Any]) -> NDArray[Any]:
        """A known object (H, W), low-pass resampled to the new object pixel; element [0, 0] stays at position (0, 0)."""
        if self.stretch == (1.0, 1.0):
            return truth
        left, right = (_resampling(size, f) for size, f in zip(truth.shape, self.stretch, strict=True))
        resampled: NDArray[Any] = left @ truth.astype(np.complex128) @ right.T
        return resampled

    def pixel_size(self, size: float | None) -> float | None:
        """Width of an object pixel [m], after one of ``size`` along the rows; None stays None."""
        return None if size is None else size * self.stretch[0]


def whole(value: Any, what: str) -> int:
    """A positive whole number, as a person gives it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ScanError(f"{what} is {str(value)[:40]}; it must be a whole number of pixels, at least 1.")
    return int(value)


def _center(center: Any, shape: tuple[int, int]) -> tuple[int, int]:
    if center is None:
        return shape[0] // 2, shape[1] // 2
    given = np.asarray(center)
    usable = given.shape == (2,) and given.dtype.kind in "iuf" and bool(np.isfinite(given).all())
    if not usable or not all(0 <= round(float(c)) < size for c, size in zip(given, shape, strict=True)):
        raise ScanError(f"center is {str(center)[:40]}; it must be the (row, column) of the beam on the {shape[0]} x {shape[1]} detector.")
    return round(float(given[0])), round(float(given[1]))


def _resampling(size: int, stretch: float) -> NDArray[np.float64]:
    """Matrix (new, size) that samples at 0, stretch, 2 stretch … what lies below the new Nyquist frequency.

    The samples are continued by reflection at both ends (the cosine transform DCT-II), so an
    object that differs from edge to edge does not ring. The last new sample lies at or beyond
    the last old one: no position falls off.
    """
    if stretch == 1:
        return np.eye(size)
    count = int(np.ceil((size - 1) / stretch)) + 1
    order = np.arange(int(np.ceil(size / stretch)))  # cos(pi m (x + 1/2) / size) has m / (2 size) cycles/px
    old = np.cos(np.pi * order * (np.arange(size)[:, None] + 0.5) / size)
    new = np.cos(np.pi * order * (stretch * np.arange(count)[:, None] + 0.5) / size)
    matrix: NDArray[np.float64] = (new * np.where(order == 0, 1, 2) / size) @ old.T
    return matrix
