"""What one look at all patterns says of the object, before any fit: the input of the network that guesses it.

- **Amplitude.** A pattern's photons over the beam's are the mean of |O|² under the probe. Richardson and
  Lucy's steps sharpen the map of them.
- **Slow phase.** A pattern's centre of mass is the mean phase gradient of the exit wave, weighed by
  its intensity. Part of it is the probe's own: with the amplitude known that part is known too, since it is the mean
  of |O|² under the probe's current Im(P* ∇P). What is left is the object's slope, and is integrated.
- **Detail.** Each measured amplitude with the phase of the empty beam, taken back to the object and
  averaged: the first step of a projection algorithm from a flat object.

References
----------
Richardson, J. Opt. Soc. Am. 62, 55 (1972); Lucy, Astron. J. 79, 745 (1974), eq. 15. Müller et al., Nat. Commun.
5, 5653 (2014), eq. 8, and Lazić, Bosch & Lazar, Ultramicroscopy 160, 265 (2016), on the centre of mass. Maiden &
Rodenburg, Ultramicroscopy 109, 1256 (2009), eqs. 3-6, on the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ptycho_nb.guess.coarse import CELL, Coarse, integrated
from ptycho_nb.metrics import probe_diameter
from ptycho_nb.patches import add_each
from ptycho_nb.physics import root
from ptycho_nb.scan import Scan

SHARPENED = 8  # steps of Richardson and Lucy
BATCH = 64  # patterns taken back at once
FAINT, DIM = 0.02, 0.05  # of the most light on a cell: below it little is divided, and little is believed
DARK = 1e-3  # of the brightest pixel of the empty beam: below it its phase is not believed
BRIGHT = 0.05  # of that: the field inside the beam's cone
CHANNELS = 16

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Glimpse:
    """What the network sees.

    Attributes
    ----------
    detail : complex64, shape (H, W)
        The measured amplitudes taken back with the empty beam's phase; its mean phase is 0.
    maps : float32, shape (CHANNELS, h, w)
        On cells of ``CELL`` px: amplitude, brightness, tilts by row and column, the same without the probe's own
        part, second moments (three) and share of light inside the beam's cone, both less the beam's, phases integrated from both tilts,
        light, light over its most, photons and the probe's diameter. Of about unit size.
    """

    detail: NDArray[np.complex64]
    maps: NDArray[np.float32]


BRIGHTNESS, PHASE, LIGHT = 1, 11, 13  # numbers of maps
SCALES = np.array([1, 1, 20, 20, 30, 30, 7.5, 7.5, 25, 9, 0.7, 2, 1, 1, 1, 1], dtype=np.float32)  # that bring maps to unit size
PHASE_SCALE = float(SCALES[PHASE])
LARGEST = 4.0  # of a map


def glimpse(scan: Scan, chosen: NDArray[np.int64]) -> Glimpse:
    """Look once at some patterns of a scan, by index."""
    origin, shape = scan.canvas
    positions = scan.positions[chosen] - origin
    detail, moments, beam = _pass(scan, chosen, positions, shape)
    maps, light = _maps(scan, positions, shape, moments, beam)
    wide = np.kron(light, np.ones((CELL, CELL)))[: shape[0], : shape[1]]
    detail = detail / (wide + FAINT * wide.max())
    turn = np.exp(-1j * np.angle((wide * detail).sum()))
    return Glimpse((detail * turn).astype(np.complex64), maps)


def _pass(scan: Scan, chosen: NDArray[np.int64], positions: Real, shape: tuple[int, int]) -> tuple[NDArray[np.complex64], Real, Real]:
    """Sum of the patches taken back (H, W), seven moments of each pattern (M, 7) and of the beam, masked and not (2, 7)."""
    N, probe, mask = scan.N, torch.from_numpy(scan.probe), torch.from_numpy(scan.mask)
    far = torch.fft.fftshift(torch.fft.fft2(probe, norm="ortho"), dim=(-2, -1))
    power = far.abs().square().sum(0)
    unit = far / (power + DARK * power.max()).sqrt() * mask
    signs = torch.tensor([1.0, -1.0]).repeat(N // 2)  # what a shift of zero frequency to the corner is afterwards
    back = probe.conj() * torch.outer(signs, signs)
    basis = _moment_basis(power > BRIGHT * power.max())
    rim = N // 2
    total = torch.zeros(shape[0] + 2 * rim, shape[1] + 2 * rim, 2)
    corners = np.rint(positions).astype(int) - N // 2 + rim
    moments = []
    for first in range(0, len(chosen), BATCH):
        some = slice(first, first + BATCH)
        photons = torch.from_numpy(scan.intensity[chosen[some]]) * mask
        moments.append(photons.flatten(1) @ basis)
        waves = torch.fft.ifft2(root(photons).unsqueeze(1) * unit, norm="ortho") * back
        windows = [total[r : r + N, c : c + N] for r, c in corners[some].tolist()]
        add_each(windows, torch.view_as_real(waves.sum(1)))
    inner = torch.view_as_complex(total)[rim : rim + shape[0], rim : rim + shape[1]]
    beam = torch.stack([power * mask, power]).flatten(1) @ basis
    return inner.numpy(), torch.cat(moments).double().numpy(), beam.double().numpy()


def _moment_basis(cone: Tensor) -> Tensor:
    """One, slope by row and column, their squares and product [rad/px], and inside the cone: (N * N, 7)."""
    N = len(cone)
    slope = 2 * np.pi * (torch.arange(N) - N // 2) / N
    row, column = slope.repeat_interleave(N), slope.repeat(N)
    return torch.stack([torch.ones(N * N), row, column, row**2, column**2, row * column, cone.flatten().float()], 1)


def _maps(scan: Scan, positions: Real, shape: tuple[int, int], moments: Real, beam: Real) -> tuple[NDArray[np.float32], Real]:
    """The maps, and the photons of the beam on a pixel of each cell (h, w)."""
    light = np.square(np.abs(scan.probe)).sum(0).astype(np.float64)
    photons = light.sum()
    cells = Coarse(positions, shape, scan.N)
    shine, flow = cells.kernel(light / photons), cells.kernel(_current(scan.probe) / photons)
    cover = np.maximum(cells.spread(shine, np.ones((1, len(positions))))[0], 0)
    faint = FAINT * cover.max()
    relative = np.maximum(moments[:, 0], 1e-9) / beam[0, 0]
    squared = _sharpened(cells, shine, relative, cover, faint)
    own = np.concatenate([cells.seen(part, squared) for part in flow]) / np.maximum(cells.seen(shine, squared), 1e-9)
    lit = moments[:, 0] > 0  # a dark pattern has no centre of mass
    seen, whole = beam / beam[:, :1]
    own += (seen - whole)[1:3, None]  # what the mask does to the beam's own
    rest = lit * (moments.T / np.maximum(moments[:, 0], 1e-9) - seen[:, None])
    values = np.concatenate([np.sqrt(relative)[None], rest[1:3], rest[1:3] + lit * (seen[1:3, None] - own), rest[3:]])
    spread = cells.spread(shine, values) / (cover + faint)
    weight = cover / (cover + DIM * cover.max())
    phases = [integrated(CELL * spread[i : i + 2], weight) for i in (1, 3)]
    beams = cover * photons / CELL**2
    told = [(np.log10(1 + beams) - 4) / 2, cover / cover.max()]
    told += [np.full(cells.shape, value) for value in (np.log10(1 + moments[:, 0].mean()) / 2 - 2.5, probe_diameter(scan.probe) / 20 - 1)]
    maps = SCALES[:, None, None] * np.stack([np.sqrt(squared[0]), *spread, *phases, *told]).astype(np.float32)
    return maps.clip(-LARGEST, LARGEST), beams


def _current(probe: NDArray[np.complex64]) -> Real:
    """Im(P* ∇P) by row and by column, summed over modes, (2, N, N): the probe's intensity times its phase gradient."""
    N = probe.shape[-1]
    frequency = 2j * np.pi * np.fft.fftfreq(N)
    frequency[N // 2] = 0  # a derivative has no such wave
    transform = np.fft.fft2(probe)
    slopes = [np.fft.ifft2(transform * along) for along in (frequency[:, None], frequency)]
    return np.stack([np.imag(probe.conj() * slope).sum(0) for slope in slopes]).astype(np.float64)


def _sharpened(cells: Coarse, shine: NDArray[np.complex128], relative: Real, cover: Real, faint: float) -> Real:
    """|O|² on cells (1, h, w) from the photons of each pattern over the beam's (M,)."""
    squared = np.full((1, *cells.shape), relative.mean())
    for _ in range(SHARPENED):
        ratio = relative / np.maximum(cells.seen(shine, squared), 1e-6)
        squared = np.maximum(squared * (np.maximum(cells.spread(shine, ratio), 0) + faint) / (cover + faint), 1e-3)
    return squared
