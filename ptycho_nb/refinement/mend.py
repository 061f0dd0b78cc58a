"""The slow phase that an object on the way lacks, from what it explains wrongly of the patterns' tilts; the slow amplitude that
a fitted brightness took from it; and when to ask for them.

A brightness b_j of each pattern explains a slow amplitude almost as well as the object does,
|O|² b_j = const, and is found first. With a curved probe a false slope of the amplitude is
then answered by one of the phase. What is smooth in space of log b_j is the object's, unless the
photons tell otherwise, as they do of a beam that drifts. They say nothing of a straight ramp:
O exp(a·r), P exp(-a·r) and b_j exp(-2 a·r_j) explain as well, and it stays where the fit put it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

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
FEW = 16  # patterns: fewer agree by chance


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
    returned : bool
        Whether the object got slow amplitude back from a fitted brightness, at either time.
    """

    opened: int = 0
    mended: bool = False
    added: bool = False
    after: int = 0
    retouched: int = 0
    added_late: bool = False
    returned: bool = False

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
    """The smooth phase whose slopes are the missing tilts (M, 2) [rad/px], each believed as its weight (M,) says."""
    pairs = [(matrix.multiply(weight[:, None]).tocsr(), weight * tilts) for matrix, tilts in zip(splines.slope, lack.T, strict=True)]
    found = _smooth(splines, pairs)
    return SlowPhase(splines.evaluate(found.coefficients), found.explained, found.stiffness, found.certainty)


class SlowBrightness(NamedTuple):
    """What of a fitted brightness is smooth in space, as logarithms: of |O|² over the canvas (H, W), and of each pattern (M,)."""

    power: NDArray[np.float32]
    taken: NDArray[np.float64]


def slow_brightness(splines: Splines, brightness: NDArray[np.float64], positions: NDArray[np.float64]) -> SlowBrightness | None:
    """The smooth part of the brightness (M,) of patterns at positions (M, 2), a ramp aside.

    None where half of the patterns do not foretell the other half, or are too few to tell.
    """
    if len(brightness) < FEW:
        return None
    ramp = np.column_stack([np.ones(len(positions)), positions - positions.mean(0)])
    log = np.log(brightness)
    log -= ramp @ np.linalg.lstsq(ramp, log, rcond=None)[0]
    found = _smooth(splines, [(splines.mean, log)])
    if not (found.explained > 0 and found.certainty > CERTAIN):
        return None
    coefficients = found.coefficients.clip(log.min(), log.max())  # and so is their sum, where no pattern is too
    return SlowBrightness(splines.evaluate(coefficients), np.asarray(splines.mean @ coefficients))


class _Smooth(NamedTuple):
    coefficients: NDArray[np.float64]
    explained: float
    stiffness: float
    certainty: float


def _smooth(splines: Splines, pairs: list[tuple[csr_matrix, NDArray[np.float64]]]) -> _Smooth:
    """Splines for which each matrix gives its values (M,).

    How stiff is decided by cross-validation: half the patterns, drawn at random, are fitted, the
    others judge; then all are fitted.
    """
    M = len(pairs[0][1])
    half = np.random.default_rng(SEED).permutation(M) < M // 2
    fitted, judges = ([(matrix[some], values[some]) for matrix, values in pairs] for some in (half, ~half))
    whole = max(sum(float(np.square(values).sum()) for _, values in judges), 1e-30)
    gains = []
    for stiffness in (*STIFFNESSES, STIFFEST):
        found = splines.fitted(fitted, stiffness)
        gains.append(np.concatenate([np.square(values) - np.square(matrix @ found - values) for matrix, values in judges]))
    best = int(np.argmax([gain.sum() for gain in gains[:-1]]))
    certainty = max(float(gain.sum()) / max(float(gain.std()) * len(gain) ** 0.5, 1e-30) for gain in gains)
    return _Smooth(splines.fitted(pairs, STIFFNESSES[best]), float(gains[best].sum()) / whole, STIFFNESSES[best], certainty)


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
