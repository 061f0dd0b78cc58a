"""A probe at many sub-pixel offsets at once: a short sum of fixed fields.

A shift by s multiplies the spectrum by exp(-2πi k·s). With |k| and |s| at most half a
pixel the exponential is a rapidly converging Chebyshev series in s (Jacobi-Anger), so

    probe shifted by s = sum over r of coefficient_r(s) · field_r,

with real coefficients that depend on the position alone and fields that depend on the
probe alone. Shifting a batch is then one small matrix product, and so is its adjoint,
instead of two Fourier transforms a pattern; terms that the probe's own spectrum cannot
excite are left out.

References
----------
Abramowitz & Stegun, *Handbook of Mathematical Functions*, 9.1.44-45.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.polynomial import chebyshev
from scipy.special import jv
from torch import Tensor

TERMS = 8  # along each axis; the next one would be below 1e-5 of the amplitude at Nyquist, less elsewhere
DROPPED = 5e-4  # of the probe's energy, at most, left out by the terms not used
NOISE_SHARE = 0.1  # of the photon noise, at most, that what is left out may amount to


class Shifts:
    """The series for one probe window and one set of offsets.

    Parameters
    ----------
    probe : complex Tensor, shape (P, N, N)
        Decides which terms are needed.
    offsets : real Tensor, shape (M, 2)
        Fractions of a pixel (row, col), in [-1/2, 1/2].
    terms : list of (row term, column term), optional
        To be used; those that the probe needs if none are named.
    dropped : float
        Share of the probe's energy that the terms left out may hold.
    """

    def __init__(self, probe: Tensor, offsets: Tensor, terms: list[tuple[int, int]] | None = None, *, dropped: float = DROPPED) -> None:
        self.N = probe.shape[-1]
        filters = _filters(self.N)  # (TERMS, N)
        self.terms = terms or _needed(probe, filters, dropped)
        self.rows, self.columns = [t[0] for t in self.terms], [t[1] for t in self.terms]
        outer = filters[self.rows][:, :, None] * filters[self.columns][:, None, :]
        self.filters = torch.from_numpy(outer).to(probe.dtype).to(probe.device)  # (R, N, N); some devices have no float64
        self.coefficients = self.weigh(offsets.to(probe.device, probe.real.dtype))

    def weigh(self, offsets: Tensor) -> Tensor:
        """Coefficients (M, R) of the terms at offsets (M, 2)."""
        series = _chebyshev(2 * offsets)  # (TERMS, M, 2)
        return (series[self.rows, :, 0] * series[self.columns, :, 1]).T.contiguous()

    def slopes(self, offsets: Tensor) -> Tensor:
        """Derivative (2, M, R) of the coefficients by row and column offset [1/px]."""
        series, slope = _chebyshev(2 * offsets), 2 * _chebyshev_slope(2 * offsets)
        by_row = slope[self.rows, :, 0] * series[self.columns, :, 1]
        by_column = series[self.rows, :, 0] * slope[self.columns, :, 1]
        return torch.stack([by_row.T, by_column.T])

    def fields(self, probe: Tensor) -> Tensor:
        """Fields (R, P, N, N) of a probe (P, N, N)."""
        return torch.fft.ifft2(torch.fft.fft2(probe) * self.filters[:, None])

    def fields_adjoint(self, fields: Tensor) -> Tensor:
        """The adjoint of ``fields``: (R, P, N, N) to (P, N, N)."""
        return torch.fft.ifft2((torch.fft.fft2(fields) * self.filters[:, None].conj()).sum(0))


def _filters(N: int) -> np.ndarray:
    """Spectra (TERMS, N) that multiply T_m(2 s): exp(-2πi k s) = sum of (2 - [m = 0]) (-i)^m J_m(π k) T_m(2 s)."""
    k = np.fft.fftfreq(N)
    m = np.arange(TERMS)
    filters = (2 - (m == 0))[:, None] * ((-1j) ** m)[:, None] * jv(m[:, None], np.pi * k)
    filters[:, N // 2] = filters[:, N // 2].real  # Nyquist takes the real factor cos(πs), as in physics.shift
    return filters


def affordable(photons: float, N: int) -> float:
    """The share of a probe's energy that may be dropped: its photons stay well below the noise, 1/4 a pixel in amplitude."""
    return min(DROPPED, NOISE_SHARE * N**2 / 4 / photons)


def _needed(probe: Tensor, filters: np.ndarray, dropped: float) -> list[tuple[int, int]]:
    """The fewest (row term, column term) that leave out at most a share ``dropped`` of the probe's energy."""
    spectrum = torch.fft.fft2(probe.cpu().to(torch.complex128)).abs().square().sum(0).numpy()
    power = np.abs(filters) ** 2
    energy = power @ spectrum @ power.T / spectrum.sum()
    order = np.argsort(-energy, axis=None)
    rest = energy.sum() - np.cumsum(energy.ravel()[order])
    count = int(np.argmax(rest <= dropped)) + 1
    return [(int(i) // TERMS, int(i) % TERMS) for i in order[:count]]


def _chebyshev(x: Tensor) -> Tensor:
    """T_0 … T_{TERMS-1} of x, stacked in front."""
    series = [torch.ones_like(x), x]
    while len(series) < TERMS:
        series.append(2 * x * series[-1] - series[-2])
    return torch.stack(series)


def _chebyshev_slope(x: Tensor) -> Tensor:
    """dT_m/dx, stacked in front."""
    derivative = [chebyshev.chebder(np.eye(TERMS)[m]) for m in range(TERMS)]
    powers = _chebyshev(x)
    return torch.stack([sum((float(c) * powers[i] for i, c in enumerate(d)), torch.zeros_like(x)) for d in derivative])
