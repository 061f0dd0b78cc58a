"""The engine of the iterative fit: one step on a batch of patterns, with analytic gradients.

The object is cut at whole pixels and the probe shifted by the rest (``shifts``), so a
sub-pixel position costs no interpolation of the object. Arrays in Fourier space keep
zero frequency at the corner, and transforms are unscaled with 1/N held by the probe.

References
----------
Gradients: Guizar-Sicairos & Fienup, Opt. Express 16, 7264 (2008), eqs. 7-12. Incoherent modes: Thibault & Menzel, Nature 494, 68 (2013).
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

from ptycho_nb.errors import InputError
from ptycho_nb.patches import add_each, illumination, stacked
from ptycho_nb.physics import whole_and_rest
from ptycho_nb.refinement.adam import Adam
from ptycho_nb.refinement.detector import Detector
from ptycho_nb.refinement.priors import Prior
from ptycho_nb.refinement.shifts import TERMS, Shifts, affordable


@dataclass(frozen=True)
class Rates:
    """Step sizes of one step: object [transmission], probe [of its maximum], positions [px], brightness and background
    [relative], 0 keeps still; and whether the residuals are ``rough``, as far from the truth."""

    object: float
    probe: float
    positions: float
    brightness: float = 0.0
    background: float = 0.0
    rough: bool = False


class Fit:
    """Object, probe and positions on the way to the photons.

    Parameters
    ----------
    detector : Detector
        What was measured.
    object : complex64 Tensor, shape (H, W)
        Start. Every patch lies on it.
    probe : complex64 Tensor, shape (P, N, N)
        Start [sqrt(photons)].
    positions : float64 Tensor, shape (M, 2)
        Probe centres on the object's array (row, col) [px].
    farthest : float
        No position moves farther from its start than this [px].
    ways : real Tensor, shape (M, K), optional
        Positions move by ``ways @ coefficients`` (K, 2), fitted [px]; each by itself where left out.
    support : real Tensor, shape (N, N), optional
        The probe is zero where this is.
    prior : Prior, optional
        Pulls at the object besides the photons.
    """

    def __init__(
        self,
        detector: Detector,
        object: Tensor,
        probe: Tensor,
        positions: Tensor,
        *,
        farthest: float,
        ways: Tensor | None = None,
        support: Tensor | None = None,
        prior: Prior | None = None,
    ) -> None:
        self.detector, self.N, self.farthest, self.support, self.prior = detector, int(probe.shape[-1]), farthest, support, prior
        self.object = object.clone()
        self.probe = probe / self.N if support is None else probe * support / self.N
        self.start = positions.to(probe.device, probe.real.dtype)
        self.positions = self.start.clone()
        self.probe_peak = float(self.probe.abs().amax())
        self.dropped = affordable(float(probe.abs().square().sum()), self.N)
        self._fields: Tensor | None = None  # the series of the present probe
        self.movers = {
            "object": Adam(torch.view_as_real(self.object)),
            "probe": Adam(torch.view_as_real(self.probe)),
            "positions": Adam(self.positions if ways is None else self.positions.new_zeros(ways.shape[1], 2)),
            **detector.movers,
        }
        self.ways = None if ways is None else ways.to(self.positions)
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
        self._aligned = not bool((self.positions - whole).any())  # on whole pixels: no probe is shifted
        self._still = True  # until positions leave what the coefficients were made for

    def fields(self) -> Tensor:
        """The shift series of the present probe, (R, P, N, N), made once a change."""
        if self._fields is None:
            self._fields = self._shifts.fields(self.probe)
        return self._fields

    def exit_waves(self, chosen: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Patches (B, 1, N, N), shifted probes (B, P, N, N), or (1, P, N, N) where none is, and their products."""
        patches = stacked([self._windows[j] for j in chosen]).unsqueeze(1)
        aligned = self._still and self._aligned
        probes = self.probe.unsqueeze(0) if aligned else _combine(self._coefficients(chosen), self.fields())
        return patches, probes, patches * probes

    def _coefficients(self, chosen: list[int]) -> Tensor:
        if self._still:
            return self._rows(self._shifts.coefficients, chosen)
        return self._shifts.weigh(self.positions[chosen] - self._whole[chosen])

    def _rows(self, array: Tensor, chosen: list[int]) -> Tensor:
        return array.index_select(0, torch.tensor(chosen, device=array.device))

    def misfit(self, chosen: list[int]) -> float:
        """Mean misfit of some patterns [a pixel], nothing moved."""
        return self.detector.compare(torch.fft.fft2(self.exit_waves(chosen)[2]), chosen)[0]

    def expected(self, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """Photons (B, N, N) that object and probe give for some patterns, zero frequency at the centre."""
        photons = self.detector.expected(torch.fft.fft2(self.exit_waves(chosen.tolist())[2]), chosen.tolist())
        return np.asarray(torch.fft.fftshift(photons, dim=(-2, -1)).cpu().numpy())

    def coverage(self) -> Tensor:
        """Photons (H, W) that fell on each object pixel, in units of the probe as it is now."""
        shape = (self.object.shape[0], self.object.shape[1])
        return illumination(self.probe * self.N, self.positions, shape)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that ``load_state`` needs to go on as if nothing had happened."""
        stored = {"object": self.object, "probe": self.probe, "positions": self.positions, "probe_peak": torch.tensor(self.probe_peak)}
        for name, mover in self.movers.items():
            stored |= {f"{name}_values": mover.values} if name not in ("object", "probe") else {}
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
            if name not in ("object", "probe"):
                mover.values.copy_(torch.from_numpy(stored[f"{name}_values"]))
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
        misfit, factor = self.detector.compare(far, chosen, rough=rates.rough)
        if not math.isfinite(misfit):
            return misfit
        back = torch.fft.ifft2(torch.mul(far, factor.unsqueeze(1), out=far), norm="forward")  # unscaled: the adjoint of fft2
        self._object_gradient(chosen, back, probes)
        if rates.probe or rates.positions:
            self._probe_gradient(chosen, back, patches, rates)
        if self.prior is not None:
            mover = self.movers["object"]
            self.prior.pull(mover.gradient, self.object, chosen=len(chosen), number=int(mover.steps))
        self._move(chosen, rates)
        return misfit

    def _object_gradient(self, chosen: list[int], back: Tensor, probes: Tensor) -> None:
        self.movers["object"].gradient.zero_()
        mirrored = probes.conj_physical() if len(probes) == 1 else probes.conj_physical_()  # one alone may be the fit's own
        patches = _summed(back * mirrored)
        add_each([self._gradient_windows[j] for j in chosen], torch.view_as_real(patches))

    def _probe_gradient(self, chosen: list[int], back: Tensor, patches: Tensor, rates: Rates) -> None:
        exit_gradient = back * patches.conj_physical_()  # (B, P, N, N)
        if rates.positions:
            slopes = self._shifts.slopes(self.positions[chosen] - self._whole[chosen])
            pulls = [(exit_gradient * _combine(slopes[axis], self.fields()).conj()).real.sum((1, 2, 3)) for axis in range(2)]
            if self.ways is None:
                self.movers["positions"].gradient[chosen] = torch.stack(pulls, 1)
            else:
                self.movers["positions"].gradient.copy_(self.ways[chosen].T @ torch.stack(pulls, 1))
        if rates.probe:
            fields = _combine(self._coefficients(chosen).T, exit_gradient)
            self.movers["probe"].gradient.copy_(torch.view_as_real(self._shifts.fields_adjoint(fields)))

    def _move(self, chosen: list[int], rates: Rates) -> None:
        self.movers["object"].move(rates.object)
        if rates.probe:
            self.movers["probe"].move(rates.probe * self.probe_peak)
            if self.support is not None:
                self.probe.mul_(self.support)
            self._fields = None
        if rates.positions:
            self.movers["positions"].move(rates.positions, rows=None if self.ways is not None else chosen)
            if self.ways is not None:
                self.positions.copy_(self.start + self.ways @ self.movers["positions"].values)
            self.positions.copy_(self.start + (self.positions - self.start).clamp_(-self.farthest, self.farthest))
            self._still = False
        if rates.brightness or rates.background:
            self.detector.move(chosen, rates.brightness, rates.background)


def _summed(modes: Tensor) -> Tensor:
    """Sum over modes, (B, P, N, N) to (B, N, N); a single one is not copied."""
    return modes.squeeze(1) if modes.shape[1] == 1 else modes.sum(1)


def _window(canvas: Tensor, corner: list[int], N: int) -> Tensor:
    return canvas[corner[0] : corner[0] + N, corner[1] : corner[1] + N]


def _combine(weights: Tensor, fields: Tensor) -> Tensor:
    """Real weights (B, R) on complex fields (R, …): (B, …), as one matrix product."""
    flat = torch.view_as_real(fields.contiguous()).reshape(len(fields), -1)
    return torch.view_as_complex((weights @ flat).reshape(len(weights), *fields.shape[1:], 2))
