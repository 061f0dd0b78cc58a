"""The photons that an object and a probe give, pattern by pattern, beside those that were measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptycho_nb.errors import InputError, unknown
from ptycho_nb.losses import LOSSES
from ptycho_nb.physics import expected_photons, root

BATCH = 64  # patterns predicted at once

Indices = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Prediction:
    """An object, clear (1) outside its array, and the light on it.

    Attributes
    ----------
    object : complex64, shape (H, W)
    probe : complex64, shape (P, N, N)
        Incoherent modes [sqrt(photons)].
    positions : float64, shape (M, 2)
        Probe centres (row, col) on the object's array [px].
    brightness : float64, shape (M,), or None
        Of each pattern.
    background : float32, shape (N, N), or None
        Photons under each pattern.
    """

    object: NDArray[np.complex64]
    probe: NDArray[np.complex64]
    positions: NDArray[np.float64]
    brightness: NDArray[np.float64] | None = None
    background: NDArray[np.float32] | None = None

    def photons(self, patterns: Indices) -> NDArray[np.float32]:
        """Photons (B, N, N) of some patterns, by index."""
        if not len(patterns) or patterns.min() < 0 or patterns.max() >= len(self.positions):
            raise InputError(
                f"The patterns asked for are none or reach outside 0 to {len(self.positions) - 1}; choose among the scan's own."
            )
        return np.asarray(self._expected(*self._padded(), torch.from_numpy(patterns)).numpy(), dtype=np.float32)

    def r_factor(self, intensity: NDArray[Any], mask: NDArray[np.bool_]) -> float:
        """R = sum |sqrt I - sqrt y| / sum sqrt y over all believed pixels of all patterns (M, N, N)."""
        believed = torch.from_numpy(mask)
        difference = total = 0.0  # a batch at a time: metrics.r_factor would need all photons at once
        for expected, measured in self._pairs(intensity, np.arange(len(intensity))):
            amplitude = root(measured)
            difference += float(((expected.sqrt() - amplitude).abs() * believed).sum())
            total += float((amplitude * believed).sum())
        return difference / total

    def misfit(self, intensity: NDArray[Any], mask: NDArray[np.bool_], loss: str, patterns: Indices) -> float:
        """Mean loss a pixel (``losses.LOSSES``) on some of the patterns (M, N, N)."""
        if loss not in LOSSES:
            raise InputError(unknown("loss", loss, LOSSES))
        believed = torch.from_numpy(mask)
        parts = [(float(LOSSES[loss](i, y, believed)), len(y)) for i, y in self._pairs(intensity, patterns)]
        return sum(value * count for value, count in parts) / sum(count for _, count in parts)

    def _pairs(self, intensity: NDArray[Any], patterns: Indices) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Expected and measured photons, a batch at a time."""
        canvas, positions = self._padded()
        for first in range(0, len(patterns), BATCH):
            some = patterns[first : first + BATCH]
            yield self._expected(canvas, positions, torch.from_numpy(some)), torch.from_numpy(intensity[some])

    def _expected(self, canvas: torch.Tensor, positions: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Photons (B, N, N) of some patterns, brightness and background included."""
        photons = expected_photons(canvas, torch.from_numpy(self.probe), positions[chosen])
        if self.brightness is not None:
            photons = photons * torch.from_numpy(self.brightness)[chosen, None, None].to(photons.dtype)
        return photons if self.background is None else photons + torch.from_numpy(self.background)

    def _padded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The object with room for every patch, and the positions on it."""
        N = self.probe.shape[-1]
        before = np.maximum(0, N // 2 + 1 - np.floor(self.positions.min(0))).astype(int)
        after = np.maximum(0, np.ceil(self.positions.max(0)) + N // 2 + 1 - self.object.shape).astype(int)
        padded = np.pad(self.object, list(zip(before, after, strict=True)), constant_values=1)
        return torch.from_numpy(padded), torch.from_numpy(self.positions + before)
