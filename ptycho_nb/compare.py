"""The three ways to an object, side by side on one scan, judged on patterns that none of them saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.errors import ConfigError
from ptycho_nb.history import Control, Listener, State
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import refine
from ptycho_nb.refinement.start import held_out, noise_model
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.training import Training, train

HELD_OUT = 0.05  # share of the patterns that judge
CLEAR = 2.0  # standard errors of the paired difference below which two methods do not differ
SHORT = 16  # times fewer iterative epochs after a network than from a flat start


@dataclass(frozen=True)
class Row:
    """One method's line.

    Attributes
    ----------
    result : Reconstruction
        Of the patterns it was given.
    seconds : float
        Wall time, training included [s].
    held_out : float64, shape (K,)
        Mean misfit a pixel on each pattern it never saw.
    r_factor : float
        R over all patterns.
    """

    result: Reconstruction
    seconds: float
    held_out: NDArray[np.float64]
    r_factor: float


@dataclass(frozen=True)
class Comparison:
    """What ``compare`` found.

    Attributes
    ----------
    rows : dict of str to Row
        "Network", "Iterative", "Network, then iterative".
    judged : int64, shape (K,)
        Indices of the held-out patterns.
    loss : str
        The misfit that judged: "amplitude" or "poisson".
    verdict : str
        Which is best, in a sentence; "Undecided" where the best two do not differ clearly.
    best : Reconstruction
        The winner, finished on all patterns; the quickest of those that do not differ.
    """

    rows: dict[str, Row]
    judged: NDArray[np.int64]
    loss: str
    verdict: str
    best: Reconstruction

    def __str__(self) -> str:
        lines = [f"{'method':24} {'seconds':>8} {'held-out ' + self.loss + ' misfit':>26} {'R':>8}"]
        for name, row in self.rows.items():
            lines.append(f"{name:24} {row.seconds:8.1f} {row.held_out.mean():26.4f} {row.r_factor:8.4f}")
        return "\n".join([*lines, self.verdict])


def compare(
    scan: Scan,
    refinement: RefinementConfig | None = None,
    *,
    training: TrainingConfig | None = None,
    model: ModelConfig | None = None,
    data: DataConfig | None = None,
    inference: InferenceConfig | None = None,
    trained: Training | None = None,
    listener: Listener | None = None,
    control: Control | None = None,
) -> Comparison:
    """Network, iterative, and network then iterative on the same patterns, a few held out to judge.

    Parameters
    ----------
    scan : Scan
    refinement : RefinementConfig, optional
        Of the iterative fit from flat; after the network it runs a sixteenth of the epochs.
        Probe, modes and loss are the same for all three.
    training, model, data, inference : optional
        Of the network.
    trained : Training, optional
        A network to use as it is; it must not have seen the held-out patterns to be judged fairly.
    listener, control : optional
        As for ``train`` and ``refine``, for each run in turn. A stop ends the comparison after the
        methods under way; those that have not begun are left out.

    Raises
    ------
    ConfigError
        The scan is too small to hold patterns out, or positions were to be fitted.
    """
    refinement = refinement or RefinementConfig.preset("best")
    if refinement.refine_positions:
        raise ConfigError("RefinementConfig.refine_positions is true; positions of held-out patterns could not be fitted: set it to false.")
    judged = held_out(scan, HELD_OUT, refinement.seed)
    if len(judged) < 2:
        raise ConfigError(f"The scan has {scan.M} patterns; comparing holds out 5 % and needs at least 30.")
    fitted = np.setdiff1d(np.arange(scan.M), judged)
    loss = noise_model(scan, refinement)
    part = scan.select(fitted)
    rows: dict[str, Row] = {}
    for name, result, seconds in _runs(part, refinement, (training, model, data, inference), trained, listener, control):
        rows[name] = _judge(result, seconds, scan, judged, loss)
    name, verdict = _verdict(rows)
    return Comparison(rows, judged, loss, verdict, _finished(rows[name].result, scan, refinement))


Configs = tuple[TrainingConfig | None, ModelConfig | None, DataConfig | None, InferenceConfig | None]


def _runs(
    part: Scan, refinement: RefinementConfig, configs: Configs, trained: Training | None, listener: Listener | None, control: Control | None
) -> Iterator[tuple[str, Reconstruction, float]]:
    flat = refine(part, config=refinement, listener=listener, control=control)
    yield "Iterative", flat, flat.seconds
    if control is not None and control.stopping:
        return
    handle = trained or train(part, *configs, listener=listener, control=control)
    network = reconstruct(handle.model, part, configs[3])
    spent = network.seconds + (0.0 if trained else handle.seconds)
    network = network.replace(seconds=spent)
    yield "Network", network, spent
    if control is not None and control.stopping:
        return
    short = refinement.replace(epochs=max(1, refinement.epochs // SHORT))
    both = refine(part, network, short, listener=listener, control=control)
    yield "Network, then iterative", both, spent + both.seconds


def _judge(result: Reconstruction, seconds: float, scan: Scan, judged: NDArray[np.int64], loss: str) -> Row:
    """Held-out misfit a pattern and R, both by the exact cut at the scan's own positions."""
    whole = result.replace(positions=scan.positions)
    each = np.array([whole.misfit(scan, loss, judged[k : k + 1]) for k in range(len(judged))])
    return Row(result, seconds, each, whole.r_factor(scan))


def _verdict(rows: dict[str, Row]) -> tuple[str, str]:
    """The name of the method to go on with, and the sentence."""
    usable = {name: row for name, row in rows.items() if row.result.state is not State.DIVERGED and np.isfinite(row.held_out).all()}
    ranked = sorted(usable, key=lambda name: float(usable[name].held_out.mean()))
    best = ranked[0]
    ties = [name for name in ranked if not _differ(usable[best].held_out, usable[name].held_out)]
    if len(ties) > 1:
        quickest = min(ties, key=lambda name: usable[name].seconds)
        names = " and ".join(ties) if len(ties) == 2 else ", ".join(ties)
        return quickest, f"Undecided: {names} explain the held-out patterns equally well; {quickest} took least time."
    return best, f"{best} explains the held-out patterns best."


def _differ(best: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    difference = other - best
    error = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return bool(difference.mean() > CLEAR * error)


def _finished(winner: Reconstruction, scan: Scan, refinement: RefinementConfig) -> Reconstruction:
    """The winner on all patterns: a few more epochs that include those held out."""
    begin = winner.replace(positions=scan.positions, optimiser={})
    if winner.method == "Network":
        return begin
    short = refinement.replace(epochs=max(1, refinement.epochs // SHORT), learning_rate=refinement.learning_rate / 4)
    last = refine(scan, begin, short)
    return last.replace(method=winner.method, history=winner.history, seconds=winner.seconds + last.seconds)
