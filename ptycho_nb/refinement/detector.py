"""What the detector measured, and how well far fields explain it: brightness, background and pixels kept aside included.

    expected photons of pattern j = brightness_j · sum over modes of |far field|² + background

Zero frequency at the corner.

References
----------
Brightness and background as unknowns of the fit: Thurman & Fienup, J. Opt. Soc. Am. A 26, 1008
(2009); Odstrčil, Menzel & Guizar-Sicairos, Opt. Express 26, 3108 (2018), section 2.4. Data kept
aside to judge a model by: Brünger, Nature 355, 472 (1992).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptycho_nb.losses import FLOOR
from ptycho_nb.refinement.adam import Adam

FAINTEST = 0.05  # of the mean brightness
GLOW = 0.01  # of a pixel's mean photons, where a background begins: at zero it would have no gradient


class Detector:
    """Measured photons, the pixels that count, and what of the detector is fitted with the object.

    Parameters
    ----------
    intensity : float32 Tensor, shape (M, N, N)
        Measured photons, zero frequency at the centre.
    mask : bool Tensor, shape (N, N)
    loss : "amplitude" or "poisson"
    floor : float
        As for ``losses.LOSSES`` [photons].
    brightness, background : bool
        Whether each pattern's brightness, and one background under all of them, are fitted.
    held : float
        Share of each pattern's pixels kept out of the fit, others in each pattern.
    seed : int
        Of the choice of those.

    Attributes
    ----------
    judged : float Tensor, shape (M,)
        Mean misfit on the pixels kept out, when the pattern was last compared; zeros before.
    """

    def __init__(
        self,
        intensity: Tensor,
        mask: Tensor,
        *,
        loss: str,
        floor: float = FLOOR,
        brightness: bool = False,
        background: bool = False,
        held: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.loss, self.floor, self.N = loss, floor, int(mask.shape[-1])
        photons = torch.fft.ifftshift(intensity, dim=(-2, -1))
        typical = float(photons.mean(0)[torch.fft.ifftshift(mask)].mean())
        self.measured = photons.add_(floor).sqrt_() if loss == "amplitude" else photons  # in place: ifftshift made a copy
        real = {"dtype": photons.dtype, "device": photons.device}
        self.mask = None if bool(mask.all()) else torch.fft.ifftshift(mask).to(**real)
        self.movers: dict[str, Adam] = {}
        if brightness:
            self.movers["brightness"] = Adam(torch.ones(len(photons), **real))
        if background:
            self.movers["background"] = Adam(torch.full((self.N, self.N), (GLOW * typical) ** 0.5, **real))  # its root: never negative
        self.judged = torch.zeros(len(photons), **real)
        self.held = _kept_out(held, self.mask, self.N, seed).to(**real) if held else None  # pattern j takes number j modulo K
        self._factor, self._light = torch.empty(0), torch.empty(0)

    def compare(self, far: Tensor, chosen: list[int]) -> tuple[float, Tensor]:
        """Mean misfit of far fields (B, P, N, N) with patterns ``chosen``, and the real factor (B, N, N) that
        turns each far field into its gradient."""
        measured = self.measured.index_select(0, torch.tensor(chosen, device=far.device))
        bright, photons = self._of("brightness", chosen), self.expected(far, chosen).add_(self.floor)
        if self.loss == "amplitude":
            amplitude = photons.sqrt_()
            difference = amplitude - measured
            factor = difference / amplitude
        else:
            factor = 1 - measured / photons
            difference = photons - self.floor - measured - measured * torch.log(photons / (measured + self.floor))
        misfit = self._masked(difference, factor, chosen)
        self._factor = factor
        return misfit, factor if bright is None else factor * bright

    def expected(self, far: Tensor, chosen: list[int]) -> Tensor:
        """Photons (B, N, N) that far fields (B, P, N, N) bring to patterns ``chosen``, brightness and background included."""
        photons = far.real.square().add_(far.imag.square())
        self._light = photons = photons.squeeze(1) if photons.shape[1] == 1 else photons.sum(1)
        bright = self._of("brightness", chosen)
        if bright is not None:
            photons = photons * bright
        return photons + self.movers["background"].values.square() if "background" in self.movers else photons

    def _masked(self, difference: Tensor, factor: Tensor, chosen: list[int]) -> float:
        """Mean misfit on the pixels that count; both arrays become zero on the others."""
        believed = float(self.N**2 if self.mask is None else self.mask.sum()) * len(chosen)
        if self.mask is not None:
            factor.mul_(self.mask)
            difference.mul_(self.mask)
        if self.held is not None:
            aside = self.held[[j % len(self.held) for j in chosen]]
            kept = difference * aside
            seen = kept.square() if self.loss == "amplitude" else kept
            count = aside.sum((1, 2)).clamp(min=1)
            self.judged[chosen] = seen.sum((1, 2)) / count
            believed -= float(aside.sum())
            factor.mul_(1 - aside)
            difference = difference - kept
        flat = difference.flatten()
        total = torch.dot(flat, flat) if self.loss == "amplitude" else flat.sum()
        return float(total) / max(believed, 1.0)

    def seen(self) -> NDArray[np.bool_]:
        """Pixels that the fit sees (K, N, N), zero frequency at the centre; pattern j takes number j modulo K."""
        mask = torch.ones(self.N, self.N) if self.mask is None else self.mask.cpu()
        seen = mask[None] if self.held is None else mask * (1 - self.held.cpu())
        return np.asarray(torch.fft.fftshift(seen, dim=(-2, -1)).numpy() > 0)

    def move(self, chosen: list[int], rate: float) -> None:
        """Step brightness and background against the gradient of the last comparison; ``rate`` is relative."""
        if "brightness" in self.movers:
            mover = self.movers["brightness"]
            mover.gradient[chosen] = (self._factor * self._light).sum((1, 2))
            mover.move(rate, rows=chosen)
            mover.values.clamp_(min=FAINTEST)
        if "background" in self.movers:
            mover = self.movers["background"]
            mover.gradient.copy_(self._factor.sum(0) * mover.values)
            mover.move(rate * float(mover.values.square().mean()) ** 0.5)

    def _of(self, name: str, chosen: list[int]) -> Tensor | None:
        """Brightness (B, 1, 1) of some patterns, where it is fitted."""
        return self.movers[name].values[chosen][:, None, None] if name in self.movers else None

    @property
    def brightness(self) -> Tensor | None:
        """Of each pattern (M,), one on average; None where it is not fitted."""
        if "brightness" not in self.movers:
            return None
        values = self.movers["brightness"].values
        return values / values.mean()

    @property
    def gain(self) -> float:
        """The mean of the fitted brightness, which belongs to the probe's photons."""
        return float(self.movers["brightness"].values.mean()) if "brightness" in self.movers else 1.0

    @property
    def background(self) -> Tensor | None:
        """Photons (N, N) under each pattern, zero frequency at the centre; None where it is not fitted."""
        if "background" not in self.movers:
            return None
        return torch.fft.fftshift(self.movers["background"].values.square())


def _kept_out(share: float, mask: Tensor | None, N: int, seed: int) -> Tensor:
    """Sets of pixels (K, N, N) of that share, one where kept out, disjoint up to a half."""
    order = np.random.default_rng([seed, 2]).permutation(N * N).reshape(N, N) / N**2
    aside = torch.from_numpy(np.stack([(order - k * share) % 1 < share for k in range(max(2, int(1 / share + 1e-9)))]).astype(np.float32))
    return aside if mask is None else aside * mask.cpu()
