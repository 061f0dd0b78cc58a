"""The optimiser of the iterative fit."""

from __future__ import annotations

import torch
from torch import Tensor


class Adam:
    """Adam on one array in place, by the kernel alone: the bookkeeping of an optimiser class would be a fifth of a step here.

    References
    ----------
    Kingma & Ba, ICLR 2015, algorithm 1.
    """

    BETAS = (0.75, 0.98)

    def __init__(self, values: Tensor) -> None:
        self.values, self.gradient = values, torch.zeros_like(values)
        self.mean, self.square = torch.zeros_like(values), torch.zeros_like(values)
        self.steps = torch.zeros((), device=values.device)

    def forget(self) -> None:
        """Begin anew, as if no step had been made."""
        for array in (self.mean, self.square, self.steps):
            array.zero_()

    def move(self, rate: float, rows: list[int] | None = None) -> None:
        """Step against the gradient, no value by much more than ``rate``; only some rows if they are named."""
        arrays = [self.values, self.gradient, self.mean, self.square]
        chosen = arrays if rows is None else [array[rows] for array in arrays]
        values, gradient, mean, square = chosen
        self.steps += 1
        torch._fused_adam_(  # what torch.optim.adam.adam(fused=True) calls
            [values],
            [gradient],
            [mean],
            [square],
            [],
            [self.steps],
            lr=rate,
            beta1=self.BETAS[0],
            beta2=self.BETAS[1],
            weight_decay=0.0,
            eps=1e-12,
            amsgrad=False,
            maximize=False,
        )
        if rows is not None:
            for array, moved in zip(arrays, chosen, strict=True):
                array[rows] = moved
