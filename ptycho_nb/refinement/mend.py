"""The slow phase that an object on the way lacks, from what it explains wrongly of the patterns' tilts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.refinement.tilts import Splines, moments
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

EXPLAINS = 0.25  # of the missing tilts' variance, on patterns not asked, from which it is taken: below it did harm as often as good
STIFFNESSES = (0.1, 1.0, 10.0)  # tried: from ragged to smooth
SEED = 0  # of the halves


@dataclass(frozen=True)
class SlowPhase:
    """What the tilts ask for.

    Attributes
    ----------
    phase : float32, shape (H, W)
        To be added to the object's [rad].
    explained : float
        Share of the missing tilts' variance that it explains on patterns it was not fitted to; not
        above zero where the tilts say nothing that their neighbours know.
    stiffness : float
        The one of ``STIFFNESSES`` that explained most.
    believed : bool
        Whether it explains enough to be taken.
    """

    phase: NDArray[np.float32]
    explained: float
    stiffness: float

    @property
    def believed(self) -> bool:
        return self.explained > EXPLAINS


def slow_phase(splines: Splines, lack: NDArray[np.float64], weight: NDArray[np.float64]) -> SlowPhase:
    """The smooth phase whose slopes are the missing tilts (M, 2) [rad/px], each believed as its weight (M,) says.

    How stiff is decided by cross-validation: half the patterns, drawn at random, are fitted, the
    others judge; then all are fitted.
    """
    half = np.random.default_rng(SEED).permutation(len(lack)) < len(lack) // 2
    pairs = [(matrix.multiply(weight[:, None]).tocsr(), weight * tilts) for matrix, tilts in zip(splines.slope, lack.T, strict=True)]
    fitted, judges = ([(matrix[some], tilts[some]) for matrix, tilts in pairs] for some in (half, ~half))
    whole, explained = sum(np.square(tilts).sum() for _, tilts in judges), []
    for stiffness in STIFFNESSES:
        found = splines.fitted(fitted, stiffness)
        left = sum(np.square(matrix @ found - tilts).sum() for matrix, tilts in judges)
        explained.append(1 - left / max(float(whole), 1e-30))
    best = int(np.argmax(explained))
    return SlowPhase(splines.evaluate(splines.fitted(pairs, STIFFNESSES[best])), float(explained[best]), STIFFNESSES[best])


def lacking(scan: Scan, early: Reconstruction, patterns: NDArray[np.int64], masks: NDArray[np.bool_]) -> SlowPhase:
    """The slow phase that an early object of a scan lacks; a pattern's tilt counts as its photons.

    Only ``patterns`` (M,), by index, and pixels in ``masks`` (K, N, N), number j modulo K for pattern j, are asked: what
    a fit is judged by must not shape it.
    """
    measured = moments(lambda some: scan.intensity[some], patterns, masks)
    expected = moments(early.predicted, patterns, masks)
    splines = Splines(early.positions[patterns] - early.origin, early.probe, early.canvas.shape)
    return slow_phase(splines, measured.tilt - expected.tilt, np.sqrt(measured.brightness / measured.brightness.max()))
