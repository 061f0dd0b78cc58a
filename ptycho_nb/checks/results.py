"""Checks of a reconstruction, with its scan where one is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.checks.finding import Finding, Severity
from ptycho_nb.checks.patterns import SPILL, spill
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.metrics import r_factor
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

DRAWN = 1e15  # photons from which on a draw is as good as its mean
JUDGED = 256  # patterns that stand for all
MISFIT_RATIO, MISFIT_EXCESS = 2.0, 0.03  # R over the R of noise alone; R less it
UNLEARNED = 0.7  # of what an object without structure leaves beyond noise: the fast map left 0.2 on its own scans, 0.5 to 2 on others
EMPTY_SHARE = 0.005  # of the scanned area
VORTEX_DENSITY, VORTICES = 2e-4, 5  # a scanned pixel; in all
DIM = 0.25  # of the median amplitude: where the phase says little
AT_BOUND, BOUND_SHARE = 0.98, 0.02  # of the greatest shift; of the positions


def noise_r_factor(expected: ArrayLike, mask: ArrayLike | None = None, seed: int = 0) -> float:
    """The R-factor between expected photons and a Poisson draw of them: what noise alone leaves.

    Parameters
    ----------
    expected : real, shape (..., N, N)
        Photons.
    mask : bool, broadcasts with it
        True where a pixel is to be believed.

    Returns
    -------
    float
        NaN where no photon is drawn, or what is expected is no number.
    """
    photons = np.asarray(expected, dtype=np.float64)
    if not np.isfinite(photons).all():
        return float("nan")
    few = photons < DRAWN
    drawn = np.where(few, np.random.default_rng(seed).poisson(np.where(few, photons, 0)), photons)
    try:
        return r_factor(photons, drawn, mask)
    except InputError:
        return float("nan")


def r_factors(result: Reconstruction, scan: Scan) -> tuple[float, float]:
    """The R-factor of a reconstruction, and the one that photon noise alone would give: on patterns that stand for all, up to 256."""
    some = np.linspace(0, scan.M - 1, min(scan.M, JUDGED)).astype(int)
    expected = result.predicted(some)
    return r_factor(expected, scan.intensity[some], scan.mask), noise_r_factor(expected, scan.mask)


def diverged(result: Reconstruction, scan: Scan | None) -> Finding | None:
    """The run failed, or left numbers that are none."""
    arrays: tuple[NDArray[Any], ...] = (result.object, result.probe, result.positions)
    bad = sum(int((~np.isfinite(a)).sum()) for a in arrays)
    if not bad and result.state not in (State.DIVERGED, State.FAILED):
        return None
    cause = f"{bad} values are NaN or infinite" if bad else f"the run ended {result.state}; this is its last finite state"
    return Finding("diverged", cause, "lower the learning rate and start again", Severity.SERIOUS)


def misfit(result: Reconstruction, scan: Scan | None) -> Finding | None:
    """Photons explained far worse than their noise allows."""
    if scan is None or not _finite(result):
        return None
    found, noise = r_factors(result, scan)
    if found <= MISFIT_RATIO * noise or found <= noise + MISFIT_EXCESS:
        return None
    return Finding(
        "misfit",
        f"R is {found:.3f} where photon noise alone would give {noise:.3f}",
        "more epochs; refine the probe or the positions; more probe modes; check orientation and centre",
    )


def unlearned(result: Reconstruction, scan: Scan | None) -> Finding | None:
    """A network's object that explains the photons hardly better than one without structure."""
    if scan is None or result.method != "Network" or not _finite(result):
        return None
    gain = np.sqrt(scan.photons / np.sum(np.abs(result.probe) ** 2, dtype=np.float64))
    blank = result.replace(object=np.full_like(result.object, gain))
    (found, noise), (empty, least) = r_factors(result, scan), r_factors(blank, scan)
    if found <= noise + MISFIT_EXCESS or found - noise <= UNLEARNED * (empty - least):
        return None
    return Finding(
        "unlearned",
        f"R is {found:.3f}, and {empty:.3f} for an object without structure: the network has not learned such patterns",
        "train on this scan, or longer; or fit iteratively",
        Severity.SERIOUS,
    )


def window(result: Reconstruction, scan: Scan | None) -> Finding | None:
    """The probe has grown to the rim of its window."""
    if not _finite(result) or (share := spill(result.probe)) <= SPILL:
        return None
    return Finding(
        "window",
        f"{share:.0%} of the probe's energy lies at the rim of its window, N = {result.probe.shape[-1]}",
        "mask bad pixels and background, lower the probe's learning rate, or use finer detector pixels",
    )


def holes(result: Reconstruction, scan: Scan | None) -> Finding | None:
    """Parts of the scanned area that the probe left dark."""
    dark = ~result.covered[result.scanned]
    if dark.mean() <= EMPTY_SHARE:
        return None
    return Finding("holes", f"{dark.mean():.1%} of the scanned area got no light", "read nothing from the object there; scan more densely")


def vortices(result: Reconstruction, scan: Scan | None) -> Finding | None:
    """Points round which the phase turns by 2π where the object is not dark.

    References
    ----------
    Goldstein, Zebker & Werner, Radio Sci. 23, 713 (1988), eq. 3 (phase residues).
    """
    if not _finite(result):
        return None
    seen = result.object[result.scanned] * result.covered[result.scanned]
    if min(seen.shape) < 2 or not seen.any():
        return None
    corners = (seen[:-1, :-1], seen[:-1, 1:], seen[1:, 1:], seen[1:, :-1])
    bright = np.minimum.reduce([np.abs(c) for c in corners]) > DIM * np.median(np.abs(seen))
    turns = sum(np.angle(b * a.conj()) for a, b in zip(corners, (*corners[1:], corners[0]), strict=True)) / (2 * np.pi)
    count = int((np.abs(turns)[bright] > 0.5).sum())
    if count <= max(VORTICES, VORTEX_DENSITY * seen.size):
        return None
    return Finding(
        "vortices",
        f"the phase has {count} vortices in {seen.size} scanned pixels, where an object has few or none",
        "start again from another seed or from the network, with more epochs or a better probe guess",
    )


def bound(result: Reconstruction, scan: Scan | None) -> Finding | None:
    """Corrections of positions that have gone as far as they may from where the fit began."""
    fit, measured = result.settings.get("refinement"), result.optimiser.get("measured")
    if not (isinstance(fit, dict) and fit.get("refine_positions")) or measured is None or measured.shape != result.positions.shape:
        return None
    limit = float(fit.get("max_shift", np.inf))
    stuck = np.abs(result.positions - measured).max(1) >= AT_BOUND * limit
    if stuck.mean() < BOUND_SHARE:
        return None
    return Finding(
        "bound",
        f"{stuck.mean():.0%} of the positions moved by the greatest shift, {limit:.3g} px",
        "check unit, axes and signs of the positions; raise max_shift only if errors that large are likely",
    )


def _finite(result: Reconstruction) -> bool:
    return all(bool(np.isfinite(a).all()) for a in (result.object, result.probe, result.positions))
