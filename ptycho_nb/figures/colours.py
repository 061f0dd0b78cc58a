"""Limits and colours: what is drawn black, what white, and how a complex number is a colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from numpy.typing import ArrayLike, NDArray
from skimage.color import lab2rgb

from ptycho_nb.views import CIRCLE, EVEN, HIGH, LOW, TICKS, circular, even, robust

CHROMA = 38  # of the hues; more leaves what a screen can show


def limits(*images: NDArray[Any]) -> Normalize:
    """From the 0.1 to the 99.9 per cent point of all images together."""
    return Normalize(*robust(_together(images)))


def symmetric(*images: NDArray[Any]) -> Normalize:
    """Equal limits either side of zero, at the 99.9 per cent point of the sizes."""
    return Normalize(*even(_together(images)))


def phase_scale(*phases: NDArray[Any]) -> tuple[str, Normalize, dict[float, str] | None]:
    """Colours, limits and ticks of phases [rad]: a closed circle where they wrap, else symmetric about zero."""
    if circular(_together(phases)):
        return CIRCLE, Normalize(-np.pi, np.pi), TICKS
    return EVEN, symmetric(*phases), None


def _together(images: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([np.ravel(i) for i in images])


def photon_scale(*patterns: NDArray[Any]) -> LogNorm:
    """Logarithmic, at least two decades, from half the least photons above zero to the greatest; zeros draw as the least."""
    values = np.concatenate([np.ravel(p) for p in patterns])
    lit = values[values > 0]
    high = float(lit.max()) if lit.size else 1.0
    low = max(float(np.percentile(lit, LOW)), 1e-6 * high) if lit.size else 0.01
    return LogNorm(min(low, high / 100), high, clip=True)


def _circle(phase: NDArray[Any]) -> NDArray[np.float64]:
    """Colours (..., 3) round the circle of hues: red at 0, blue at -π/2, yellow at π/2.

    The red and the green half also differ in lightness, so that eyes blind to red and green
    tell them apart.
    """
    lightness = 75 - 7 * np.cos(phase)
    a, b = CHROMA * np.cos(phase), CHROMA * np.sin(phase)
    return np.asarray(lab2rgb(np.stack([lightness, a, b], -1)))


def hues() -> ListedColormap:
    """The phase colours of ``domain_colours`` from -π to π, for a colour bar."""
    return ListedColormap(_circle(np.linspace(-np.pi, np.pi, 256)[None])[0], name="hues")


def domain_colours(wave: ArrayLike, brightest: float | None = None) -> NDArray[np.float64]:
    """Complex numbers as colours: hue is the phase, brightness the amplitude.

    Parameters
    ----------
    wave : complex, shape (h, w)
    brightest : float, optional
        The amplitude drawn brightest; the image's 99.9 per cent point where left out.

    Returns
    -------
    float64, shape (h, w, 3)
        Red, green, blue in 0 to 1.

    References
    ----------
    Wegert, *Visual Complex Functions* (2012), ch. 2, for domain colouring.
    """
    values = np.asarray(wave)
    size = np.abs(values)
    top = brightest if brightest is not None else float(np.percentile(size, HIGH))
    brightness = np.clip(size / max(top, 1e-30), 0, 1)[..., None]
    return np.asarray(_circle(np.angle(values)) * brightness)
