"""Checks of where the probe went: units, overlap, paths that cannot work, holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError, cKDTree

from ptycho_nb.checks.finding import Finding, Severity
from ptycho_nb.metrics import probe_diameter, step
from ptycho_nb.quantities import several
from ptycho_nb.scan import Scan, located

Real = NDArray[np.float64]

FARTHEST_STEP, SHORTEST_SPAN = 2.0, 0.25  # over the probe's diameter: beyond them the unit is in doubt
LEAST_OVERLAP, NO_OVERLAP = 0.5, 0.2
THINNEST = 0.05  # narrower side of the scan over its longer one
LATTICE_TOLERANCE, LATTICE_SHARE = 0.04, 0.9  # of the step; of the positions
HOLE_SHARE = 0.005  # of the scanned area
FEWEST = 4  # patterns
SAMPLE = 400  # positions that stand for all where pairs are compared


def units(scan: Scan) -> Finding | None:
    """The step or the whole scan is out of proportion to the probe."""
    if scan.M < 2:
        return None
    diameter, span, walk = probe_diameter(scan.probe), float(np.ptp(scan.positions, axis=0).max()), step(scan.positions)
    advice = "check the unit and the pixel size, and give position_unit when loading"
    if walk > FARTHEST_STEP * diameter:
        return Finding("units", f"a step is {walk:.3g} px and the probe {diameter:.3g} px wide", advice, Severity.SERIOUS)
    if span < SHORTEST_SPAN * diameter:
        return Finding("units", f"all positions lie within {span:.3g} px and the probe is {diameter:.3g} px wide", advice, Severity.SERIOUS)
    return None


def few(scan: Scan) -> Finding | None:
    """Too few patterns to overlap in two directions."""
    if scan.M >= FEWEST:
        return None
    return Finding(
        "few",
        f"the scan holds {several(scan.M, 'pattern')}, and the object follows from where many overlap",
        f"measure at least {FEWEST} that overlap by 60 to 80 %, usually hundreds; check that the whole file was read",
        Severity.SERIOUS,
    )


def overlap(scan: Scan) -> Finding | None:
    """Neighbouring probes share too little."""
    if scan.M < 2:
        return None
    walk, diameter = step(scan.positions), probe_diameter(scan.probe)
    share = 1 - walk / diameter
    if share >= LEAST_OVERLAP or walk > FARTHEST_STEP * diameter:  # the latter is said by ``units``
        return None
    return Finding(
        "overlap",
        f"neighbouring probes overlap by {max(share, 0):.0%} (step {walk:.3g} px, probe {diameter:.3g} px)",
        "scan with a smaller step or a wider probe; 60 to 80 % is usual",
        Severity.SERIOUS if share < NO_OVERLAP else Severity.WARNING,
    )


def line(scan: Scan) -> Finding | None:
    """All positions on one line."""
    if scan.M < 3:
        return None
    spread = np.linalg.svd(scan.positions - scan.positions.mean(0), compute_uv=False)
    if spread[1] > THINNEST * spread[0] or np.sqrt(12 / scan.M) * spread[1] > probe_diameter(scan.probe):
        return None
    return Finding(
        "line",
        f"the positions lie on a line, {spread[1] / spread[0]:.1%} as wide as it is long",
        "check that rows and columns are both read; a scan needs two directions",
        Severity.SERIOUS,
    )


def duplicates(scan: Scan) -> Finding | None:
    """Patterns that claim the same place."""
    _, first = np.unique(scan.positions, axis=0, return_index=True)
    again = np.ones(scan.M, dtype=bool)
    again[first] = False
    if not again.any():
        return None
    advice = "leave them out if the stage really stood still; else check how positions and patterns were matched"
    return Finding("duplicates", f"{located(again)}, repeat the position of another", advice, Severity.NOTE)


def grid(scan: Scan) -> Finding | None:
    """A perfect lattice, on which artefacts of its period cost the fit nothing.

    References
    ----------
    Thibault et al., Ultramicroscopy 109, 338 (2009), sec. 4 (raster-grid pathology).
    """
    places = np.unique(scan.positions, axis=0)
    if len(places) < 9:
        return None
    tree = cKDTree(places)
    neighbours = tree.query(places[:: len(places) // SAMPLE + 1], k=9)[1]
    vectors = (places[neighbours[:, 1:]] - places[neighbours[:, :1]]).reshape(-1, 2)
    pair = _basis(vectors[:: len(vectors) // SAMPLE + 1])
    if pair is None:
        return None
    pitch = float(np.linalg.norm(pair[0]))
    met = np.ones(len(places), dtype=bool)
    for vector in pair:
        met &= np.minimum(tree.query(places + vector)[0], tree.query(places - vector)[0]) < LATTICE_TOLERANCE * pitch
    if met.mean() < LATTICE_SHARE:
        return None
    return Finding(
        "grid",
        f"{met.mean():.0%} of the positions lie on a regular grid of {pitch:.3g} px",
        "look for a pattern of that period in the object; move positions by 10 to 20 % of a step, or scan a spiral",
        Severity.NOTE,
    )


def _basis(vectors: Real) -> Real | None:
    """The displacement that most others repeat, and the one not parallel to it, (2, 2)."""
    length = np.linalg.norm(vectors, axis=1)
    near = LATTICE_TOLERANCE * np.median(length)
    apart = np.minimum(*(np.linalg.norm(vectors[:, None] - sign * vectors, axis=-1) for sign in (1, -1)))
    votes = (apart < near).sum(1) / length  # the shorter of two frequent ones
    first = vectors[votes.argmax()]
    across = np.abs(np.cross(np.append(first, 0), np.c_[vectors, 0 * length])[:, 2]) / length / np.linalg.norm(first)
    if not (across > 0.5).any():
        return None
    return np.stack([first, vectors[np.where(across > 0.5, votes, -1).argmax()]])


def holes(scan: Scan) -> Finding | None:
    """Places inside the scan's outline that no probe reached."""
    if scan.M < 4:
        return None
    reach, tree = probe_diameter(scan.probe) / 2, cKDTree(scan.positions)
    if np.median(tree.query(scan.positions, k=2)[0][:, 1]) > FARTHEST_STEP * reach:  # probes that do not touch are said by ``overlap``
        return None
    low, high = scan.positions.min(0), scan.positions.max(0)
    spacing = max(reach / 4, float(np.ptp(scan.positions, axis=0).max()) / 512)
    axes = [np.arange(a, b, spacing) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    try:
        inside = points[Delaunay(scan.positions).find_simplex(points) >= 0]
    except QhullError:  # on a line: said elsewhere
        return None
    dark = tree.query(inside)[0] > reach
    if dark.sum() <= HOLE_SHARE * len(inside):
        return None
    row, column = inside[dark.argmax()]
    return Finding(
        "holes",
        f"{dark.mean():.1%} of the area within the scan is over {reach:.3g} px from any position, first at ({row:.0f}, {column:.0f})",
        "expect nothing of the object there; check that no part of the scan is missing",
    )
