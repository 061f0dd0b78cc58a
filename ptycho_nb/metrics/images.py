"""Image against image, and object against object: MAE, PSNR, SSIM, MS-SSIM.

The data range is the truth's own, ``max - min``; another choice moves every figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from ptycho_nb.errors import InputError
from ptycho_nb.metrics.registration import Aligned, Region, align
from ptycho_nb.metrics.rings import frc

Real = NDArray[np.float64]

SIGMA = 1.5  # px, the Gaussian window of SSIM
WINDOW = 11  # px, where that window is cut off
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents from fine to coarse
FLAT = 1e-5  # a truth whose range is this share of its size is constant up to rounding


@dataclass(frozen=True)
class ImageScores:
    """One real image against its truth; ``mae`` in the image's unit, ``psnr`` in dB.

    All but ``mae`` are NaN where the truth is constant: there is no range to measure by.
    """

    mae: float
    psnr: float
    ssim: float
    ms_ssim: float


@dataclass(frozen=True)
class Scores:
    """An object against the known one, ambiguities removed.

    Attributes
    ----------
    amplitude, phase : ImageScores
        ``phase.mae`` in rad.
    frc50 : float
        Where the Fourier ring correlation with the truth falls below 0.5 [cycles/px]; 0.5 where it never does.
    half_period : float
        The resolution that says, ``0.5 / frc50`` [px].
    """

    amplitude: ImageScores
    phase: ImageScores
    frc50: float
    half_period: float


def mae(image: ArrayLike, truth: ArrayLike) -> float:
    """Mean absolute error, in the image's unit."""
    fitted, known = _pair(image, truth)
    return float(np.abs(fitted - known).mean())


def psnr(image: ArrayLike, truth: ArrayLike) -> float:
    """Peak signal-to-noise ratio [dB], the truth's range over the RMS error; infinite for equal images."""
    fitted, known = _pair(image, truth)
    error = float(np.square(fitted - known).mean())
    data_range = _range(known)
    if not np.isfinite(data_range):
        return float("nan")
    return float("inf") if error == 0 else float(10 * np.log10(data_range**2 / error))


def ssim(image: ArrayLike, truth: ArrayLike) -> float:
    """Structural similarity under a Gaussian window of sigma 1.5 px; 1 for equal images.

    Raises
    ------
    InputError
        The shapes differ, a value is not finite, or the images are under 11 px wide.

    References
    ----------
    Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Process. 13, 600 (2004), eq. 13.
    """
    fitted, known = _pair(image, truth)
    _wide_enough(known)
    data_range = _range(known)
    if not np.isfinite(data_range):
        return float("nan")
    window = {"gaussian_weights": True, "sigma": SIGMA, "use_sample_covariance": False}
    return float(structural_similarity(known, fitted, data_range=data_range, **window))  # type: ignore[no-untyped-call]


def ms_ssim(image: ArrayLike, truth: ArrayLike) -> float:
    """Multi-scale structural similarity; 1 for equal images.

    Five scales where the images are at least 176 px wide. Smaller ones use as many as fit,
    with the exponents of those brought to the sum 1. A negative contrast term counts as 0.

    Raises
    ------
    InputError
        As for ``ssim``.

    References
    ----------
    Wang, Simoncelli & Bovik, Asilomar Conf. Signals Syst. Comput. 37, 1398 (2003), eq. 7.
    """
    fitted, known = _pair(image, truth)
    _wide_enough(known)
    data_range = _range(known)
    if not np.isfinite(data_range):
        return float("nan")
    fits = 1 + int(np.log2(min(known.shape) / WINDOW))
    exponents = np.array(SCALES[:fits]) / sum(SCALES[:fits])
    product = 1.0
    for scale, exponent in enumerate(exponents):
        luminance, contrast = _similarity(fitted, known, data_range)
        term = luminance * contrast if scale == len(exponents) - 1 else contrast
        product *= max(float(term.mean()), 0.0) ** exponent
        fitted, known = _halved(fitted), _halved(known)
    return float(product)


def compare_objects(object: ArrayLike, truth: ArrayLike, region: Region | None = None) -> Scores:
    """How near an object is to the known one, once aligned; amplitude and phase apart.

    The phase is compared as ``angle(object · conj(truth))``, unwrapped round the truth, so a
    jump of 2π is no error.

    Parameters
    ----------
    object, truth : complex, shape (H, W)
    region : (slice, slice), optional
        Rows and columns to compare: the scanned region.

    Raises
    ------
    InputError
        As for ``align``.
    """
    return compare_aligned(align(object, truth, region))


def compare_aligned(pair: Aligned) -> Scores:
    """The scores of an object already aligned."""
    known = np.angle(pair.truth)
    phase = known + np.angle(pair.object * pair.truth.conj())
    crossing = frc(pair.object, pair.truth).crossing(0.5)
    return Scores(_scores(np.abs(pair.object), np.abs(pair.truth)), _scores(phase, known), crossing, 0.5 / crossing)


def _scores(image: Real, truth: Real) -> ImageScores:
    return ImageScores(mae(image, truth), psnr(image, truth), ssim(image, truth), ms_ssim(image, truth))


def _pair(image: ArrayLike, truth: ArrayLike) -> tuple[Real, Real]:
    if np.iscomplexobj(image) or np.iscomplexobj(truth):
        raise InputError("The images are complex; compare amplitude and phase apart, or use compare_objects.")
    fitted, known = np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if fitted.shape != known.shape or known.ndim != 2:
        raise InputError(f"The images have shapes {fitted.shape} and {known.shape}; they must be two-dimensional and of one shape.")
    if not (np.isfinite(fitted).all() and np.isfinite(known).all()):
        raise InputError("An image holds NaN or infinite values; only finite images can be compared.")
    return fitted, known


def _wide_enough(truth: Real) -> None:
    if min(truth.shape) < WINDOW:
        raise InputError(f"The images are {truth.shape[0]} x {truth.shape[1]} px; SSIM needs at least {WINDOW} px each way.")


def _range(truth: Real) -> float:
    """max - min of the truth; NaN where that is rounding only."""
    span = float(np.ptp(truth))
    return span if span > FLAT * float(np.abs(truth).max()) else float("nan")


def _similarity(image: Real, truth: Real, data_range: float) -> tuple[Real, Real]:
    """Luminance and contrast-structure maps (eq. 6 and 7 of Wang 2004, merged), the window's reach cut off."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    reach = (WINDOW - 1) // 2
    means = [gaussian_filter(a, SIGMA, radius=reach) for a in (image, truth, image * image, truth * truth, image * truth)]
    x, y, xx, yy, xy = (m[reach : m.shape[0] - reach, reach : m.shape[1] - reach] for m in means)
    luminance = (2 * x * y + c1) / (x * x + y * y + c1)
    contrast = (2 * (xy - x * y) + c2) / (xx - x * x + yy - y * y + c2)
    return luminance, contrast


def _halved(image: Real) -> Real:
    """Means of 2 x 2 px; an odd last row or column is left out."""
    h, w = image.shape[0] // 2, image.shape[1] // 2
    return np.asarray(image[: 2 * h, : 2 * w].reshape(h, 2, w, 2).mean((1, 3)))
