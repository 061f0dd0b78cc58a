"""The engine of the iterative fit: one step on a batch of patterns, with analytic gradients.

The object is cut at whole pixels and the probe shifted by the rest (``shifts``), so a
sub-pixel position costs no interpolation of the object. Arrays in Fourier space keep
zero frequency at the corner, and transforms are unscaled with 1/N held by the probe.

References
----------
Gradients: Guizar-Sicairos & Fienup, Opt. Express 16, 7264 (2008), eqs. 7-12.
Adam: Kingma & Ba, ICLR 2015. Incoherent modes: Thibault & Menzel, Nature 494, 68 (2013).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from ptycho_nb.errors import InputError
from ptycho_nb.losses import FLOOR
from ptycho_nb.patches import illumination
from ptycho_nb.physics import whole_and_rest
from ptycho_nb.refinement.shifts import TERMS, Shifts, affordable


@dataclass(frozen=True)
class Rates:
    """Step sizes of one step: object [transmission], probe [of its maximum], positions [px]; 0 keeps still."""

    object: float
    probe: float
    positions: float


class Fit:
    """Object, probe and positions on the way to the photons.

    Parameters
    ----------
    intensity : float32 Tensor, shape (M, N, N)
        Measured photons, zero frequency at the centre.
    mask : bool Tensor, shape (N, N)
    object : complex64 Tensor, shape (H, W)
        Start. Every patch lies on it.
    probe : complex64 Tensor, shape (P, N, N)
        Start [sqrt(photons)].
    positions : float64 Tensor, shape (M, 2)
        Probe centres on the object's array (row, col) [px].
    loss : "amplitude" or "poisson"
    farthest : float
        No position moves farther from its start than this [px].
    floor : float
        As for ``losses.LOSSES`` [photons].
    """

    def __init__(
        self,
        intensity: Tensor,
        mask: Tensor,
        object: Tensor,
        probe: Tensor,
        positions: Tensor,
        *,
        loss: str,
        farthest: float,
        floor: float = FLOOR,
    ) -> None:
        self.N, self.loss, self.farthest, self.floor = int(probe.shape[-1]), loss, farthest, floor
        photons = torch.fft.ifftshift(intensity, dim=(-2, -1))
        self.measured = photons.add_(self.floor).sqrt_() if loss == "amplitude" else photons  # in place: ifftshift made a copy
        self.mask = None if bool(mask.all()) else torch.fft.ifftshift(mask).to(probe.real.dtype)
        self.object = object.clone()
        self.probe = probe / self.N
        self.start = positions.to(probe.device, probe.real.dtype)
        self.positions = self.start.clone()
        self.probe_peak = float(self.probe.abs().amax())
        self.dropped = affordable(float(probe.abs().square().sum()), self.N)
        self._fields: Tensor | None = None  # the series of the present probe
        self.movers = {
            "object": Adam(torch.view_as_real(self.object)),
            "probe": Adam(torch.view_as_real(self.probe)),
            "positions": Adam(self.positions),
        }
        self.recut()

    def recut(self) -> None:
        """Round the positions anew: whole-pixel patches as views of object and gradient, the rest for the probe."""
        _, rest = whole_and_rest(self.positions, self.N)
        self._cut(self.positions - rest, Shifts(self.probe, rest, dropped=self.dropped))

    def renew(self) -> None:
        """Choose the terms of the shift series anew, for the probe as it is now."""
        self._shifts, self._fields = Shifts(self.probe, self.positions - self._whole), None

    def _cut(self, whole: Tensor, shifts: Shifts) -> None:
        """Patches round whole-pixel positions, the probe shifted by a series made for the rest."""
        self._whole, self._shifts = whole, shifts
        corners = whole.round().long() - self.N // 2
        self._windows = [_window(self.object, corner, self.N) for corner in corners.tolist()]
        gradient = self.movers["object"].gradient
        self._gradient_windows = [_window(gradient, corner, self.N) for corner in corners.tolist()]
        self._fields = None
        self._still = True  # until positions leave what the coefficients were made for

    def fields(self) -> Tensor:
        """The shift series of the present probe, (R, P, N, N), made once a change."""
        if self._fields is None:
            self._fields = self._shifts.fields(self.probe)
        return self._fields

    def exit_waves(self, chosen: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Patches (B, 1, N, N), shifted probes (B, P, N, N) and their products."""
        patches = torch.stack([self._windows[j] for j in chosen]).unsqueeze(1)
        probes = _combine(self._coefficients(chosen), self.fields())
        return patches, probes, patches * probes

    def _coefficients(self, chosen: list[int]) -> Tensor:
        if self._still:
            return self._rows(self._shifts.coefficients, chosen)
        return self._shifts.weigh(self.positions[chosen] - self._whole[chosen])

    def _rows(self, array: Tensor, chosen: list[int]) -> Tensor:
        return array.index_select(0, torch.tensor(chosen, device=array.device))

    def misfit(self, chosen: list[int]) -> float:
        """Mean misfit of some patterns [a pixel], nothing moved."""
        far = torch.fft.fft2(self.exit_waves(chosen)[2])
        return self._misfit(far, self._rows(self.measured, chosen))[0]

    def coverage(self) -> Tensor:
        """Photons (H, W) that fell on each object pixel, in units of the probe as it is now."""
        shape = (self.object.shape[0], self.object.shape[1])
        return illumination(self.probe * self.N, self.positions, shape)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that ``load_state`` needs to go on as if nothing had happened."""
        stored = {"object": self.object, "probe": self.probe, "positions": self.positions, "probe_peak": torch.tensor(self.probe_peak)}
        for name, mover in self.movers.items():
            stored |= {f"{name}_mean": mover.mean, f"{name}_square": mover.square, f"{name}_steps": mover.steps}
        stored |= {"whole": self._whole, "terms": torch.tensor(self._shifts.terms), "still": torch.tensor(self._still)}
        return {name: values.cpu().numpy().copy() for name, values in stored.items()}

    def load_state(self, stored: Mapping[str, NDArray[Any]]) -> None:
        """Go back to a ``state``.

        Raises
        ------
        InputError
            It is of a fit of other sizes.
        """
        own = self.state()
        wrong = [name for name, values in own.items() if name not in stored or (stored[name].shape != values.shape and name != "terms")]
        if wrong or not self._can_cut(stored["whole"], stored["terms"]):
            wrong = wrong or ["its cut"]
            raise InputError(f"The fit to go on with differs in {', '.join(wrong[:3])}; use its own scan, modes and position settings.")
        for target, name in ((self.object, "object"), (self.probe, "probe"), (self.positions, "positions")):
            target.copy_(torch.from_numpy(stored[name]))
        for name, mover in self.movers.items():
            mover.mean.copy_(torch.from_numpy(stored[f"{name}_mean"]))
            mover.square.copy_(torch.from_numpy(stored[f"{name}_square"]))
            mover.steps.copy_(torch.from_numpy(stored[f"{name}_steps"]))
        self.probe_peak = float(stored["probe_peak"])
        whole = torch.from_numpy(stored["whole"]).to(self.positions)
        terms = [(int(row), int(column)) for row, column in stored["terms"]]
        self._cut(whole, Shifts(self.probe, self.positions - whole, terms))
        self._still = bool(stored["still"])

    def _can_cut(self, whole: NDArray[Any], terms: NDArray[Any]) -> bool:
        """Whether stored patches lie on the object and stored terms are of the series."""
        inside = (whole >= self.N // 2) & (whole <= np.subtract(self.object.shape, self.N // 2))
        pairs = terms.ndim == 2 and terms.shape[1] == 2 and len(terms) > 0
        return pairs and bool(inside.all()) and bool(((terms >= 0) & (terms < TERMS)).all())

    def step(self, chosen: list[int], rates: Rates) -> float:
        """Move by one step on patterns ``chosen``; their mean misfit before it [a pixel]. Nothing moves where that is not finite."""
        patches, probes, waves = self.exit_waves(chosen)
        far = torch.fft.fft2(waves)
        misfit, ratio = self._misfit(far, self._rows(self.measured, chosen))
        if not math.isfinite(misfit):
            return misfit
        back = torch.fft.ifft2(torch.mul(far, ratio.unsqueeze(1), out=far), norm="forward")  # unscaled: the adjoint of fft2
        self._object_gradient(chosen, back, probes)
        if rates.probe or rates.positions:
            self._probe_gradient(chosen, back, patches, rates)
        self._move(chosen, rates)
        return misfit

    def _misfit(self, far: Tensor, measured: Tensor) -> tuple[float, Tensor]:
        """Mean misfit and the factor that turns the far field into its gradient."""
        photons = _summed(far.real.square().add_(far.imag.square())).add_(self.floor)
        if self.loss == "amplitude":
            amplitude = photons.sqrt_()
            difference = amplitude - measured
            ratio = difference / amplitude
        else:
            ratio = 1 - measured / photons
            difference = photons - self.floor - measured - measured * torch.log(photons / (measured + self.floor))
        if self.mask is not None:
            ratio.mul_(self.mask)
            difference.mul_(self.mask)
        flat = difference.flatten()
        total = torch.dot(flat, flat) if self.loss == "amplitude" else flat.sum()
        believed = len(measured) * (float(self.mask.sum()) if self.mask is not None else self.N**2)
        return float(total) / believed, ratio

    def _object_gradient(self, chosen: list[int], back: Tensor, probes: Tensor) -> None:
        self.movers["object"].gradient.zero_()
        patches = _summed(back * probes.conj_physical_())  # in place: a lazy conjugate is copied first
        windows, parts = [self._gradient_windows[j] for j in chosen], torch.view_as_real(patches).unbind()
        if patches.is_cuda:  # there a batched addition runs in parallel, and the windows overlap
            for window, part in zip(windows, parts, strict=True):
                window.add_(part)
        else:
            torch._foreach_add_(windows, parts)

    def _probe_gradient(self, chosen: list[int], back: Tensor, patches: Tensor, rates: Rates) -> None:
        exit_gradient = back * patches.conj_physical_()  # (B, P, N, N)
        if rates.positions:
            slopes = self._shifts.slopes(self.positions[chosen] - self._whole[chosen])
            for axis in range(2):
                moved = _combine(slopes[axis], self.fields())
                self.movers["positions"].gradient[chosen, axis] = (exit_gradient * moved.conj()).real.sum((1, 2, 3))
        if rates.probe:
            fields = _combine(self._coefficients(chosen).T, exit_gradient)
            self.movers["probe"].gradient.copy_(torch.view_as_real(self._shifts.fields_adjoint(fields)))

    def _move(self, chosen: list[int], rates: Rates) -> None:
        self.movers["object"].move(rates.object)
        if rates.probe:
            self.movers["probe"].move(rates.probe * self.probe_peak)
            self._fields = None
        if rates.positions:
            self.movers["positions"].move(rates.positions, rows=chosen)
            self.positions.copy_(self.start + (self.positions - self.start).clamp_(-self.farthest, self.farthest))
            self._still = False


class Adam:
    """Adam on one array in place, without the bookkeeping of an optimiser class: a sixth of a step here."""

    BETAS = (0.85, 0.97)

    def __init__(self, values: Tensor) -> None:
        self.values, self.gradient = values, torch.zeros_like(values)
        self.mean, self.square = torch.zeros_like(values), torch.zeros_like(values)
        self.steps = torch.zeros((), device=values.device)

    def move(self, rate: float, rows: list[int] | None = None) -> None:
        """Step against the gradient, no value by much more than ``rate``; only some rows if they are named."""
        arrays = [self.values, self.gradient, self.mean, self.square]
        chosen = arrays if rows is None else [array[rows] for array in arrays]
        values, gradient, mean, square = chosen
        adam(
            [values],
            [gradient],
            [mean],
            [square],
            [],
            [self.steps],
            fused=True,
            amsgrad=False,
            beta1=self.BETAS[0],
            beta2=self.BETAS[1],
            lr=rate,
            weight_decay=0.0,
            eps=1e-12,
            maximize=False,
        )
        if rows is not None:
            for array, moved in zip(arrays, chosen, strict=True):
                array[rows] = moved


def _summed(modes: Tensor) -> Tensor:
    """Sum over modes, (B, P, N, N) to (B, N, N); a single one is not copied."""
    return modes.squeeze(1) if modes.shape[1] == 1 else modes.sum(1)


def _window(canvas: Tensor, corner: list[int], N: int) -> Tensor:
    return canvas[corner[0] : corner[0] + N, corner[1] : corner[1] + N]


def _combine(weights: Tensor, fields: Tensor) -> Tensor:
    """Real weights (B, R) on complex fields (R, …): (B, …), as one matrix product."""
    flat = torch.view_as_real(fields.contiguous()).reshape(len(fields), -1)
    return torch.view_as_complex((weights @ flat).reshape(len(weights), *fields.shape[1:], 2))
