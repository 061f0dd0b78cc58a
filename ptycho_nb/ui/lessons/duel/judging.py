"""What the two methods reached on their way and in the end, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.checks import noise_r_factor
from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import Control, Preview, State
from ptycho_nb.metrics import align, compare_aligned
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Canvas, Scan
from ptycho_nb.ui.lessons.duel.contest import Contest, Side, inside

JUDGES = 128  # patterns, evenly over the scan, for R along the way and for the R of noise
WIDEST = 200  # px each way of the middle of the scanned region in which errors are taken
Region = tuple[slice, slice]


@dataclass(frozen=True)
class Errors:
    """Against the known object, once aligned: SSIM of amplitude and phase, mean phase error [rad], half-period shared [px]."""

    amplitude: float
    phase: float
    phase_error: float
    half_period: float


@dataclass(frozen=True, eq=False)
class Score:
    """What a method reached in its time.

    Attributes
    ----------
    seconds : float
        That it worked [s].
    again : float
        That a further scan like this would take this way [s].
    r_factor, noise : float
        R over all patterns, and what photon noise alone leaves of its own expected photons.
    held_out : float64, shape (K,)
        Mean misfit a pixel of each pattern that it never saw.
    errors : Errors or None
        Where the object is known.
    """

    seconds: float
    again: float
    r_factor: float
    noise: float
    held_out: NDArray[np.float64]
    errors: Errors | None


@dataclass(frozen=True, eq=False)
class Course:
    """R, and the phase error where the object is known, at each mark [s]."""

    seconds: NDArray[np.float64]
    r_factor: NDArray[np.float64]
    phase_error: NDArray[np.float64]


def score(side: Side, contest: Contest) -> Score | None:
    """Of a method's result; None where it has none, or no finite one."""
    found, scan = side.result, contest.scan
    if found is None or not (np.isfinite(found.object).all() and np.isfinite(found.probe).all()):
        return None
    whole = found.replace(positions=scan.positions)
    loss = RefinementConfig().loss
    held_out = np.array([whole.misfit(scan, loss, contest.judged[k : k + 1]) for k in range(len(contest.judged))])
    noise = noise_r_factor(whole.predicted(_evenly(scan.M)), scan.mask)
    return Score(side.worked, side.again, whole.r_factor(scan), noise, held_out, _errors(whole, scan))


def course(side: Side, contest: Contest, control: Control) -> Course:
    """How a method went on its way; broken off by a stop."""
    part = contest.part.select(_evenly(contest.part.M))
    rows = []
    for mark in side.marks:
        if control.stopping or not np.isfinite(mark.seen.object).all():
            break
        now = _reconstruction(mark.seen, part)
        rows.append((mark.seconds, now.r_factor(part), _phase_error(mark.seen, contest.part)))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return Course(*columns)


def _evenly(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, JUDGES)).round().astype(np.int64))


def _reconstruction(seen: Preview, scan: Scan) -> Reconstruction:
    coverage: NDArray[np.float32] = np.ones(seen.object.shape, np.float32)
    return Reconstruction(seen.object, coverage, seen.probe, scan.positions, seen.origin, scan.pixel_size, "Mark", State.RUNNING)


def middle(region: Region) -> Region:
    """The region, or its middle where it is large: errors are to be told in seconds."""
    rows, columns = (
        slice(max(part.start, (part.start + part.stop - WIDEST) // 2), min(part.stop, (part.start + part.stop + WIDEST) // 2))
        for part in region
    )
    return rows, columns


def _known(seen: Preview, scan: Scan) -> bool:
    """Whether there is a truth to compare with, large enough to align."""
    region = inside(seen, scan)
    return scan.truth is not None and min(p.stop - p.start for p in region) >= 16


def _errors(found: Reconstruction, scan: Scan) -> Errors | None:
    seen = Preview(found.object, found.origin, found.probe)
    if not _known(seen, scan):
        return None
    scores = compare_aligned(align(found.object, scan.truth_on(found.canvas), middle(found.scanned)))
    return Errors(scores.amplitude.ssim, scores.phase.ssim, scores.phase.mae, scores.half_period)


def _phase_error(seen: Preview, scan: Scan) -> float:
    if not _known(seen, scan):
        return math.nan
    pair = align(seen.object, scan.truth_on(Canvas(seen.origin, seen.object.shape)), middle(inside(seen, scan)))
    return float(np.abs(np.angle(pair.object * pair.truth.conj())).mean())
