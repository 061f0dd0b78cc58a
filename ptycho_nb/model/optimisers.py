"""Rules of the step, and courses of the learning rate as plain functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch.nn import Parameter

from ptycho_nb.config import TrainingConfig

BETAS = (0.9, 0.99)
MOMENTUM = 0.9
EXPONENTIAL_END = 0.01  # share of the learning rate left after the last step

Optimizer = torch.optim.Optimizer


def _adam(parameters: Iterable[Parameter], config: TrainingConfig) -> Optimizer:
    return torch.optim.Adam(parameters, config.learning_rate, BETAS, weight_decay=config.weight_decay, fused=True)


def _adamw(parameters: Iterable[Parameter], config: TrainingConfig) -> Optimizer:
    return torch.optim.AdamW(parameters, config.learning_rate, BETAS, weight_decay=config.weight_decay, fused=True)


def _sgd(parameters: Iterable[Parameter], config: TrainingConfig) -> Optimizer:
    return torch.optim.SGD(parameters, config.learning_rate, MOMENTUM, weight_decay=config.weight_decay, nesterov=True)


def constant(step: int, total: int, warmup: float) -> float:
    """The whole learning rate, always."""
    return 1.0


def warmup_cosine(step: int, total: int, warmup: float) -> float:
    """A straight rise over the share ``warmup`` of the steps, then half a cosine down to zero.

    References
    ----------
    Loshchilov & Hutter, ICLR 2017 (arXiv:1608.03983), eq. 5, without restarts.
    """
    rise = max(1, round(warmup * total))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise))))


def exponential(step: int, total: int, warmup: float) -> float:
    """The same factor each step, down to ``EXPONENTIAL_END`` at the end."""
    return float(EXPONENTIAL_END ** (step / max(1, total)))


OPTIMIZERS: dict[str, Callable[[Iterable[Parameter], TrainingConfig], Optimizer]] = {"adam": _adam, "adamw": _adamw, "sgd": _sgd}
SCHEDULES: dict[str, Callable[[int, int, float], float]] = {
    "constant": constant,
    "warmup_cosine": warmup_cosine,
    "exponential": exponential,
}
