"""The slow phase that an object on the way lacks, from what it explains wrongly of the patterns' tilts, and when to ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.refinement.tilts import Splines, moments
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

LATE = 0.9  # of a run that mends its slow phase, when it is looked at once more: steps are too small by then to lose it again
LEAST = 2  # epochs: in fewer the object's amplitude is not known well enough to read tilts
CERTAIN = 2.0  # standard errors by which it explains tilts that it was not fitted to: the least
SURE, LARGE = 8.0, 0.35  # standard errors, or share of the missing tilts' variance, from which it is taken whatever else is missing.
# Measured scans whose model lacks something reached 7.8 and 0.34, and were harmed; simulated ones gain from far below that on
NOISY = 3.0  # times the photon noise: where tilts lack less besides, certain is enough
ERRORS, SLIGHT = 3.0, 0.003  # standard errors, and share of it, by which the misfit may rise with a slow phase added near the end
STIFFNESSES = (0.3, 3.0, 30.0)  # tried: from supple to stiff
STIFFEST = 300.0  # too stiff to be taken, but so sure of the little it says that it tells whether there is something
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
    certainty : float
        What a phase of one of them or of ``STIFFEST`` explains on patterns it was not fitted to, at most, in its own standard errors.
    excess : float
        Mean square of the missing tilts over that of photon noise alone.
    believed : bool
        Whether it is to be taken: it explains something for certain, and that much or is beyond doubt or what the
        tilts lack besides is little more than photon noise. Where a model lacks modes or a
        background, they lack more, and mean something else.
    """

    phase: NDArray[np.float32]
    explained: float
    stiffness: float
    certainty: float = 0.0
    excess: float = 1.0

    @property
    def believed(self) -> bool:
        plain = self.explained > LARGE or self.certainty > SURE
        return self.explained > 0 and self.certainty > CERTAIN and (plain or self.excess * (1 - self.explained) < NOISY)


@dataclass
class Mending:
    """When a fit asks for the slow phase that it lacks, and what came of it.

    Attributes
    ----------
    opened : int
        Epochs before it asks on the way; 0 for none, in a run too short for two courses: that asks near its end alone.
    mended, added : bool
        Whether it asks no more on the way, and whether a slow phase was added there.
    after : int
        Epochs after which it did so; 0 where it never asked.
    retouched : int
        Steps of the plan near whose end it asked last; a fit that is given more epochs asks again.
    added_late : bool
        Whether a slow phase was added there.
    """

    opened: int = 0
    mended: bool = False
    added: bool = False
    after: int = 0
    retouched: int = 0
    added_late: bool = False

    def due(self, progress: float, done: float, epochs: int, total: int) -> bool:
        """Whether to ask at this share of a run of so many epochs, of ``total`` steps, with so many epochs done.

        By the clock a run may be far on and hardly have begun.
        """
        late = min(LATE, 1 - 1 / total)  # the last step at the latest
        if not self.mended:
            enough = min(self.opened or LEAST, LEAST, epochs - epochs / total)
            return epochs >= LEAST and done >= enough and progress >= (self.opened / epochs or late)
        return self.after > 0 and progress >= late and self.retouched != total

    def settle(self, slow: SlowPhase, done: float, total: int) -> bool:
        """Note that it was asked; whether the answer is to be added."""
        if not self.mended:
            self.mended, self.added, self.after = True, slow.believed, max(round(done), 1)
            self.retouched = 0 if self.opened else total
            return self.added
        self.retouched, self.added_late = total, slow.believed
        return self.added_late


def risen(before: list[float], after: list[float]) -> bool:
    """Whether the misfits of the same batches have risen for certain, by more than ``ERRORS`` standard errors, and more than slightly.

    At the end of a fit a right slow phase costs next to nothing; one that tilts ask for because the beam
    fluctuates or a background lies under it costs much.
    """
    rise = np.subtract(after, before)
    error = rise.std(ddof=1) / len(rise) ** 0.5 if len(rise) > 1 else 0.0
    return bool(rise.mean() > max(ERRORS * error, SLIGHT * float(np.mean(before))))


def slow_phase(splines: Splines, lack: NDArray[np.float64], weight: NDArray[np.float64]) -> SlowPhase:
    """The smooth phase whose slopes are the missing tilts (M, 2) [rad/px], each believed as its weight (M,) says.

    How stiff is decided by cross-validation: half the patterns, drawn at random, are fitted, the
    others judge; then all are fitted.
    """
    half = np.random.default_rng(SEED).permutation(len(lack)) < len(lack) // 2
    pairs = [(matrix.multiply(weight[:, None]).tocsr(), weight * tilts) for matrix, tilts in zip(splines.slope, lack.T, strict=True)]
    fitted, judges = ([(matrix[some], tilts[some]) for matrix, tilts in pairs] for some in (half, ~half))
    whole = max(sum(float(np.square(tilts).sum()) for _, tilts in judges), 1e-30)
    gains = []
    for stiffness in (*STIFFNESSES, STIFFEST):
        found = splines.fitted(fitted, stiffness)
        gains.append(np.concatenate([np.square(tilts) - np.square(matrix @ found - tilts) for matrix, tilts in judges]))
    best = int(np.argmax([gain.sum() for gain in gains[:-1]]))
    certainty = max(float(gain.sum()) / max(float(gain.std()) * len(gain) ** 0.5, 1e-30) for gain in gains)
    phase = splines.evaluate(splines.fitted(pairs, STIFFNESSES[best]))
    return SlowPhase(phase, float(gains[best].sum()) / whole, STIFFNESSES[best], certainty)


def lacking(
    scan: Scan,
    early: Reconstruction,
    patterns: NDArray[np.int64],
    masks: NDArray[np.bool_],
    photons: Callable[[NDArray[np.int64]], NDArray[np.float32]] | None = None,
) -> SlowPhase:
    """The slow phase that an early object of a scan lacks; a pattern's tilt counts as its photons.

    Only ``patterns`` (M,), by index, and pixels in ``masks`` (K, N, N), number j modulo K for pattern j, are asked: what
    a fit is judged by must not shape it. ``photons`` is what gives the early object's patterns, where a fit has it at hand.
    """
    measured = moments(lambda some: scan.intensity[some], patterns, masks)
    expected = moments(photons or early.predicted, patterns, masks)
    splines = Splines(early.positions[patterns] - early.origin, early.probe, early.canvas.shape)
    missing, light = measured.tilt - expected.tilt, measured.brightness
    excess = float((light[:, None] * missing**2).sum() / max(float(expected.spread.sum()), 1e-30))
    return replace(slow_phase(splines, missing, np.sqrt(light / light.max())), excess=excess)
