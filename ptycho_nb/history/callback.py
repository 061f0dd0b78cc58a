"""The history that a Trainer fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from torch import Tensor

from ptycho_nb.history import record
from ptycho_nb.history.control import Control, State
from ptycho_nb.history.record import LOSS, VALIDATION, Listener


class History(record.History, L.Callback):
    """Each logged metric by epoch and the loss by step, as a callback for any ``Trainer``; tells a listener, obeys its Control.

    It stands apart from the numbers that it notes, since Lightning takes seconds to load.
    """

    def __init__(self, listener: Listener | None = None, control: Control | None = None) -> None:
        super().__init__(listener, control)
        self._loss = 0.0

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.begin()
        if self.control.stopping:
            trainer.should_stop = True

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        self._loss = float(loss.detach())

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer) -> None:
        """Drop a step that would ruin the weights, and end the run.

        Every gradient is summed: one number that is not finite makes the sum so, in a
        hundredth of a step's time, and one number has to come back from a device.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        sums = [p.grad.sum(dtype=torch.promote_types(p.grad.dtype, torch.float32)) for p in parameters if p.grad is not None]
        if not math.isfinite(self._loss):
            what = f"The loss became {self._loss}"
        elif sums and not bool(torch.stack(sums).isfinite().all()):
            what = "The gradient is no longer finite"
        else:
            return
        self.diverge(what, float(optimizer.param_groups[0]["lr"]))
        optimizer.zero_grad(set_to_none=True)  # no gradient, no step: the weights stay as they are
        trainer.should_stop = True

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Tensor | Mapping[str, Any] | None, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get(LOSS, outputs.get("loss")) if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            self.record_step(LOSS, float(loss))
        if not self.keep_going():
            trainer.should_stop = True  # never write False: others may have asked to stop

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """A stop does not wait for the rest of the validation: the Trainer ends the loop on StopIteration."""
        if not self.keep_going() or self._state is State.DIVERGED:
            trainer.should_stop = True
            raise StopIteration

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if VALIDATION in trainer.callback_metrics and not trainer.sanity_checking and self._state is State.RUNNING:
            self.validation.append((len(self.steps), float(trainer.callback_metrics[VALIDATION])))

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_last_batch and self._state is State.RUNNING:  # an epoch cut short has no mean
            numbers = {name: float(value) for name, value in trainer.callback_metrics.items()}
            rates = {"learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"])} if trainer.optimizers else {}
            self._complete(numbers | rates)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._state is State.RUNNING and (trainer.should_stop or not self.more_to_come):
            early = trainer.should_stop and (self._cut or self.control.stopping or not trainer.is_last_batch)
            self.state = State.STOPPED if early else State.DONE
        self.tell()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.state = State.STOPPED if isinstance(exception, KeyboardInterrupt) else State.FAILED
        self.message = str(exception)
