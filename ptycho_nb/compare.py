"""The three ways to an object, side by side on one scan, judged on patterns that none of them saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.history import Control, Listener, State
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import passes, refine
from ptycho_nb.refinement.start import held_out
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.training import Training, train

HELD_OUT = 0.05  # share of the patterns that judge
CLEAR = 2.0  # standard errors of the paired difference below which two methods do not differ
SHORT = 3  # times fewer iterative epochs after a network than from a flat start


def short(epochs: int) -> int:
    """Iterative epochs after a network, where a flat start takes ``epochs``."""
    return max(1, epochs // SHORT)


Configs = tuple[TrainingConfig | None, ModelConfig | None, DataConfig | None, InferenceConfig | None]


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

    @property
    def epochs(self) -> str:
        """How many were planned: of the training, of the fit, or of both one after the other."""
        return " + ".join(str(self.result.settings[part]["epochs"]) for part in ("training", "refinement") if part in self.result.settings)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Reconstruction):
    """The winning method's reconstruction from all patterns, and how it won.

    Where the best methods do not differ clearly it is the quickest of them.

    Attributes
    ----------
    rows : dict of str to Row
        "Iterative", "Network", "Network, then iterative": those that were run.
    judged : int64, shape (K,)
        Indices of the held-out patterns.
    loss : str
        The misfit that judged: "amplitude" or "poisson".
    verdict : str
        Which is best, in a sentence; "Undecided" where the best do not differ clearly.
    training : Training or None
        The network's, to reconstruct similar scans with or to resume from.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    judged: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    loss: str = "poisson"
    verdict: str = ""
    training: Training | None = None

    def __str__(self) -> str:
        lines = [f"{'method':24} {'epochs':>9} {'seconds':>8} {'held-out ' + self.loss + ' misfit':>26} {'R':>8}"]
        for name, row in self.rows.items():
            lines.append(f"{name:24} {row.epochs:>9} {row.seconds:8.1f} {row.held_out.mean():26.4f} {row.r_factor:8.4f}")
        return "\n".join([*lines, self.verdict])


def compare(
    scan: Scan,
    refinement: RefinementConfig | None = None,
    *,
    training: TrainingConfig | None = None,
    model: ModelConfig | None = None,
    data: DataConfig | None = None,
    inference: InferenceConfig | None = None,
    listener: Listener | None = None,
    control: Control | None = None,
    resume_from: Comparison | None = None,
) -> Comparison:
    """Network, iterative, and network then iterative on the same patterns, a few held out to judge.

    Parameters
    ----------
    scan : Scan
    refinement : RefinementConfig, optional
        Of the iterative fit from flat; after the network it runs a third of the epochs. Its
        loss judges all three.
    training, model, data, inference : optional
        Of the network, which learns by the loss of ``training``, with the scan's own probe as it is.
    listener, control : optional
        As for ``train`` and ``refine``, for each run in turn. A stop ends the comparison; methods
        that have not begun are left out.
    resume_from : Comparison, optional
        An earlier one of the same scan: methods that reached their end are kept, one that was
        stopped goes on to its end, and those left out are run.

    Raises
    ------
    ConfigError
        The scan is too small to hold patterns out, or positions were to be fitted.
    InputError
        No method ended with finite numbers, or ``resume_from`` is of another scan.
    """
    refinement = (refinement or RefinementConfig.preset("best")).replace(holdout=0.0)
    if refinement.refine_brightness:
        raise ConfigError("RefinementConfig.refine_brightness is true; that of held-out patterns could not be fitted: set it to false.")
    if refinement.refine_positions:
        raise ConfigError("RefinementConfig.refine_positions is true; positions of held-out patterns could not be fitted: set it to false.")
    judged = held_out(scan, HELD_OUT, refinement.seed)
    if len(judged) < 2:
        raise ConfigError(f"The scan has {scan.M} patterns; comparing holds out 5 % and needs at least 30.")
    if resume_from is not None and not np.array_equal(resume_from.judged, judged):
        raise InputError("resume_from holds out other patterns: it is of another scan or seed; compare anew.")
    contest = _Contest(scan, judged, refinement, (training, model, data, inference), listener, control or Control())
    return contest.settle(resume_from)


class _Contest:
    """One comparison under way."""

    def __init__(
        self,
        scan: Scan,
        judged: NDArray[np.int64],
        refinement: RefinementConfig,
        configs: Configs,
        listener: Listener | None,
        control: Control,
    ) -> None:
        self.scan, self.judged, self.refinement, self.configs = scan, judged, refinement, configs
        self.listener, self.control = listener, control
        self.part = scan.select(np.setdiff1d(np.arange(scan.M), judged))
        self.loss = refinement.loss
        self.training: Training | None = None

    def settle(self, earlier: Comparison | None) -> Comparison:
        """Run what is to be run, judge, and run the winner on all patterns."""
        done = {} if earlier is None else earlier.rows
        self.training = None if earlier is None else earlier.training
        rows: dict[str, Row] = {}
        for result in self._results({name: row.result for name, row in done.items()}):
            rows[result.method] = self._judge(result)
            if self.control.stopping:
                break
        name, verdict = _verdict(rows)
        winner = rows[name].result
        if self.control.stopping:
            verdict = f"Stopped after {', '.join(rows)}; {name} has the lowest held-out misfit so far."
        best = self._finished(winner)
        return Comparison(**vars(best), rows=rows, judged=self.judged, loss=self.loss, verdict=verdict, training=self.training)

    def _results(self, done: dict[str, Reconstruction]) -> Iterator[Reconstruction]:
        yield self._kept(done.get("Iterative")) or self._refined(None, self.refinement, done.get("Iterative"))
        network = self._kept(done.get("Network")) or self._network()
        yield network
        both = done.get("Network, then iterative")
        yield self._kept(both) or self._refined(network, self._short(), both)

    def _kept(self, result: Reconstruction | None) -> Reconstruction | None:
        return result if result is not None and result.state is State.DONE else None

    def _refined(self, start: Reconstruction | None, config: RefinementConfig, stopped: Reconstruction | None) -> Reconstruction:
        if stopped is not None and stopped.optimiser and stopped.history is not None:
            config = config.replace(epochs=max(1, passes(config, self.part).epochs - stopped.history.epochs))
            found = refine(self.part, config=config, listener=self.listener, control=self.control, resume_from=stopped)
        else:
            found = refine(self.part, start, config, listener=self.listener, control=self.control)
        return found.replace(seconds=found.seconds + (start.seconds if start is not None else 0.0))

    def _network(self) -> Reconstruction:
        config, model, data, inference = self.configs
        if config is not None and self.training is not None:
            config = config.replace(epochs=max(1, config.epochs - self.training.standing.epoch))
        training = self.training = train(
            self.part, config, model, data, inference, listener=self.listener, control=self.control, resume_from=self.training
        )
        found = reconstruct(training.model, self.part, inference)
        return found.replace(state=training.state, history=training.history, seconds=found.seconds + training.seconds)

    def _judge(self, result: Reconstruction) -> Row:
        """Held-out misfit a pattern and R, both by the exact cut at the scan's own positions."""
        whole = result.replace(positions=self.scan.positions)
        each = np.array([whole.misfit(self.scan, self.loss, self.judged[k : k + 1]) for k in range(len(self.judged))])
        return Row(result, result.seconds, each, whole.r_factor(self.scan))

    def _finished(self, winner: Reconstruction) -> Reconstruction:
        """The winning method once more, on all patterns; the network as trained. After a stop, what there is."""
        if self.control.stopping:
            return winner.replace(positions=self.scan.positions, optimiser={})
        if winner.method == "Iterative":
            return refine(self.scan, config=self.refinement, listener=self.listener, control=self.control)
        assert self.training is not None  # the two other methods have one
        network = reconstruct(self.training.model, self.scan, self.configs[3])
        if winner.method == "Network":
            return network.replace(history=winner.history, seconds=network.seconds + self.training.seconds)
        found = refine(self.scan, network, self._short(), listener=self.listener, control=self.control)
        return found.replace(seconds=found.seconds + network.seconds + self.training.seconds)

    def _short(self) -> RefinementConfig:
        return self.refinement.replace(epochs=short(passes(self.refinement, self.part).epochs))


def _verdict(rows: dict[str, Row]) -> tuple[str, str]:
    """The name of the method to go on with, and the sentence."""
    usable = {name: row for name, row in rows.items() if row.result.state is not State.DIVERGED and np.isfinite(row.held_out).all()}
    if not usable:
        raise InputError(f"Of {', '.join(rows)} none ended with finite numbers; lower the learning rates, or look at checks(scan).")
    ranked = sorted(usable, key=lambda name: float(usable[name].held_out.mean()))
    best = ranked[0]
    ties = [name for name in ranked if not _differ(usable[best].held_out, usable[name].held_out)]
    if len(ties) > 1:
        quickest = min(ties, key=lambda name: usable[name].seconds)
        return quickest, f"Undecided: {' and '.join(ties)} explain the held-out patterns equally well; {quickest} took least time."
    return best, f"{best} explains the held-out patterns best."


def _differ(best: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether the mean of the paired differences is clear of zero."""
    difference = other - best
    error = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return bool(difference.mean() > CLEAR * error)
