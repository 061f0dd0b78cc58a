"""How long a run takes, from a few of its own steps."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.dataset import Loaders, loaders
from ptycho_nb.history import Control, History
from ptycho_nb.quick_look.look import middle
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import passes, refine
from ptycho_nb.refinement.start import held_out
from ptycho_nb.scan import Scan
from ptycho_nb.training import Training, train

STEPS = 11  # the first of them to warm up
STILL = 4  # first steps of a fit, in which only the object moves
PATIENCE = 0.8  # s after which fewer steps must do
LIMIT = 2.5  # s after which one must do
JUDGED = 3  # validation batches timed
FEWEST, STITCHED = 16, 256  # patterns put together, at least and at most, to time the rest
FORWARD = 1 / 3  # of a training step is the way forward
LARGE = 1 << 23  # detector pixels in all beyond which a part of the scan is timed


@dataclass(frozen=True)
class Part:
    """What one fit will take: seconds, NaN if none were timed, and steps."""

    seconds: float
    steps: int
    steps_per_epoch: int
    seconds_per_step: float


class Watch(L.Callback):
    """Notes when steps, epochs and validation batches end, and stops the run once it has seen enough.

    A listener for ``refine``, a callback for a Trainer.
    """

    def __init__(self, asked: Control, *, fewest: int = 2, most: int = STEPS) -> None:
        super().__init__()
        self.asked, self.fewest, self.most = asked, fewest, most
        self.control = Control()
        self.began = self._last = time.perf_counter()
        self.steps: list[float] = []
        self.ends: list[float] = []  # of epochs
        self.judged: list[float] = []
        self._epochs = 0

    def __call__(self, history: History) -> None:
        spent = self._spent()
        if history.epochs > self._epochs:
            self._epochs = history.epochs
            self.ends.append(spent)
        elif len(history.steps) > len(self.steps):
            self.steps.append(spent)
        self._stop_in_time(len(self.steps) >= self.most)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor | Mapping[str, Any] | None, batch: Any, batch_idx: int
    ) -> None:
        self.steps.append(self._spent())
        self._stop_in_time()

    def on_validation_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._spent()

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.judged.append(self._spent())
        self._stop_in_time(len(self.judged) >= JUDGED)

    @property
    def preparation(self) -> float:
        """Seconds before the first step, as if that had taken as long as the others [s]."""
        return self.steps[0] - self.step() if self.steps else 0.0

    def step(self, first: int = 1, last: int | None = None) -> float:
        """Median of some steps, the others' where they were not reached [s]; NaN without any."""
        some = self.steps[first:last] or self.steps
        return float(np.median(some)) if some else math.nan

    def _stop_in_time(self, enough: bool = False) -> None:
        late = sum(self.steps[1:]) > PATIENCE and len(self.steps) >= self.fewest
        too_late = time.perf_counter() - self.began > LIMIT and bool(self.steps)
        if enough or late or too_late or self.asked.stopping:
            self.control.stop()

    def _spent(self) -> float:
        before, self._last = self._last, time.perf_counter()
        return self._last - before


def iterative(scan: Scan, config: RefinementConfig, *, control: Control) -> Part:
    """The iterative fit, its first steps with the probe at rest and then with all that moves."""
    whole, size = passes(config, scan)
    per_epoch = math.ceil((scan.M - len(held_out(scan, config.holdout, config.seed))) / size)
    still = min(per_epoch * whole, math.ceil(per_epoch * whole * config.probe_start))
    part = scan.select(_spread(scan, (STILL + STEPS) * size)) if _large(scan) else scan
    planned = math.ceil((part.M - len(held_out(part, config.holdout, config.seed))) / size)
    epochs = math.ceil((STILL + STEPS) / planned)
    watch = Watch(control, fewest=STILL + 2, most=STILL + STEPS)
    trial = config.replace(epochs=epochs, batch_size=size, probe_start=STILL / (epochs * planned), time_limit=None)
    began = time.perf_counter()
    refine(part, config=trial, listener=watch, control=watch.control)
    rest = time.perf_counter() - began - sum(watch.steps) - sum(watch.ends)
    moving = watch.step(STILL + 1)
    steps = still * watch.step(1, STILL) + (per_epoch * whole - still) * moving
    larger = scan.M / part.M
    ends = whole * larger * float(np.median(watch.ends)) if watch.ends else 0.0
    fitting = min(steps + ends, config.time_limit or math.inf)
    seconds = fitting + larger * max(0.0, watch.preparation) + max(0.0, rest)
    return Part(seconds, per_epoch * whole, per_epoch, moving)


def network(
    scan: Scan, training: TrainingConfig, model: ModelConfig, data: DataConfig, inference: InferenceConfig, *, control: Control
) -> Part:
    """Training and reconstruction: an epoch cut to a few steps and judged on a few batches, then some patches put together."""
    whole = _counted(scan, training, data)
    steps, judged = len(whole.train), 0 if whole.val is None else len(whole.val)
    part = scan.select(middle(scan, _enough(scan, training, data))) if _large(scan) else scan
    fewer = data if part is scan else data.replace(n_subsample=None)
    size = min(STEPS, steps) * whole.train.batch_groups
    brief = training.replace(epochs=math.ceil(STEPS / steps), time_limit=None, early_stop=None)
    watch = Watch(control)
    trial = fewer.replace(n_groups=size) if steps > STEPS else fewer
    found = train(part, brief, model, trial, inference, control=watch.control, callbacks=[watch])
    each = float(np.median(watch.judged)) if watch.judged else FORWARD * watch.step()
    fitting = training.epochs * (steps * watch.step() + judged * each)
    fitting = min(fitting, training.time_limit or math.inf)
    prepared = max(0.0, watch.preparation) * scan.M / part.M
    pattern = FORWARD * watch.step() / (whole.train.batch_groups * data.C)
    seconds = prepared + fitting + _stitching(found, scan, inference, pattern, control)
    return Part(seconds, steps * training.epochs, steps, watch.step())


def _stitching(found: Training, scan: Scan, inference: InferenceConfig, pattern: float, control: Control) -> float:
    """Seconds in which the patches of all patterns are predicted and put together, from those of some: a pattern takes ``pattern``."""
    if control.stopping:
        return math.nan
    some = middle(scan, int(np.clip(PATIENCE / 2 / pattern, FEWEST, STITCHED)))
    return reconstruct(found.model, scan.select(some), inference).seconds * scan.M / len(some)


def _counted(scan: Scan, training: TrainingConfig, data: DataConfig) -> Loaders:
    return loaders(scan, data, batch_size=training.batch_size, seed=training.seed)


def _large(scan: Scan) -> bool:
    return scan.M * scan.N**2 > LARGE


def _enough(scan: Scan, training: TrainingConfig, data: DataConfig) -> int:
    """Patterns that make the steps timed, and hold out enough to judge."""
    return min(scan.M, 2 * STEPS * max(training.batch_size, data.C))


def _spread(scan: Scan, count: int) -> NDArray[np.int64]:
    """Indices of patterns all over the scan, the outermost among them: they need the object's whole array."""
    ends = [end(scan.positions[:, axis]) for end in (np.argmin, np.argmax) for axis in range(2)]
    return np.unique([*np.linspace(0, scan.M - 1, min(count, scan.M)).astype(int), *ends]).astype(np.int64)
