"""What a training leaves: the model, its history, and what it takes to go on."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from ptycho_nb.dataset import GroupLoader
from ptycho_nb.errors import InputError
from ptycho_nb.files import shown
from ptycho_nb.history import State
from ptycho_nb.history.callback import History
from ptycho_nb.model import PtychoPINN
from ptycho_nb.storage import read_tensors, write_tensors

OptimiserState = dict[int, dict[str, Tensor]]  # by the parameter's place in the network


@dataclass
class Standing:
    """Where a training stands: enough to go on as if it had never stopped.

    Attributes
    ----------
    epoch : int
        Epochs completed.
    batches : int
        Steps into the next epoch.
    steps : int
        Steps in all.
    planned : int
        Epochs that the run was to reach.
    optimiser : dict
        The optimiser's tensors.
    plateau : dict
        The state of the plateau schedule, and its learning rate; empty for the others.
    """

    epoch: int = 0
    batches: int = 0
    steps: int = 0
    planned: int = 0
    optimiser: OptimiserState = field(default_factory=dict)
    plateau: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Training:
    """A model that was trained on a scan.

    Attributes
    ----------
    model : PtychoPINN
        With the weights of the last finite state.
    history : History
        Losses by epoch and step.
    train_loader, val_loader : GroupLoader or None
        What it learned from; None after ``load``.
    standing : Standing
        Where ``train(scan, resume_from=...)`` goes on.
    seconds : float
        Wall time of the training [s], pauses left out, resumed parts together.
    """

    model: PtychoPINN
    history: History
    train_loader: GroupLoader | None
    val_loader: GroupLoader | None
    standing: Standing
    seconds: float

    @property
    def state(self) -> State:
        """How it ended: done, stopped or diverged."""
        return self.history.state

    def __repr__(self) -> str:
        last = self.history["train_loss"][-1:]
        loss = f", training loss {last[0]:.4g}" if last else ""
        return f"<Training: {self.state} after {self.standing.epoch} epochs, {self.seconds:.1f} s{loss}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write model, history and optimiser to one safetensors file, whole or not at all."""
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        for place, parts in self.standing.optimiser.items():
            tensors.update({f"optimiser.{place}.{name}": tensor for name, tensor in parts.items()})
        standing = {name: value for name, value in vars(self.standing).items() if name != "optimiser"}
        head = {"settings": self.model.settings(), "history": self.history.to_dict(), "standing": standing, "seconds": self.seconds}
        write_tensors(path, "training", tensors, head)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The training that ``save`` wrote, without its loaders.

        Raises
        ------
        InputError
            Not such a file, one of another version, or its tensors do not fit its settings.
        """
        stored = read_tensors(path, "training")
        model = PtychoPINN.restore(stored, shown(path)).eval()
        optimiser: OptimiserState = {}
        try:
            for name, tensor in stored.part("optimiser").items():
                place, part = name.split(".", 1)
                optimiser.setdefault(int(place), {})[part] = tensor
            standing = Standing(**stored.head["standing"], optimiser=optimiser)
            return cls(model, History.from_dict(stored.head["history"]), None, None, standing, float(stored.head["seconds"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{shown(path)} lacks parts of a training of this ptycho_nb; save it with the same release.") from error


def copied(state: OptimiserState) -> OptimiserState:
    """The same numbers in their own memory: an optimiser works in place."""
    return {place: {name: torch.clone(tensor) for name, tensor in parts.items()} for place, parts in state.items()}
