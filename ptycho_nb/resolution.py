"""Down to which detail the data fix the object: two fits of half of the patterns each, compared ring by ring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, Listener, State
from ptycho_nb.metrics import Aligned, RingCorrelation, align, frc, half_bit
from ptycho_nb.quantities import length
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

LEAST = 16  # patterns that can be halved
NEAR = 9  # neighbours looked at for a partner


@dataclass(frozen=True, eq=False)
class HalfData:
    """Two independent objects of one scan, and down to which detail they agree.

    Attributes
    ----------
    first, second : Reconstruction
        Each of half of the patterns.
    pair : Aligned
        ``object`` is the second brought onto the first (``truth``), over the region both scanned.
    rings : RingCorrelation
        Of the pair.
    half_period : float
        Finest half-period on which both agree at the half-bit threshold [px]; 1 where they agree to Nyquist.
    resolution : float or None
        The same [m]; None where the pixel size is unknown.
    """

    first: Reconstruction
    second: Reconstruction
    pair: Aligned
    rings: RingCorrelation
    half_period: float
    resolution: float | None

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        if self.half_period <= 1:
            return "Two fits of half of the patterns each agree at every ring, by the half-bit threshold: the pixels set the resolution."
        size = f"{self.half_period:.2f} px"
        if self.resolution is not None:
            size += f", {length(self.resolution)}"
        return f"Two fits of half of the patterns each agree down to a half-period of {size}, by the half-bit threshold."


def half_data(
    scan: Scan, config: RefinementConfig | None = None, *, listener: Listener | None = None, control: Control | None = None
) -> HalfData:
    """Two independent fits of a scan's halves, and the detail down to which they agree.

    Both begin flat and share the probe's guess and nothing else. The half-bit curve allows for
    each having half of the photons; the overlap is thinner in a half, so that the whole scan
    may well resolve more.

    Parameters
    ----------
    scan : Scan
    config : RefinementConfig, optional
        Of each fit; the preset "best" if none.
    listener, control : optional
        As for ``refine``, for each fit in turn. A stop ends the fit under way, keeps it, and
        the other.

    Raises
    ------
    InputError
        The scan is too small to be halved and compared, a fit diverged, or it was stopped
        before both had begun.

    References
    ----------
    van Heel & Schatz, J. Struct. Biol. 151, 250 (2005).
    """
    control, found = control or Control(), []
    flat = (config or RefinementConfig()).model_copy(update={"initial_object": "flat"})  # a learned prior would be shared
    for half in halves(scan):
        found.append(refine(half, config=flat, listener=listener, control=control))
        if found[-1].state is State.DIVERGED:
            raise InputError("A fit of half of the patterns diverged; lower the learning rate, or look at checks(scan).")
        if found[-1].history is not None and not found[-1].history.steps:
            raise InputError("It was stopped before both halves were fitted; there is nothing to compare yet.")
    return compared(*found)


def halves(scan: Scan, seed: int = 0) -> tuple[Scan, Scan]:
    """Two scans of half of the patterns each, that share the probe and nothing else.

    Patterns are taken in pairs of near neighbours, and a seeded coin gives one of a pair to
    each half: both cover the whole object, and neither lies on a raster of its own.

    Raises
    ------
    InputError
        There are too few patterns.
    """
    if scan.M < LEAST:
        raise InputError(f"The scan has {scan.M} patterns; halving it needs at least {LEAST}.")
    pairs = np.array(_neighbours(scan.positions))
    turned = np.random.default_rng(seed).random(len(pairs)) < 0.5
    pairs[turned] = pairs[turned, ::-1]
    return scan.select(np.sort(pairs[:, 0])), scan.select(np.sort(pairs[:, 1]))


def _neighbours(positions: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs of indices, each index once (an odd one left out): the nearest free ones first, what is left as it comes."""
    near = cKDTree(positions).query(positions, k=min(NEAR, len(positions)))
    distance, other = (np.asarray(array).ravel() for array in near)
    own = np.repeat(np.arange(len(positions)), len(other) // len(positions))
    free, pairs = set(range(len(positions))), []
    for k in np.argsort(distance, kind="stable").tolist():
        i, j = int(own[k]), int(other[k])
        if i != j and i in free and j in free:
            free -= {i, j}
            pairs.append((i, j))
    rest = sorted(free)
    return pairs + list(zip(rest[::2], rest[1::2], strict=False))


def compared(first: Reconstruction, second: Reconstruction) -> HalfData:
    """Two reconstructions of one object, aligned and compared over the region that both scanned.

    Raises
    ------
    InputError
        That region is less than 16 px wide.
    """
    top, left = np.max([_corner(r, "start") for r in (first, second)], axis=0)
    bottom, right = np.min([_corner(r, "stop") for r in (first, second)], axis=0)
    one, other = (r.object[top - r.origin[0] : bottom - r.origin[0], left - r.origin[1] : right - r.origin[1]] for r in (first, second))
    pair = align(other, one)
    rings = frc(pair.object, pair.truth)
    half_period = rings.half_period(half_bit)
    return HalfData(first, second, pair, rings, half_period, None if first.pixel_size is None else half_period * first.pixel_size)


def _corner(found: Reconstruction, end: str) -> tuple[int, int]:
    rows, columns = found.scanned
    if end == "start":
        return found.origin[0] + rows.start, found.origin[1] + columns.start
    return found.origin[0] + rows.stop, found.origin[1] + columns.stop
