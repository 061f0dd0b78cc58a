"""What a training hangs on its Trainer beside the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ptycho_nb.config import TrainingConfig
from ptycho_nb.history import State
from ptycho_nb.history.callback import History
from ptycho_nb.quantities import several
from ptycho_nb.training.result import OptimiserState, Standing


class Position(L.Callback):
    """Puts an earlier optimiser's state into the new fit, counts its steps, and holds on to the later state."""

    def __init__(self, start: Standing, history: History, learning_rate: float) -> None:
        self.start, self.history, self.learning_rate = start, history, learning_rate
        self.done = 0
        self.trainer: L.Trainer | None = None

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.trainer = trainer
        if not self.start.optimiser:
            return
        optimizer = trainer.optimizers[0]
        optimizer.load_state_dict({"state": self.start.optimiser, "param_groups": optimizer.state_dict()["param_groups"]})
        kept = self.start.plateau
        for plateau in _plateaus(trainer):
            if kept and kept["learning_rate"] == self.learning_rate:
                plateau.load_state_dict(kept["state"])
                optimizer.param_groups[0]["lr"] = kept["now"]

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor | Mapping[str, Any] | None, batch: Any, batch_idx: int
    ) -> None:
        self.done += self.history.state is not State.DIVERGED

    def standing(self, per_epoch: int) -> Standing:
        """Where the training stands after the fit, with epochs of so many steps."""
        assert self.trainer is not None
        optimizer = self.trainer.optimizers[0]
        state: OptimiserState = optimizer.state_dict()["state"]
        epochs, batches = divmod(self.start.batches + self.done, per_epoch)
        now = float(optimizer.param_groups[0]["lr"])
        states = [{"learning_rate": self.learning_rate, "now": now, "state": p.state_dict()} for p in _plateaus(self.trainer)]
        steps, planned = self.start.steps + self.done, self.start.planned
        return Standing(self.start.epoch + epochs, batches, steps, planned, state, states[0] if states else {})


def _plateaus(trainer: L.Trainer) -> list[ReduceLROnPlateau]:
    return [c.scheduler for c in trainer.lr_scheduler_configs if isinstance(c.scheduler, ReduceLROnPlateau)]


class Limits(L.Callback):
    """Ends a training after a time, or when the loss that is watched has long been no better; an earlier run counts for neither."""

    def __init__(self, history: History, config: TrainingConfig, watched: str) -> None:
        self.history, self.patience, self.watched = history, config.early_stop, watched
        self.first = history.epochs
        before = history.seconds[-1] if history.seconds else 0.0
        self.end = before + config.time_limit if config.time_limit else float("inf")

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor | Mapping[str, Any] | None, batch: Any, batch_idx: int
    ) -> None:
        if self.history.elapsed >= self.end:
            self.history.cut_short("The time limit was reached.")
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        judged = self.history.metrics.get(self.watched, [])[self.first :]
        if self.patience is not None and judged and len(judged) - 1 - judged.index(min(judged)) >= self.patience:
            self.history.message = f"No better {LOSSES[self.watched]} loss for {several(self.patience, 'epoch')}."
            trainer.should_stop = True


LOSSES = {"train_loss": "training", "val_loss": "validation"}
