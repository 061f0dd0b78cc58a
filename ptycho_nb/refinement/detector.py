"""What the detector measured, and how well far fields explain it: brightness, background and pixels kept aside included.

    expected photons of pattern j = brightness_j · sum over modes of |far field|² + background

Zero frequency at the corner.

Photons are taken as Poisson's, with two provisos. A residual beyond ``BEYOND`` standard deviations
pulls no more than one at that bound: it is the model's error, not noise, or, where less than a
tenth of a photon is expected, a single photon that is not to be chased. And before any photon,
a pixel that is dark on average is taken to be dark in most patterns: I photons cost
``SHRINK``/R · I / (I + q), where R patterns read an object pixel and q is a share of the pixel's mean m;
the cost falls as 1 / (1 + m / mean of all pixels), for the bright ones are what the beam brings.
Near I = 0 that is Wiener's filter: R readings of a quarter photon's noise each, against a wave
of the mean's size; far above q it costs a constant, so that light where it is rare is not pushed away.

References
----------
Bounded influence: Huber, Ann. Math. Stat. 35, 73 (1964). The bounded cost I / (I + q): Geman & McClure,
Bull. Int. Stat. Inst. 52, 5 (1987). Brightness and background as unknowns of the fit: Thurman & Fienup,
J. Opt. Soc. Am. A 26, 1008 (2009); Odstrčil, Menzel & Guizar-Sicairos, Opt. Express 26, 3108 (2018),
section 2.4. Data kept aside to judge a model by: Brünger, Nature 355, 472 (1992).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptycho_nb.losses import FLOOR
from ptycho_nb.refinement.adam import Adam

FAINTEST = 0.05  # of the mean brightness
GLOW = 0.01  # of a pixel's mean photons, where a background begins: at zero it would have no gradient
BEYOND = 3.0  # standard deviations of the photon noise
SHRINK, SHARE, LEAST = 2.0, 0.3, 0.2  # strength; q over a pixel's mean photons, and the least q [photons]
OFTEN = 8.0  # readings of an object pixel below which the cost grows no more: with few, slow phases suffered from it


class Detector:
    """Measured photons, the pixels that count, and what of the detector is fitted with the object.

    Parameters
    ----------
    intensity : float32 Tensor, shape (M, N, N)
        Measured photons, zero frequency at the centre.
    mask : bool Tensor, shape (N, N)
    loss : "amplitude" or "poisson"
    fitted : int64 array, optional
        The patterns that shape the fit; all if not given.
    reads : float
        Patterns that read an object pixel, on average.
    brightness, background : bool
        Whether each pattern's brightness, and one background under all of them, are fitted.
    held : float
        Share of each pattern's pixels kept out of the fit, others in each pattern.
    seed : int
        Of the choice of those.

    Attributes
    ----------
    photons : float
        Of a pattern on average, over the patterns and pixels that the fit sees.
    pixels : int
        That are not masked.
    rough : bool
        Whether the Poisson loss may follow amplitudes: pixels have a photon each or more on average.
    judged : float Tensor, shape (M,)
        Mean misfit on the pixels kept out, when the pattern was last compared; zeros before.
    """

    def __init__(
        self,
        intensity: Tensor,
        mask: Tensor,
        *,
        loss: str,
        fitted: NDArray[np.int64] | None = None,
        reads: float = math.inf,
        brightness: bool = False,
        background: bool = False,
        held: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.loss, self.N = loss, int(mask.shape[-1])
        photons = torch.fft.ifftshift(intensity, dim=(-2, -1))
        real = {"dtype": photons.dtype, "device": photons.device}
        self.mask = None if bool(mask.all()) else torch.fft.ifftshift(mask).to(**real)
        self.held = _kept_out(held, self.mask, self.N, seed).to(**real) if held else None  # pattern j takes number j modulo K
        mean = self._mean(photons, fitted)
        if self.mask is not None:
            mean = torch.where(self.mask > 0, mean, 0.0)
        self.photons, self.pixels = float(mean.sum()), int(mask.sum())
        self.rough = loss == "poisson" and self.photons >= self.pixels
        self.dark: tuple[Tensor, Tensor] | None = None  # q, and the cost's slope times (I + q)²
        if loss == "poisson":
            q = SHARE * mean + LEAST
            strength = SHRINK / max(reads, OFTEN) / (1 + mean * (self.pixels / max(self.photons, FLOOR)))
            self.dark = q, q * (strength if self.mask is None else strength * self.mask)
        self.measured = photons.add_(FLOOR).sqrt_() if loss == "amplitude" else photons  # in place: ifftshift made a copy
        self.movers: dict[str, Adam] = {}
        if brightness:
            self.movers["brightness"] = Adam(torch.ones(len(photons), **real))
        if background:
            typical = self.photons / max(self.pixels, 1)
            self.movers["background"] = Adam(torch.full((self.N, self.N), (GLOW * typical) ** 0.5, **real))  # its root: never negative
        self.judged = torch.zeros(len(photons), **real)
        self._factor, self._light = torch.empty(0), torch.empty(0)

    def compare(self, far: Tensor, chosen: list[int], *, rough: bool = False) -> tuple[float, Tensor]:
        """Mean misfit of far fields (B, P, N, N) with patterns ``chosen``, and the real factor (B, N, N) that
        turns each far field into its gradient.

        That of the amplitudes' squared differences where it is ``rough``: far from the truth it leads there faster,
        unless pixels have less than a photon each on average, whose roots say something else than their mean.
        """
        measured = self.measured.index_select(0, torch.tensor(chosen, device=far.device))
        bright, photons = self._of("brightness", chosen), self.expected(far, chosen) + FLOOR
        aside = None if self.held is None else self.held[[j % len(self.held) for j in chosen]]
        if self.loss == "amplitude":
            amplitude = photons.sqrt_()
            difference = amplitude - measured
            factor = plain = difference / amplitude
        else:
            difference, factor, plain = _poisson(photons, measured, rough and self.rough)
        misfit = self._masked(difference, chosen, aside)
        if self.movers:  # brightness and background are told by all faint pixels together: neither bounded nor rough
            self._factor = self._hidden(plain, aside)
        factor = self._hidden(factor, aside)
        if self.dark is None:
            return misfit, factor if bright is None else factor * bright
        q, slope = self.dark
        pull = torch.add(self._light, q).square_()
        torch.div(slope, pull, out=pull)
        if aside is not None:
            pull.mul_(1 - aside)
        return misfit, pull.add_(factor) if bright is None else pull.addcmul_(factor, bright)

    def expected(self, far: Tensor, chosen: list[int]) -> Tensor:
        """Photons (B, N, N) that far fields (B, P, N, N) bring to patterns ``chosen``, brightness and background included."""
        photons = far.real.square().add_(far.imag.square())
        self._light = photons = photons.squeeze(1) if photons.shape[1] == 1 else photons.sum(1)
        bright = self._of("brightness", chosen)
        if bright is not None:
            photons = photons * bright
        return photons + self.movers["background"].values.square() if "background" in self.movers else photons

    def _hidden(self, slope: Tensor, aside: Tensor | None) -> Tensor:
        """The slope, zero on the pixels that do not count."""
        if self.mask is not None:
            slope = slope.mul_(self.mask)
        return slope if aside is None else slope.mul_(1 - aside)

    def _masked(self, difference: Tensor, chosen: list[int], aside: Tensor | None) -> float:
        """Mean misfit on the pixels that count."""
        believed = float(self.N**2 if self.mask is None else self.mask.sum()) * len(chosen)
        if self.mask is not None:
            difference.mul_(self.mask)
        if aside is not None:
            kept = difference * aside
            seen = kept.square() if self.loss == "amplitude" else kept
            count = aside.sum((1, 2)).clamp(min=1)
            self.judged[chosen] = seen.sum((1, 2)) / count
            believed -= float(aside.sum())
            difference = difference - kept
        flat = difference.flatten()
        total = torch.dot(flat, flat) if self.loss == "amplitude" else flat.sum()
        return float(total) / max(believed, 1.0)

    def _mean(self, photons: Tensor, fitted: NDArray[np.int64] | None) -> Tensor:
        """Mean photons (N, N) of each pixel over the patterns and pixels that the fit sees."""
        weight = torch.ones(len(photons), dtype=photons.dtype, device=photons.device)
        if fitted is not None:
            weight.zero_()[torch.from_numpy(fitted)] = 1
        if self.held is None:
            return torch.tensordot(weight, photons, 1) / weight.sum().clamp(min=1)
        K = len(self.held)
        total, count = torch.zeros_like(photons[0]), torch.zeros_like(photons[0])
        for k, aside in enumerate(self.held):
            total += torch.tensordot(weight[k::K], photons[k::K], 1) * (1 - aside)
            count += weight[k::K].sum() * (1 - aside)
        return total / count.clamp(min=1)

    def seen(self) -> NDArray[np.bool_]:
        """Pixels that the fit sees (K, N, N), zero frequency at the centre; pattern j takes number j modulo K."""
        mask = torch.ones(self.N, self.N) if self.mask is None else self.mask.cpu()
        seen = mask[None] if self.held is None else mask * (1 - self.held.cpu())
        return np.asarray(torch.fft.fftshift(seen, dim=(-2, -1)).numpy() > 0)

    def move(self, chosen: list[int], brightness: float, background: float) -> None:
        """Step each against the gradient of the last comparison, by a relative rate; 0 keeps still."""
        if "brightness" in self.movers:
            mover = self.movers["brightness"]
            mover.gradient[chosen] = (self._factor * self._light).sum((1, 2))
            if brightness:
                mover.move(brightness, rows=chosen)
                mover.values.clamp_(min=FAINTEST)
        if "background" in self.movers:
            mover = self.movers["background"]
            mover.gradient.copy_(self._factor.sum(0) * mover.values)
            if background:
                mover.move(background * float(mover.values.square().mean()) ** 0.5)

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


def _poisson(photons: Tensor, measured: Tensor, rough: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Half the deviance from the expected photons, its slope with residuals bounded, and as it is; ``measured`` is used up."""
    empty = torch.finfo(photons.dtype).eps / 2 - 1  # as good as no photon: 0 log 0 is 0, and the root of zero takes ten times as long
    excess = measured.sub_(photons).div_(photons).clamp_(min=empty)  # y / I - 1: the difference first, which float32 holds exactly if small
    share = excess + 1
    deviance = excess.log1p().mul_(share).sub_(excess).mul_(photons)  # I - y + y log(y / I)
    plain = excess.neg_()
    if rough:
        return deviance, share.sqrt_().neg_().add_(1).mul_(2), plain
    spread = photons.rsqrt()  # of the residual I - y over I
    return deviance, torch.div(plain, spread, out=share).clamp_(-BEYOND, BEYOND).mul_(spread), plain


def _kept_out(share: float, mask: Tensor | None, N: int, seed: int) -> Tensor:
    """Sets of pixels (K, N, N) of that share, one where kept out, disjoint up to a half."""
    order = np.random.default_rng([seed, 2]).permutation(N * N).reshape(N, N) / N**2
    aside = torch.from_numpy(np.stack([(order - k * share) % 1 < share for k in range(max(2, int(1 / share + 1e-9)))]).astype(np.float32))
    return aside if mask is None else aside * mask.cpu()
