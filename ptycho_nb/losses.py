"""How badly expected photons explain measured ones; the least value is at the truth.

Each loss takes expected and measured photons (..., N, N) and a mask that broadcasts
with them (True where a pixel counts) and gives the mean over the believed pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

FLOOR = 1e-3  # photons; the gradient of y log(I + floor) at I = 0 is y/floor: 1e3 a photon here, 1e12 for a floor of 1e-12


def poisson(expected: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood of Poisson counts over its least value, a floor expected in each pixel besides.

    E - y - y log(E / y) with E = I + floor: never negative, and at most the floor for a perfect fit.

    References
    ----------
    Thibault & Guizar-Sicairos, New J. Phys. 14, 063004 (2012), eq. 4.
    """
    photons = expected + FLOOR
    nothing = torch.finfo(photons.dtype).eps / 2 - 1  # as good as no photon measured: 0 log 0 is 0
    excess = ((measured - photons) / photons).clamp(min=nothing)  # the difference first, which float32 holds exactly if small
    misfit = photons * ((1 + excess) * torch.log1p(excess) - excess)
    return _believed(misfit, mask)


def amplitude(expected: Tensor, measured: Tensor, mask: Tensor) -> Tensor:
    """Squared difference of the amplitudes, (sqrt(I + floor) - sqrt(y + floor))².

    The variance-stabilised Gaussian form of ``poisson`` for many photons.

    References
    ----------
    Thibault & Guizar-Sicairos, New J. Phys. 14, 063004 (2012), eq. 9; Fienup, Appl. Opt. 21, 2758 (1982).
    """
    misfit = ((expected + FLOOR).sqrt() - (measured + FLOOR).sqrt()).square()
    return _believed(misfit, mask)


def _believed(misfit: Tensor, mask: Tensor) -> Tensor:
    weight = mask.to(misfit.dtype).expand_as(misfit)
    return torch.where(mask, misfit, torch.zeros((), dtype=misfit.dtype, device=misfit.device)).sum() / weight.sum().clamp(min=1)


def total_variation(patches: Tensor) -> Tensor:
    """Mean absolute step between neighbouring pixels of complex patches (..., N, N).

    References
    ----------
    Rudin, Osher & Fatemi, Physica D 60, 259 (1992); anisotropic form.
    """
    return patches.diff(dim=-2).abs().mean() + patches.diff(dim=-1).abs().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"poisson": poisson, "amplitude": amplitude}
