"""A scan in words before a run, and the run after it: what it took, what it reached, and whether a training pays back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import ptycho_nb
from ptycho_nb.checks import checks, r_factors
from ptycho_nb.config import DataConfig, RefinementConfig
from ptycho_nb.history import State
from ptycho_nb.quantities import count, figures, length
from ptycho_nb.scan import Scan
from ptycho_nb.ui.panels.reconstruct.methods import Outcome

POOR = ("diverged", "unlearned", "misfit")  # checks that are told at once


def scan_in_words(scan: Scan) -> str:
    """What there is to reconstruct from, in a line."""
    modes = f"{len(scan.probe)} probe mode{'s' * (len(scan.probe) > 1)}"
    pixel = "pixel size unknown" if scan.pixel_size is None else f"object pixel {length(scan.pixel_size)}"
    truth = "truth known" if scan.truth is not None else "no truth"
    return f"{scan.name}: {scan.M} patterns of {scan.N} × {scan.N} px, {count(scan.photons)} photons each, {modes}, {pixel}, {truth}."


@dataclass
class Times:
    """What the ways to an object took on one scan, as far as they were run to the end [s].

    Attributes
    ----------
    iterative : float or None
        An iterative fit from flat.
    trained : (str, float, float) or None
        The method that last trained a network, what a further scan takes by it, and its training.
    """

    iterative: float | None = None
    trained: tuple[str, float, float] | None = None

    def take(self, outcome: Outcome) -> None:
        """Learn from a run."""
        if outcome.method == "Iterative" and outcome.result.state is State.DONE:
            self.iterative = outcome.result.seconds
        if outcome.training is not None:
            self.trained = outcome.method, outcome.again, outcome.training.seconds


def in_words(outcome: Outcome, scan: Scan, times: Times) -> list[str]:
    """What the run took and reached, a sentence each; no measure of quality."""
    result = outcome.result
    misfit, noise = result.r_factor(scan), r_factors(result, scan)[1]
    told = [
        f"{result.method}: {_took(outcome)}.",
        f"Misfit R {_told(misfit)}; photon noise alone gives {noise:.3f}.",
        _held_out(outcome, scan),
    ]
    wrong = [finding for finding in checks(result, scan) if finding.word in POOR]
    told += [f"What looks wrong: {finding}" for finding in wrong[:1]]
    compared = outcome.training is not None or times.iterative is not None
    if times.trained is not None and compared and misfit < 1:  # nothing at all is explained by what has R = 1
        told.append(payback(times.iterative, *times.trained))
    return told


def _told(misfit: float) -> str:
    """An R; one that is far off in few figures."""
    return f"{misfit:.3f}" if misfit < 10 else figures(misfit)


def _took(outcome: Outcome) -> str:
    seconds, training = outcome.result.seconds, outcome.training
    if training is None:
        return f"{seconds:.1f} s"
    parts = f"training {training.seconds:.1f} s, reconstruction {outcome.once:.2g} s"
    fit = f", fit {outcome.again - outcome.once:.1f} s" if outcome.fitted else ""
    return f"{seconds:.1f} s ({parts}{fit})"


def _held_out(outcome: Outcome, scan: Scan) -> str:
    """The misfit of patterns that the last part of the run has not seen."""
    if outcome.fitted:
        config = RefinementConfig(**outcome.result.settings["refinement"])
        judged, loss = ptycho_nb.held_out_of_fit(scan, config.holdout, config.seed), config.loss
        part, share = "fit", "Held-out share"
    else:
        assert outcome.training is not None
        model = outcome.training.model
        judged, loss, part = _unseen(scan, model.data_config, model.training_config.seed), model.training_config.loss, "training"
        share = "Validation share"
    if not len(judged):
        return f"No pattern was held out of the {part} to judge it by ({share} is 0)."
    misfit = outcome.result.misfit(scan, loss, judged)
    return f"Held-out misfit {misfit:.4g} a pixel ({loss}; {len(judged)} patterns that the {part} never saw)."


def _unseen(scan: Scan, config: DataConfig, seed: int) -> NDArray[np.int64]:
    """Patterns that no training group holds."""
    used = ptycho_nb.subsample(scan.M, config, seed)
    return np.setdiff1d(np.arange(scan.M), used[~ptycho_nb.held_out_of_training(len(used), config, seed)])


def payback(iterative: float | None, method: str, again: float, training: float) -> str:
    """After how many similar scans a training pays back, or that it does not.

    Parameters
    ----------
    iterative : float or None
        Seconds of an iterative fit of one scan, where there was one.
    method : str
        That trained a network.
    again : float
        Seconds that a further scan takes by it, the network trained.
    training : float
        Seconds of the training.
    """
    if iterative is None:
        return "Run Iterative once on this scan to learn after how many similar scans the training pays back."
    compared = f"a further scan takes {again:.2g} s by {method}, {iterative:.2g} s by Iterative"
    if iterative <= again:
        return f"Training the network does not pay back: {compared}."
    return f"Training the network pays back after {int(training / (iterative - again)) + 1} scans like this one: {compared}."
