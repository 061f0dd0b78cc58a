"""A scan small enough to train on in milliseconds, made with plain numpy."""

from __future__ import annotations

import numpy as np

from ptycho_nb.scan import Scan


def tiny_scan(
    rows: int = 6, columns: int = 7, N: int = 16, *, step: float = 3.0, modes: int = 1, seed: int = 0, sub_pixel: bool = False
) -> Scan:
    """Rows x columns patterns of a Gaussian beam on a smooth oblong object, its truth known, with photon noise."""
    draw = np.random.default_rng(seed)
    shape = (round(rows * step) + N + 6, round(columns * step) + N + 6)
    truth = landscape(*np.mgrid[: shape[0], : shape[1]])
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2) * step + N / 2 + 3
    positions = grid + draw.uniform(-1, 1, grid.shape)
    positions = positions if sub_pixel else positions.round()
    v, u = np.mgrid[:N, :N] - N // 2
    beam = np.exp(-(u**2 + v**2) / (2 * (N / 7) ** 2) + 0.05j * (u**2 + v**2))
    probe = np.stack([beam, beam * u / 6, beam * v / 6][:modes])
    probe *= np.sqrt(1e5 / np.sum(np.abs(probe) ** 2))
    patches = np.stack([landscape(r + v, c + u) for r, c in positions])
    waves = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(patches[:, None] * probe, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))
    photons = draw.poisson(np.sum(np.abs(waves) ** 2, axis=1))
    return Scan(photons.astype(np.float32), positions, probe.astype(np.complex64), truth=truth.astype(np.complex64), name="tiny")


def landscape(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The object at any place, whole pixel or not."""
    return (0.8 + 0.2 * np.sin(y / 3)) * np.exp(0.6j * np.cos(x / 4 + y / 9))
