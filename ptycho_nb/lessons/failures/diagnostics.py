"""Numbers that tell a failure, all from what a user has: the scan, the run, no truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ptycho_nb.checks import noise_r_factor
from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import Control, History
from ptycho_nb.metrics import overlap
from ptycho_nb.quantities import figures
from ptycho_nb.quick_look import rank_orientations
from ptycho_nb.refinement import refine
from ptycho_nb.resolution import half_data
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

RANKING = 3.0  # s, about
FREED = RefinementConfig(epochs=8, refine_positions=True, position_learning_rate=0.1)


class Attempt(NamedTuple):
    """A run that is judged; ``config`` is that of an iterative fit, None of a network."""

    scan: Scan
    result: Reconstruction
    config: RefinementConfig | None
    control: Control

    @property
    def history(self) -> History:
        """Losses by epoch and step."""
        assert self.result.history is not None  # a run that has just ended has one
        return self.result.history


class Reading(NamedTuple):
    """A diagnostic's number, and what else was found in getting it, in a sentence."""

    number: float
    note: str = ""


@dataclass(frozen=True)
class Diagnostic:
    """A number that crosses a threshold where a run has gone wrong.

    Attributes
    ----------
    name : str
        What is measured, as a noun.
    threshold : float
        Beyond it a run is suspect.
    measure : callable
        Takes an ``Attempt``, gives a ``Reading``.
    code : str
        The same in Python: lines that assign ``number`` from ``scan``, ``result`` and ``config``.
    unit : str
        Of the number; empty where it has none.
    below : bool
        Suspect is what lies below the threshold, not above it.
    """

    name: str
    threshold: float
    measure: Callable[[Attempt], Reading]
    code: str
    unit: str = ""
    below: bool = False

    def crossed(self, number: float) -> bool:
        """Whether this number is suspect; one that is no number is."""
        return not (number >= self.threshold if self.below else number <= self.threshold)

    @property
    def limit(self) -> str:
        """The threshold in words: "above 2"."""
        return f"{'below' if self.below else 'above'} {self.written(self.threshold)}"

    def written(self, number: float) -> str:
        """A number with its unit."""
        return f"{figures(number)} {self.unit}".strip()

    def words(self, number: float) -> str:
        """The number against its threshold, in a sentence."""
        said = f"{self.name}: {self.written(number)}"
        if self.crossed(number):
            return f"{said}. That is {self.limit}, the threshold: the alarm rings."
        return f"{said}. The alarm rings {self.limit}; it is silent."


def _overlap(attempt: Attempt) -> Reading:
    return Reading(overlap(attempt.scan.probe, attempt.scan.positions))


def _half_period(attempt: Attempt) -> Reading:
    halves = half_data(attempt.scan, attempt.config, control=attempt.control)
    return Reading(halves.half_period, halves.words)


def _over_noise(attempt: Attempt) -> Reading:
    """R over the R that photon noise alone would leave."""
    return Reading(over_noise(attempt.result, attempt.scan))


def _other_way_round(attempt: Attempt) -> Reading:
    """How many times worse the positions as recorded fit than the best way round."""
    ranked = rank_orientations(attempt.scan, seconds=RANKING, control=attempt.control)
    recorded = [way for way in ranked if "as recorded" in (way.words, "" if way.equal is None else way.equal.words)]
    if not recorded:
        return Reading(float("nan"))
    return Reading(recorded[0].misfit / ranked[0].misfit, f"Of the ways round, “{ranked[0].words}” fits best.")


def _shift(attempt: Attempt) -> Reading:
    """How far the positions move, apart from all together, when a short fit sets them free."""
    freed = refine(attempt.scan, attempt.result, FREED, control=attempt.control)
    moved = freed.positions - attempt.result.positions
    return Reading(float(np.sqrt(np.square(moved - moved.mean(0)).sum(1).mean())))


def _rise(attempt: Attempt) -> Reading:
    """The greatest loss of a step over that of the first."""
    losses = [value for _, value in attempt.history.steps]
    return Reading(max(losses) / losses[0] if losses else float("nan"))


def _apart(attempt: Attempt) -> Reading:
    """The misfit of the one object over the loss that the patches were trained to."""
    loss = attempt.history["train_loss"][-1:]
    if not loss:
        return Reading(float("nan"))
    misfit = attempt.result.misfit(attempt.scan, "amplitude")
    return Reading(misfit / loss[0], f"The training loss is {figures(loss[0])} a pixel, the misfit of the one object {figures(misfit)}.")


def over_noise(result: Reconstruction, scan: Scan) -> float:
    """R of a result over the R that photon noise alone would leave of what it predicts."""
    return result.r_factor(scan) / noise_r_factor(result.predicted(np.arange(scan.M)), scan.mask)


OVERLAP = Diagnostic("Overlap of neighbouring probes", 0.5, _overlap, "number = overlap(scan.probe, scan.positions)", below=True)
HALF_PERIOD = Diagnostic(
    "Half-period down to which two halves of the data agree",
    1.5,
    _half_period,
    "number = half_data(scan, config).half_period",
    unit="px",
)
OVER_NOISE = Diagnostic(
    "Misfit R over the R of photon noise alone",
    2.0,
    _over_noise,
    "number = result.r_factor(scan) / noise_r_factor(result.predicted(range(scan.M)), scan.mask)",
)
WAY_ROUND = Diagnostic(
    "Misfit as recorded over that of the best way round",
    1.5,
    _other_way_round,
    """\
ranked = rank_orientations(scan, seconds=3.0)
recorded = [way for way in ranked if "as recorded" in (way.words, way.equal.words)]
number = recorded[0].misfit / ranked[0].misfit""",
)
SHIFT = Diagnostic(
    "Positions set free move by (root mean square)",
    0.25,
    _shift,
    """\
freed = refine(scan, result, RefinementConfig(epochs=8, refine_positions=True, position_learning_rate=0.1))
moved = freed.positions - result.positions
number = np.sqrt(np.square(moved - moved.mean(0)).sum(1).mean())""",
    unit="px",
)
RISE = Diagnostic(
    "Greatest loss of a step over that of the first step",
    2.0,
    _rise,
    """\
losses = [value for _, value in result.history.steps]
number = max(losses) / losses[0]""",
)
APART = Diagnostic(
    "Misfit of the one object over the training loss of its patches",
    1.5,
    _apart,
    """\
number = result.misfit(scan, "amplitude") / training.history["train_loss"][-1]""",
)
