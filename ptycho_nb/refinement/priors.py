"""What is believed of an object before any photon: neighbouring pixels are mostly alike.

A fit with a prior seeks the most probable object given the photons. The prior's weight follows the
root of the photons of an object pixel, so that it takes off what the photon noise could have put in, and
where photons abound, next to nothing. Total variation keeps edges.

References
----------
Total variation: Rudin, Osher & Fatemi, Physica D 60, 259 (1992). In a likelihood of photons:
Thibault & Guizar-Sicairos, New J. Phys. 14, 063004 (2012), sec. 3.3. Weight over noise: Donoho &
Johnstone, Biometrika 81, 425 (1994), a threshold in proportion to the standard deviation.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptycho_nb.config import RefinementConfig
from ptycho_nb.metrics import step

SOFT = 1e-2  # of the object's RMS: the step below which total variation is quadratic, so that it has a slope at zero
NATS = {"poisson": 1.0, "amplitude": 2.0}  # negative log-likelihood over the engine's misfit; the amplitude's for many photons
HALF = 0.5  # the engine's gradients are half the slope of the misfit
EVERY = 12  # steps between two pulls, each twelve times as strong: a pull costs more than a step, and its strength is what counts


class Prior:
    """The pull of total variation on the object of one fit.

    Parameters
    ----------
    weight : float
        Of the total variation of the object over its RMS, in units of the negative log-likelihood.
    patterns : int
        In the whole fit: a step on some of them takes their share of the weight.
    loss : "amplitude" or "poisson"
    """

    def __init__(self, weight: float, *, patterns: int, loss: str) -> None:
        self.share = HALF * weight * EVERY / (patterns * NATS[loss])

    def pull(self, gradient: Tensor, object: Tensor, *, chosen: int, number: int) -> None:
        """Add the prior's slope to the gradient (H, W, 2) of a step on ``chosen`` patterns, in each twelfth step by ``number``."""
        if number % EVERY == 0:
            gradient.add_(torch.view_as_real(scale_free_slope(object)), alpha=self.share * chosen)


def prior(config: RefinementConfig, positions: NDArray[np.float64], *, photons: float, patterns: int) -> Prior | None:
    """The total variation asked for, for patterns of so many photons at positions (M, 2); None at zero, and for a single place."""
    if not config.total_variation or len(np.unique(positions, axis=0)) < 2:
        return None
    of_a_pixel = photons / step(positions) ** 2  # of the object
    return Prior(config.total_variation * math.sqrt(of_a_pixel), patterns=patterns, loss=config.loss)


def total_variation(object: Tensor) -> float:
    """Sum over pixels of the step to the next row and column, sqrt(|down|² + |along|² + SOFT²) - SOFT."""
    down, along = _steps(object)
    return float((_length(down, along) - SOFT).sum())


def total_variation_slope(object: Tensor) -> Tensor:
    """Its slope (H, W), the real part by the real part and the imaginary by the imaginary."""
    down, along = _steps(object)
    length = _length(down, along)
    return _steps_adjoint(down.div_(length), along.div_(length))


def scale_free_slope(object: Tensor) -> Tensor:
    """The slope of the total variation of ``object`` over its RMS: none along the scale, which the probe could take over."""
    rms = torch.linalg.vector_norm(torch.view_as_real(object)) / math.sqrt(object.numel())
    unit = object / rms
    slope = total_variation_slope(unit)
    along = torch.dot(torch.view_as_real(slope).flatten(), torch.view_as_real(unit).flatten()) / object.numel()
    return slope.sub_(along * unit).div_(rms)


def _length(down: Tensor, along: Tensor) -> Tensor:
    parts = (down.real, down.imag, along.real, along.imag)
    return sum((part.square() for part in parts), torch.tensor(SOFT**2)).sqrt_()


def _steps(object: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the next row and to the next column, zero at the last ones."""
    down, along = torch.zeros_like(object), torch.zeros_like(object)
    torch.sub(object[1:], object[:-1], out=down[:-1])
    torch.sub(object[:, 1:], object[:, :-1], out=along[:, :-1])
    return down, along


def _steps_adjoint(down: Tensor, along: Tensor) -> Tensor:
    """The adjoint of ``_steps`` on what it gives: the last row of ``down`` and the last column of ``along`` are zero."""
    total = -down - along
    total[1:] += down[:-1]
    total[:, 1:] += along[:, :-1]
    return total
