"""From an object patch and a probe to the photons on the detector, and the exact sub-pixel cut.

Leading axes batch. float32 and float64 alike. Shape letters: P probe modes, N pattern width,
(H, W) object.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def far_field(wave: Tensor) -> Tensor:
    """Fraunhofer propagation to the detector, zero frequency at the centre.

    The unitary FFT keeps energy: ``sum |far_field(w)|**2 == sum |w|**2``, so a
    probe that carries n photons makes a pattern that sums to n.

    Parameters
    ----------
    wave : complex Tensor, shape (..., N, N)
        Exit wave, sampled in object pixels.

    References
    ----------
    Goodman, *Introduction to Fourier Optics*, 3rd ed., eq. 4-25.
    """
    centred = torch.fft.ifftshift(wave, dim=(-2, -1))
    return torch.fft.fftshift(torch.fft.fft2(centred, norm="ortho"), dim=(-2, -1))


def near_field(waves: NDArray[Any]) -> NDArray[np.complexfloating[Any, Any]]:
    """Back from the detector: the inverse of ``far_field``, of numpy arrays (..., R, C)."""
    centred = np.fft.ifftshift(waves, axes=(-2, -1))
    return np.fft.fftshift(np.fft.ifft2(centred, norm="ortho"), axes=(-2, -1))


def intensity(wave: Tensor) -> Tensor:
    """|wave|², real: squares of the parts, finite gradient at zero."""
    return wave.real.square() + wave.imag.square()


def root(photons: Tensor) -> Tensor:
    """Amplitude, the square root of photons in single or double precision.

    Below 1e-18, if not zero, where there are none: the root of zero takes three times as long.
    """
    return photons.clamp(min=torch.finfo(photons.dtype).tiny).sqrt_()


def diffract(patches: Tensor, probe: Tensor) -> Tensor:
    """Expected photons on the detector behind object patches.

    Modes do not interfere: their far fields add in intensity.

    Parameters
    ----------
    patches : complex Tensor, shape (..., N, N)
        Object transmission in the probe's window.
    probe : complex Tensor, shape (P, N, N) or (..., P, N, N)
        Incoherent modes [sqrt(photons)]; leading axes where each patch has its own.

    Returns
    -------
    real Tensor, shape (..., N, N)
        I = sum over p of |F(probe_p · patch)|².

    References
    ----------
    Thibault & Menzel, Nature 494, 68 (2013), eq. 1; Rodenburg & Maiden (2019), ch. 17 of
    *Springer Handbook of Microscopy*.
    """
    far = torch.fft.fft2(patches.unsqueeze(-3) * probe, norm="ortho")  # where the wave's origin lies is a phase: no photon tells
    return torch.fft.fftshift(intensity(far).sum(-3), dim=(-2, -1))


def shift(wave: Tensor, offset: Tensor) -> Tensor:
    """The wave moved by a fraction of a pixel, exact for a band-limited one.

    ``shift(w, s)[r, c] = w[r - s_row, c - s_col]`` by the Fourier shift theorem. Its adjoint
    is the shift by ``-offset`` up to the Nyquist row and column, which take the real factor
    cos(pi s): so the shift of a real wave stays real.

    Parameters
    ----------
    wave : complex Tensor, shape (..., N, N)
    offset : real Tensor, shape (..., 2)
        (row, col) [px]; its leading axes broadcast with the wave's.
    """
    return torch.fft.ifft2(torch.fft.fft2(wave) * _ramp(offset, wave.shape[-1]))


def _ramp(offset: Tensor, N: int) -> Tensor:
    """exp(-2πi k·s) on the FFT's grid: complex, shape (..., N, N)."""
    k = torch.fft.fftfreq(N, dtype=offset.dtype, device=offset.device)
    phase = -2 * torch.pi * offset.unsqueeze(-1) * k  # (..., 2, N)
    below_nyquist = torch.arange(N, device=offset.device) != N // 2
    ramp = torch.complex(phase.cos(), phase.sin() * below_nyquist)
    return ramp[..., 0, :, None] * ramp[..., 1, None, :]


def expected_photons(canvas: Tensor, probe: Tensor, positions: Tensor) -> Tensor:
    """Photons of a scan by the exact cut: whole-pixel patches, the probe shifted by the rest.

    The cut that the iterative fit uses and by which methods are compared.

    Parameters
    ----------
    canvas : complex Tensor, shape (H, W)
        The object; element [r, c] is at position (r, c).
    probe : complex Tensor, shape (P, N, N)
    positions : real Tensor, shape (B, 2)
        Probe centres (row, col) [px] on the canvas; every patch must lie on it.

    Returns
    -------
    real Tensor, shape (B, N, N)
    """
    N = probe.shape[-1]
    corners, fraction = whole_and_rest(positions, N)
    patches = torch.stack([canvas[r : r + N, c : c + N] for r, c in corners.tolist()])
    return diffract(patches, shift(probe, fraction.to(canvas.real.dtype)[:, None, :]))


def whole_and_rest(positions: Tensor, N: int) -> tuple[Tensor, Tensor]:
    """First row and column of each N-wide patch, and what is left of the position, in [-1/2, 1/2]."""
    whole = positions.round()
    return whole.long() - N // 2, positions - whole
