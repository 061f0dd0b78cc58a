"""How the probe covers the object: its diameter, the step, the overlap; and the R-factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import QhullError, Voronoi, cKDTree

from ptycho_nb.errors import InputError

Real = NDArray[np.float64]


def probe_diameter(probe: ArrayLike, energy: float = 0.9) -> float:
    """Diameter of the disk round the probe's centroid that holds this share of its energy [px].

    Parameters
    ----------
    probe : complex, shape (N, N) or (P, N, N)
        The energy of incoherent modes adds.
    energy : float
        In 0 to 1.
    """
    modes = np.asarray(probe, dtype=np.complex128)
    if modes.ndim not in (2, 3):
        raise InputError(f"The probe has shape {modes.shape}; it must be (N, N) or (modes, N, N).")
    power = np.square(np.abs(modes)).reshape(-1, *modes.shape[-2:]).sum(0)
    if not power.sum() > 0:
        raise InputError("The probe is zero everywhere or not finite; it has no diameter.")
    rows, columns = np.indices(power.shape)
    centre = [float((axis * power).sum() / power.sum()) for axis in (rows, columns)]
    distance = np.hypot(rows - centre[0], columns - centre[1]).ravel()
    order = np.argsort(distance)
    held = np.cumsum(power.ravel()[order]) / power.sum()
    return float(2 * np.interp(energy, held, distance[order]))


def step(positions: ArrayLike) -> float:
    """The step of a scan, sqrt(area per position) [px]: on a square raster the raster's own.

    The area of a position is its Voronoi cell; the mean is taken over the cells that end
    inside the scan. A place visited twice counts once. Scans too small or too thin for a cell
    (fewer than 4 places, or all on a line) give the mean distance to the nearest neighbour.

    Parameters
    ----------
    positions : real, shape (M, 2)
        Probe centres (row, col) [px].
    """
    places = np.unique(np.asarray(positions, dtype=np.float64), axis=0)
    if len(places) < 2:
        raise InputError("The scan has one place only; a step needs two.")
    areas = _cells(places)
    if areas.size:
        return float(np.sqrt(areas.mean()))
    return float(cKDTree(places).query(places, k=2)[0][:, 1].mean())


def overlap(probe: ArrayLike, positions: ArrayLike) -> float:
    """Linear overlap of neighbouring probes, 1 - step / diameter; negative where they do not touch.

    The diameter holds 90 % of the probe's energy (``probe_diameter``); the step is
    sqrt(area per position) (``step``), also for scans without a raster.

    References
    ----------
    Bunk et al., Ultramicroscopy 108, 481 (2008), for linear overlap.
    """
    return 1 - step(positions) / probe_diameter(probe)


def r_factor(expected: ArrayLike, measured: ArrayLike, mask: ArrayLike | None = None) -> float:
    """R = sum |sqrt I - sqrt y| / sum sqrt y over believed pixels: 0 for a perfect fit.

    Parameters
    ----------
    expected, measured : real, shape (..., N, N)
        Photons.
    mask : bool, broadcasts with them
        True where a pixel is to be believed; all where left out.

    References
    ----------
    Miao, Sayre & Chapman, J. Opt. Soc. Am. A 15, 1662 (1998), as R_F of crystallography.
    """
    model, data = (np.sqrt(np.asarray(a, dtype=np.float64)) for a in (expected, measured))
    if model.shape != data.shape:
        raise InputError(f"The photons have shapes {model.shape} and {data.shape}; they must match.")
    believed = np.ones(data.shape, dtype=bool) if mask is None else np.broadcast_to(np.asarray(mask, dtype=bool), data.shape)
    total = data[believed].sum()
    if not total > 0:
        raise InputError("No photon was measured in the believed pixels; R has nothing to divide by.")
    return float(np.abs(model - data)[believed].sum() / total)


def _cells(places: Real) -> Real:
    """Areas of the Voronoi cells that lie within the bounding box of the places [px²]."""
    try:
        diagram = Voronoi(places)
    except (QhullError, ValueError):  # fewer than 4 places, or all on a line
        return np.empty(0)
    low, high = places.min(0) - 1e-6, places.max(0) + 1e-6
    inside = ((diagram.vertices >= low) & (diagram.vertices <= high)).all(1)
    edges, sides = np.array(diagram.ridge_vertices), diagram.ridge_points  # an edge has a place on either side, equally far
    closed = (edges >= 0).all(1) & inside[edges].all(1)
    first, second = (diagram.vertices[edges[:, end]] - places[sides[:, 0]] for end in (0, 1))
    triangles = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    areas = np.bincount(sides.ravel(), np.repeat(triangles, 2))
    return areas[np.bincount(sides.ravel(), np.repeat(~closed, 2)) == 0]
