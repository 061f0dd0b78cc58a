"""Two objects brought together: gain, phase ramp and sub-pixel shift fitted by least squares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.registration import phase_cross_correlation

from ptycho_nb.errors import InputError

Region = tuple[slice, slice]  # rows and columns of the arrays compared
Complex = NDArray[np.complex128]
Real = NDArray[np.float64]

SMALLEST = 16  # px; below it a ramp and a shift are not to be told apart
MARGIN = 16  # px kept round the region while the object is shifted, and the farthest shift looked for
ITERATIONS = 20


@dataclass(frozen=True, eq=False)
class Aligned:
    """An object brought onto the truth, both cut to the region.

    ``object`` is what was given moved by ``shift``, times ``gain``, times
    ``exp(i ramp · (r, c))`` counted from the middle of the region.

    Attributes
    ----------
    object, truth : complex128, shape (h, w)
    gain : complex
        Scale and global phase.
    ramp : float64, shape (2,)
        Along rows and columns [rad/px].
    shift : float64, shape (2,)
        Along rows and columns [px].
    """

    object: Complex
    truth: Complex
    gain: complex
    ramp: Real
    shift: Real


def align(object: ArrayLike, truth: ArrayLike, region: Region | None = None) -> Aligned:
    """The object without what ptychography cannot fix: global phase, scale, phase ramp, shift.

    A peak in the Fourier transform of ``conj(object) · truth`` starts the ramp, one in the
    cross-correlation the shift. The ramp is then the plane through the phase that is left, the
    shift and the gain those of the least ``sum |w (object - truth)|²``, ``w²`` a Hann window.

    Parameters
    ----------
    object, truth : complex or real, shape (H, W)
        On one canvas, up to a shift of 16 px. Exact zeros in the object are pixels never seen.
    region : (slice, slice), optional
        Rows and columns to compare, such as ``Reconstruction.scanned``; all of them where left out.

    Raises
    ------
    InputError
        The shapes differ, a value is not finite, or the region is under 16 px wide.

    References
    ----------
    Guizar-Sicairos, Thurman & Fienup, Opt. Lett. 33, 156 (2008), for the correlation peak.
    """
    given, known = complex_pair(object, truth)
    box = _box(region, known.shape)
    target = known[box[0][0] : box[0][1], box[1][0] : box[1][1]]
    coarse = _Fit(_wide(given, box, np.zeros(2, dtype=int)), target)
    coarse.start()
    whole = np.rint(coarse.shift).astype(int)
    fine = _Fit(_wide(given, box, whole), target, coarse.ramp, coarse.shift - whole)
    return fine.run(whole)


def complex_pair(object: ArrayLike, truth: ArrayLike) -> tuple[Complex, Complex]:
    """Both as complex128 (H, W), checked to be finite and of one shape."""
    given, known = np.asarray(object, dtype=np.complex128), np.asarray(truth, dtype=np.complex128)
    if given.shape != known.shape or given.ndim != 2:
        raise InputError(f"The objects have shapes {given.shape} and {known.shape}; they must be two-dimensional and lie on one canvas.")
    if not (np.isfinite(given).all() and np.isfinite(known).all()):
        raise InputError("An object holds NaN or infinite values; only finite objects can be compared.")
    return given, known


def moved(image: Complex, shift: ArrayLike) -> Complex:
    """The image moved by (row, col) [px] through the Fourier shift theorem; its edges wrap round."""
    rows, columns = np.asarray(shift, dtype=float)
    down = np.exp(-2j * np.pi * rows * np.fft.fftfreq(image.shape[0]))
    across = np.exp(-2j * np.pi * columns * np.fft.fftfreq(image.shape[1]))
    spectrum: Complex = np.fft.fft2(image) * down[:, None] * across
    return np.fft.ifft2(spectrum)


def _box(region: Region | None, shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = region if region is not None else (slice(None), slice(None))
    top, bottom, _ = rows.indices(shape[0])
    left, right, _ = columns.indices(shape[1])
    if bottom - top < SMALLEST or right - left < SMALLEST:
        size = f"{max(bottom - top, 0)} x {max(right - left, 0)} px"
        raise InputError(f"The region is {size}; at least {SMALLEST} px each way are needed to align.")
    return (top, bottom), (left, right)


def _wide(image: Complex, box: tuple[tuple[int, int], tuple[int, int]], whole: NDArray[np.int_]) -> Complex:
    """The region of the image moved by ``whole`` pixels and ``MARGIN`` px round it.

    Edges are repeated beyond the canvas, pixels never seen filled.
    """
    padded = np.pad(image, 2 * MARGIN, mode="edge")
    (top, bottom), (left, right) = box
    down, across = (MARGIN - int(k) for k in whole)
    wide = padded[top + down : bottom + down + 2 * MARGIN, left + across : right + across + 2 * MARGIN].copy()
    seen = wide != 0
    if not seen[MARGIN:-MARGIN, MARGIN:-MARGIN].any():
        raise InputError("The object is zero all over the region; there is nothing to align.")
    wide[~seen] = np.median(np.abs(wide[seen]))
    return wide


@dataclass
class _Fit:
    """The state of the least squares: ramp and shift so far, and what they make of the object."""

    wide: Complex
    truth: Complex
    ramp: Real = field(default_factory=lambda: np.zeros(2))
    shift: Real = field(default_factory=lambda: np.zeros(2))

    def __post_init__(self) -> None:
        h, w = self.truth.shape
        self.rows = (np.arange(h) - h / 2)[:, None]
        self.columns = (np.arange(w) - w / 2)[None, :]
        self.weight: Real = np.sqrt(np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1]))
        fade = np.sin(np.pi * (np.arange(MARGIN) + 0.5) / (2 * MARGIN)) ** 2  # edges that do not jump do not ring
        self.fade = [np.concatenate([fade, np.ones(n), fade[::-1]]) for n in (h, w)]

    def start(self) -> None:
        """Ramp and shift by the peaks of two transforms."""
        self.ramp = self._ramp_peak(self._image(self.ramp, self.shift))
        self.shift = self._shift_peak(self._image(self.ramp, self.shift))
        self.ramp = self.ramp + self._ramp_peak(self._image(self.ramp, self.shift))

    def run(self, whole: NDArray[np.int_]) -> Aligned:
        """Down to the least squares; ``whole`` pixels were moved before."""
        start = self.shift
        for _ in range(ITERATIONS):
            image = self._image(self.ramp, self.shift)
            ramp, shift = self._plane(image), self._shift_step(self._gain(image) * image)
            self.ramp = self.ramp + ramp
            self.shift = start if np.abs(self.shift + shift - start).max() > 1 else self.shift + shift
            if np.abs(shift).max() < 1e-4 and np.abs(ramp).max() < 1e-7:
                break
        image = self._image(self.ramp, self.shift)
        gain = self._gain(image)
        counted = gain * np.exp(-1j * float(self.ramp @ self.shift))  # the ramp was put on before the shift
        return Aligned(gain * image, self.truth, complex(counted), self.ramp, self.shift + whole)

    def _image(self, ramp: Real, shift: Real) -> Complex:
        """The object with the ramp put on, then moved, cut to the region."""
        h, w = self.wide.shape
        down = np.exp(1j * ramp[0] * (np.arange(h) - h / 2))
        across = np.exp(1j * ramp[1] * (np.arange(w) - w / 2))
        image = self.wide * down[:, None] * across
        level = image.mean()
        image = (image - level) * self.fade[0][:, None] * self.fade[1]
        inner: Complex = moved(image, shift)[MARGIN:-MARGIN, MARGIN:-MARGIN] + level
        return inner

    def _gain(self, image: Complex) -> complex:
        weighed = self.weight * image
        return complex(np.vdot(weighed, self.weight * self.truth) / np.vdot(weighed, weighed))

    def _ramp_peak(self, image: Complex) -> Real:
        shape = tuple(4 * n for n in image.shape)
        peak = np.abs(np.fft.fft2(self.weight * image.conj() * self.truth, s=shape)).argmax()
        row, column = np.unravel_index(peak, shape)
        return 2 * np.pi * np.array([np.fft.fftfreq(shape[0])[row], np.fft.fftfreq(shape[1])[column]])

    def _shift_peak(self, image: Complex) -> Real:
        fitted = self._gain(image) * image
        pair = [self.weight * (a - a.mean()) for a in (self.truth, fitted)]
        shift: NDArray[Any] = phase_cross_correlation(*pair, upsample_factor=20, normalization=None)[0]  # type: ignore[no-untyped-call]
        return np.asarray(shift, dtype=float) if np.abs(shift).max() <= MARGIN else np.zeros(2)

    def _plane(self, image: Complex) -> Real:
        """The plane through the phase that is left, each pixel weighed by both amplitudes [rad/px]."""
        product = self.weight * image.conj() * self.truth
        left = np.angle(product * np.exp(-1j * np.angle(product.sum())))
        axes = np.broadcast_arrays(1.0, self.rows, self.columns)
        weight = np.abs(product)
        normal = np.array([[np.sum(weight * a * b) for b in axes] for a in axes])
        plane: Real = np.linalg.lstsq(normal, np.array([np.sum(weight * a * left) for a in axes]))[0]
        return plane[1:]

    def _shift_step(self, image: Complex) -> Real:
        """The Gauss-Newton step of the shift, gain and ramp fitted along with it."""
        down, across = np.gradient(image)
        changes = (image, 1j * image, 1j * self.rows * image, 1j * self.columns * image, -down, -across)
        columns = np.stack([(self.weight * c).ravel() for c in changes], axis=1)
        normal = (columns.conj().T @ columns).real
        scale = np.sqrt(np.maximum(np.diag(normal), 1e-300))
        right = (columns.conj().T @ (self.weight * (self.truth - image)).ravel()).real / scale
        solution: Real = np.linalg.lstsq(normal / np.outer(scale, scale), right, rcond=1e-10)[0] / scale
        return solution[4:]
