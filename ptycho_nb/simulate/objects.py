"""Made-up objects: ``(shape, rng) -> float64 (2, H, W)``, an amplitude and a phase map in 0 to 1.

0 is the most matter and 1 is clear, in both maps: matter absorbs, and delays X-rays so that
its phase is negative (n = 1 - δ + iβ). Drawn shapes have edges one pixel soft.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import color, data, transform

FloatArray = NDArray[np.floating[Any]]
Shape = tuple[int, int]

COPIES_OF_THE_CANVAS = 5  # leaves are drawn until their areas sum to this many canvases: exp(-5) stays bare
PAIRS: tuple[tuple[str, str], ...] = (  # (amplitude, phase), pictures that ship inside scikit-image
    ("astronaut", "gravel"),
    ("chelsea", "brick"),
    ("coffee", "camera"),
    ("camera", "coins"),
)


def lines(shape: Shape, rng: np.random.Generator) -> FloatArray:
    """Straight fibres that cross: thicknesses add, each fibre absorbs and delays in its own ratio."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    thickness = np.zeros((2, *shape))
    for _ in range(36):
        angle, at = rng.uniform(0, np.pi), rng.uniform(0, 1, 2) * shape
        half_width = rng.uniform(0.006, 0.025) * min(shape)
        distance = np.abs((rows - at[0]) * np.cos(angle) - (columns - at[1]) * np.sin(angle))
        fibre = np.clip(half_width + 0.5 - distance, 0, 1)
        thickness += rng.uniform(0.3, 1.0, 2)[:, None, None] * fibre
    return unit(np.exp(-thickness))


def dead_leaves(shape: Shape, rng: np.random.Generator) -> FloatArray:
    """Discs that hide one another, their radii with density r^-3: edges at every scale, like nature.

    References
    ----------
    Lee, Mumford & Huang, Int. J. Comput. Vision 41, 35 (2001).
    """
    least, greatest = float(np.clip(min(shape) / 64, 3, 12)), min(shape) / 4
    maps = np.broadcast_to(rng.uniform(0, 1, 2)[:, None, None], (2, *shape)).copy()
    mean_area = 2 * np.pi * np.log(greatest / least) / (least**-2 - greatest**-2)
    count = int(np.ceil(COPIES_OF_THE_CANVAS * shape[0] * shape[1] / mean_area))
    radii = (greatest**-2 + rng.uniform(0, 1, count) * (least**-2 - greatest**-2)) ** -0.5
    centres = rng.uniform(0, 1, (count, 2)) * (np.array(shape) + 2 * least) - least
    for radius, centre, tones in zip(radii, centres, rng.uniform(0, 1, (count, 2)), strict=True):
        r0, c0 = np.maximum(np.floor(centre - radius - 1), 0).astype(int)
        r1, c1 = np.maximum(np.ceil(centre + radius + 2), 0).astype(int)
        part = maps[:, r0:r1, c0:c1]
        down = np.arange(r0, r0 + part.shape[1])[:, None] - centre[0]
        along = np.arange(c0, c0 + part.shape[2]) - centre[1]
        leaf = np.clip(radius + 0.5 - np.sqrt(down**2 + along**2), 0, 1)
        part += (tones[:, None, None] - part) * leaf
    return unit(maps)


def gaussian_field(shape: Shape, rng: np.random.Generator) -> FloatArray:
    """Clouds: two Gaussian random fields of power k^-3, correlated by one half, cut at 2.5 standard deviations."""
    k = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    k[0, 0] = np.inf
    white = rng.standard_normal((2, *shape))
    white[1] = 0.5 * white[0] + np.sqrt(0.75) * white[1]
    fields = np.fft.irfft2(np.fft.rfft2(white) * k**-1.5, s=shape)
    fields /= fields.std((1, 2), keepdims=True)
    return np.clip(0.5 + fields / 5, 0, 1)


def siemens_star(shape: Shape, rng: np.random.Generator) -> FloatArray:
    """One test pattern of spokes that get finer inwards, with ring gaps, off centre and turned by the seed."""
    spokes, outer = 24, 0.6 * max(shape)
    centre = np.array(shape) * (0.5 + rng.uniform(-0.04, 0.04, 2))
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    radius = np.hypot(rows - centre[0], columns - centre[1])
    angle = np.arctan2(rows - centre[0], columns - centre[1]) + rng.uniform(0, 2 * np.pi)
    period = 2 * np.pi * radius / spokes
    spoke = np.clip(0.5 + np.sin(spokes * angle) * period / (2 * np.pi), 0, 1)
    for ring in (0.15, 0.3, 0.5, 0.75):
        spoke *= np.clip(np.abs(radius - ring * outer) - 0.012 * outer + 0.5, 0, 1)
    spoke *= np.clip(period - 3, 0, 1) * np.clip(outer - radius, 0, 1)  # nothing finer than 3 px a period
    return np.stack([1 - spoke, 1 - spoke])


def picture(shape: Shape, rng: np.random.Generator) -> FloatArray:
    """One photograph as amplitude and another as phase; the seed chooses the pair and how it is cut."""
    pair = PAIRS[rng.integers(len(PAIRS))]
    return np.stack([_photograph(name, shape, rng) for name in pair])


def _photograph(name: str, shape: Shape, rng: np.random.Generator) -> FloatArray:
    """The picture, cut to the shape's proportions and brought to its size, 0 to 1."""
    image = np.asarray(PICTURES[name]())
    gray = color.rgb2gray(image[..., :3]) if image.ndim == 3 else image.astype(np.float64)
    scale = rng.uniform(0.85, 1.0) * min(gray.shape[0] / shape[0], gray.shape[1] / shape[1])
    size = np.maximum(np.array(shape) * scale, 1).astype(int)
    r, c = (rng.uniform(0.3, 0.7, 2) * (np.array(gray.shape) - size)).astype(int)  # the middle is where pictures are
    cut = gray[r : r + size[0], c : c + size[1]]
    return unit(np.asarray(transform.resize(cut, shape, order=3, anti_aliasing=True)))  # type: ignore[no-untyped-call]


def unit(maps: FloatArray) -> FloatArray:
    """Each map (..., H, W) stretched to 0 to 1; a constant map becomes 1."""
    low, high = maps.min((-2, -1), keepdims=True), maps.max((-2, -1), keepdims=True)
    span = np.where(high > low, high - low, 1)
    return np.where(high > low, (maps - low) / span, 1.0)


PICTURES: dict[str, Callable[[], Any]] = {
    "astronaut": data.astronaut,
    "brick": data.brick,
    "camera": data.camera,
    "chelsea": data.chelsea,
    "coffee": data.coffee,
    "coins": data.coins,
    "gravel": data.gravel,
}

OBJECTS: dict[str, Callable[[Shape, np.random.Generator], FloatArray]] = {
    "lines": lines,
    "dead_leaves": dead_leaves,
    "gaussian_field": gaussian_field,
    "siemens_star": siemens_star,
    "picture": picture,
}
