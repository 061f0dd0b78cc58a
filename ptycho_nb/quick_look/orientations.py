"""Which way round the positions of a scan are, ranked by how well each explains the photons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from ptycho_nb.errors import InputError
from ptycho_nb.history import Control
from ptycho_nb.orientation import CHOICES, Orientation
from ptycho_nb.quick_look.look import RECIPE, pace
from ptycho_nb.refinement import refine
from ptycho_nb.scan import Scan

FEWEST, MOST = 12, 24  # epochs of one fit
BLOCK = 80, 300  # neighbouring patterns fitted, at least and at most
HELD_OUT = 0.15  # of them, that judge
SLOWER = 3.0  # times its share of the time, at most, on a machine that is too slow or becomes busy


def rank_orientations(scan: Scan, *, free_probe: bool = True, seconds: float = 4.0, control: Control | None = None) -> list[Orientation]:
    """The ways round of the positions, the one that explains the photons best first.

    Each is fitted for a short time to one block of neighbouring patterns, the same for all,
    and judged on patterns of the block that the fit did not see.

    With a free probe the eight fall into four pairs: negating both axes turns object and probe
    by 180° and conjugates them, and the photons are the same to the last one. Of a pair the one
    is named first to which the given probe is nearer, which decides nothing but from which a
    fit gets there sooner. A fixed probe ranks all eight, and there the order within a pair
    follows the sign of the defocus that was guessed for the probe. Either way handedness is not
    in the data: patterns and positions flipped together fit as well, and give the mirror image.
    Which way round the camera was mounted must be known from elsewhere.

    Parameters
    ----------
    scan : Scan
    free_probe : bool
        Fit the probe too: one entry a pair, its partner in ``equal``.
    seconds : float
        For the whole ranking, about.
    control : Control, optional
        A stop ends it with those that were fitted.

    Raises
    ------
    InputError
        The scan has too few patterns to fit some and judge by others.
    """
    if scan.M < 16:
        raise InputError(f"The scan has {scan.M} patterns; ranking orientations fits some and judges by others, and needs at least 16.")
    control = control or Control()
    visits = pace(scan, control) * 0.8 * seconds / len(CHOICES)
    block = scan.select(_block(scan, int(np.clip(visits / MOST, *BLOCK))))
    epochs = int(np.clip(visits / block.M, FEWEST, MOST))
    judges, learnt = _split(block)
    config = RECIPE.replace(epochs=epochs, refine_probe=free_probe, time_limit=SLOWER * seconds / len(CHOICES))
    fitted = []
    for choice in CHOICES:
        turned = choice.apply(block)
        found = refine(turned.select(learnt), config=config, control=control)
        if control.stopping:
            break
        judged = found.replace(positions=turned.positions[judges])
        fitted.append(replace(choice, misfit=judged.r_factor(turned.select(judges))))
    ranked = sorted(fitted, key=lambda one: one.misfit if np.isfinite(one.misfit) else np.inf)
    return _pairs(ranked) if free_probe else ranked


def _pairs(ranked: list[Orientation]) -> list[Orientation]:
    """The better of each pair, its partner named, as the ranking goes."""
    pairs: dict[tuple[bool, bool], Orientation] = {}  # by what negating both axes leaves as it is
    for one in ranked:
        partner = Orientation(one.transpose, not one.flip_rows, not one.flip_columns)
        pairs.setdefault((one.transpose, one.flip_rows != one.flip_columns), replace(one, equal=partner))
    return list(pairs.values())


def _block(scan: Scan, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of patterns nearest the middle one: they overlap, and stay together whichever way the positions are turned."""
    middle = np.median(scan.positions, axis=0)
    return np.sort(np.argsort(np.linalg.norm(scan.positions - middle, axis=1), kind="stable")[:count])


def _split(block: Scan) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Indices that judge, drawn among those with the nearest neighbours on all sides, and those that are fitted."""
    distance = cKDTree(block.positions).query(block.positions, k=min(9, block.M))[0][:, -1]
    inner = np.argsort(distance, kind="stable")[: max(2, block.M // 2)]
    judges = np.sort(np.random.default_rng(0).choice(inner, size=max(2, round(HELD_OUT * block.M)), replace=False))
    return judges, np.setdiff1d(np.arange(block.M), judges)
