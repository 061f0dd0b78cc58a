"""Paths of the probe: ``(extent, step, jitter, rng) -> float64 (M, 2)`` positions in a rectangle.

The rectangle runs from (0, 0) to ``extent`` (rows, columns) [px]. ``step`` is the square
root of the area a position has to itself [px], whatever the path.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Real = NDArray[np.float64]
Extent = tuple[float, float]
Path = Callable[[Extent, float, float, np.random.Generator], Real]

GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def raster(extent: Extent, step: float, jitter: float, rng: np.random.Generator) -> Real:
    """Rows to and fro, in the middle of the rectangle; no jitter."""
    axes = [_axis(length, step) for length in extent]
    return _snake(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2), step)


def jittered(extent: Extent, step: float, jitter: float, rng: np.random.Generator) -> Real:
    """A raster, each position moved by up to ``jitter`` steps either way along each axis, which breaks its period."""
    reach = min(jitter * step, *(length / 2 for length in extent))
    inner = (extent[0] - 2 * reach, extent[1] - 2 * reach)
    grid = raster(inner, step, 0, rng)
    return grid + reach + rng.uniform(-reach, reach, grid.shape)


def spiral(extent: Extent, step: float, jitter: float, rng: np.random.Generator) -> Real:
    """Fermat's spiral r = step·sqrt(n / π) at the golden angle, wound on until the corners are filled.

    The order is a short way through the points: ring by ring outwards.

    References
    ----------
    Huang et al., Opt. Express 22, 12634 (2014), eq. 1.
    """
    centre = np.array(extent) / 2
    n = np.arange(int(np.ceil(np.pi * (np.hypot(*centre) / step) ** 2)) + 1)
    radius, angle = step * np.sqrt(n / np.pi), n * GOLDEN_ANGLE
    points = centre + radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], -1)
    order = np.lexsort((angle % (2 * np.pi), np.floor(radius / step)))
    return np.asarray(points[order][((points >= 0) & (points <= extent)).all(1)[order]])


def random(extent: Extent, step: float, jitter: float, rng: np.random.Generator) -> Real:
    """Blue noise: uniform random points, pushed apart by three rounds of Lloyd's relaxation, sorted to and fro.

    References
    ----------
    Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982).
    """
    sides = np.maximum(extent, 1e-9)
    points = rng.uniform(0, 1, (max(round(float(np.prod(sides)) / step**2), 1), 2)) * sides
    for _ in range(3):
        cloud = rng.uniform(0, 1, (24 * len(points), 2)) * sides
        nearest = cKDTree(points).query(cloud)[1]
        count = np.bincount(nearest, minlength=len(points))
        total = np.stack([np.bincount(nearest, cloud[:, axis], len(points)) for axis in (0, 1)], -1)
        points = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], points)
    return _snake(points, step)


def _axis(length: float, step: float) -> Real:
    """As many steps as fit, in the middle of the length."""
    count = int(length / step + 1e-9) + 1
    return (length - (count - 1) * step) / 2 + step * np.arange(count, dtype=np.float64)


def _snake(points: Real, step: float) -> Real:
    """The points in bands of one step's height, left to right and back again."""
    band = np.floor((points[:, 0] - points[:, 0].min()) / step + 1e-6).astype(int)
    return points[np.lexsort((np.where(band % 2, -points[:, 1], points[:, 1]), band))]


SCANS: dict[str, Path] = {"raster": raster, "jittered": jittered, "spiral": spiral, "random": random}
