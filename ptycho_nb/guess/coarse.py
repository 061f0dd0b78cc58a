"""What a probe sees of a coarse map at each position, and back: correlations by Fourier transforms.

A cell is ``CELL`` x ``CELL`` pixels of the object. A probe is wider than that, so its light is known
well enough on cells, and a pass over all patterns costs a transform of a small map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fftfreq, irfft2, next_fast_len, rfft2, rfftfreq
from scipy.sparse import csr_matrix

CELL = 4  # px
FILLS = 6  # times that slopes outside the scan are filled with those of the map found so far

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]


class Coarse:
    """Cells over a canvas.

    Parameters
    ----------
    positions : float64, shape (M, 2)
        Probe centres (row, col) on the canvas [px].
    shape : (H, W)
        Of the canvas.
    N : int
        Width of the probe's window [px], a multiple of ``2 * CELL``.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of cells that hold the canvas.
    """

    def __init__(self, positions: Real, shape: tuple[int, int], N: int) -> None:
        self.width = N // CELL
        self.shape = (-(-shape[0] // CELL), -(-shape[1] // CELL))
        self._padded = (next_fast_len(self.shape[0] + self.width, True), next_fast_len(self.shape[1] + self.width, True))
        self._reading = _bilinear((positions - (CELL - 1) / 2) / CELL, self.shape)

    def kernel(self, weights: Real) -> Complex:
        """The transform of weights (..., N, N) round a position, summed to cells."""
        n, lead = self.width, weights.shape[:-2]
        placed = np.zeros((*lead, *self._padded))
        placed[..., :n, :n] = weights.reshape(*lead, n, CELL, n, CELL).sum((-3, -1))
        placed = np.roll(placed, (-(n // 2), -(n // 2)), (-2, -1))
        rows, columns = fftfreq(self._padded[0])[:, None], rfftfreq(self._padded[1])
        middle = (CELL - 1) / 2 / CELL  # a cell's pixels begin at its place, their middle lies beyond
        return np.asarray(rfft2(placed) * np.exp(-2j * np.pi * (rows + columns) * middle))

    def seen(self, kernel: Complex, maps: Real) -> Real:
        """Sum of each map (n, h, w) times the kernel round each position, (n, M)."""
        wide = irfft2(kernel.conj() * rfft2(maps, self._padded), self._padded)[..., : self.shape[0], : self.shape[1]]
        return np.asarray((self._reading @ wide.reshape(len(maps), -1).T).T)

    def spread(self, kernel: Complex, values: Real) -> Real:
        """Values (n, M) laid over the kernel round each position and added up, (n, h, w): the adjoint of ``seen``."""
        points = (self._reading.T @ values.T).T.reshape(-1, *self.shape)
        return np.asarray(irfft2(kernel * rfft2(points, self._padded), self._padded)[..., : self.shape[0], : self.shape[1]])


def _bilinear(places: Real, shape: tuple[int, int]) -> csr_matrix:
    """Reads a map (h, w) at places (M, 2) between its four nearest cells, those of the rim beyond it."""
    first = np.floor(places).astype(int)
    share = places - first
    columns, weights = [], []
    for row in (0, 1):
        for column in (0, 1):
            at = np.clip(first + np.array([row, column]), 0, np.array(shape) - 1)
            columns.append(at[:, 0] * shape[1] + at[:, 1])
            weights.append((share[:, 0] if row else 1 - share[:, 0]) * (share[:, 1] if column else 1 - share[:, 1]))
    rows = np.tile(np.arange(len(places)), 4)
    return csr_matrix((np.concatenate(weights), (rows, np.concatenate(columns))), shape=(len(places), shape[0] * shape[1]))


def integrated(slopes: Real, weight: Real) -> Real:
    """The map (h, w) whose slopes by row and by column come nearest those given (2, h, w), each believed as its weight (h, w) says.

    By Fourier transforms; where little is believed, slopes are taken from the map itself, in a few turns.

    References
    ----------
    Frankot & Chellappa, IEEE Trans. Pattern Anal. Mach. Intell. 10, 439 (1988), eq. 21.
    """
    h, w = weight.shape
    padded = (next_fast_len(h + h // 2, True), next_fast_len(w + w // 2, True))
    rows, columns = np.broadcast_arrays(fftfreq(padded[0])[:, None], rfftfreq(padded[1]))
    derivative = 2j * np.pi * np.stack([rows, columns])
    power = np.square(np.abs(derivative)).sum(0)
    power[0, 0] = np.inf
    filled = weight * slopes
    for turn in range(FILLS):
        found = (derivative.conj() * rfft2(filled, padded)).sum(0) / power
        if turn < FILLS - 1:
            filled = weight * slopes + (1 - weight) * irfft2(derivative * found, padded)[:, :h, :w]
    whole = irfft2(found, padded)[:h, :w]
    return np.asarray(whole - (weight * whole).sum() / weight.sum())
