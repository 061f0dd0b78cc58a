"""What the tilts of the patterns say of slow phases.

A pattern's centre of mass is the mean slope of the phase under the probe. It is linear in slow
phases, so what an object on the way explains wrongly of it gives the slow phase that mends
it: a least-squares fit of cubic B-splines, a few hundred numbers, that an iterative fit pixel by
pixel is slow to find.

References
----------
Dekkers & de Lang, Optik 41, 452 (1974), on differential phase contrast; Lazić, Bosch & Lazar,
Ultramicroscopy 160, 265 (2016), eqs. 8-13, on the centre of mass; Unser, IEEE Signal Process.
Mag. 16, 22 (1999), on splines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from scipy.signal import fftconvolve
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, cg

from ptycho_nb.metrics import probe_diameter

KNOTS = 3  # in a probe's diameter: what is finer leaves its tilt alone
REACH = 2  # knots on either side that a cubic spline spans
ENERGY = 0.98  # of the probe, inside the square that is looked at
BATCH = 64  # patterns predicted at once
FAINT = 1e-6  # keeps what no pattern sees solvable
STEPS, ENOUGH = 60, 1e-3  # of the conjugate gradients, and their relative residual at the end

Real = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Brightness, tilt and spread of patterns.

    Attributes
    ----------
    brightness : float64, shape (M,)
        Photons in each pattern, believed pixels only.
    tilt : float64, shape (M, 2)
        Its centre of mass as a slope of the phase (row, col) [rad/px].
    spread : float64, shape (M, 2)
        Variance of one photon's slope about it [rad²/px²]; over the brightness it is that of the tilt by photon noise.
    """

    brightness: Real
    tilt: Real
    spread: Real


def moments(photons: Callable[[NDArray[np.int64]], NDArray[np.float32]], patterns: NDArray[np.int64], masks: NDArray[np.bool_]) -> Moments:
    """Of some patterns, by index, a batch at a time.

    Parameters
    ----------
    photons : callable
        Indices (B,) to their photons (B, N, N): what was measured, or what an object gives.
    patterns : int64, shape (M,)
    masks : bool, shape (K, N, N)
        Pixels that count; pattern j takes number j modulo K.
    """
    batches = np.split(patterns, range(BATCH, len(patterns), BATCH))
    parts = [_moments(photons(some), masks[some % len(masks)]) for some in batches]
    return Moments(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Moments)))


def _moments(intensity: NDArray[np.float32], masks: NDArray[np.bool_]) -> Moments:
    N = masks.shape[-1]
    slope = 2 * np.pi * (np.arange(N) - N // 2) / N
    believed = intensity if masks.all() else intensity * masks
    rows, columns = believed.sum(2, dtype=np.float64), believed.sum(1, dtype=np.float64)
    brightness = np.maximum(rows.sum(1), 1e-12)
    tilt, square = (np.stack([rows @ power, columns @ power], 1) / brightness[:, None] for power in (slope, slope**2))
    return Moments(brightness, tilt, square - tilt**2)


class Splines:
    """Cubic B-splines over a canvas, and their means under the probe at each position.

    Parameters
    ----------
    positions : float64, shape (M, 2)
        Probe centres (row, col) on the canvas, taken to the nearest whole pixel.
    probe : complex64, shape (P, N, N)
    shape : (H, W)

    Attributes
    ----------
    light : float64, shape (L, L)
        |probe|² over modes in the middle of its window, of sum one.
    pitch : int
        From one knot to the next [px].
    knots : (int, int)
        Rows and columns of them, the second at element 0 of the canvas.
    slope : list of two csr_matrix, shape (M, K)
        Mean of the derivative by row, and by column, of each of the K splines under the probe at each position [1/px].
    mean : csr_matrix, shape (M, K)
        Mean of each spline under the probe.
    """

    def __init__(self, positions: Real, probe: NDArray[np.complex64], shape: tuple[int, int]) -> None:
        self.light = light = _lit(probe)
        self.shape, self.pitch = shape, max(2, round(probe_diameter(probe) / KNOTS))
        self.knots = (shape[0] // self.pitch + 2 * REACH, shape[1] // self.pitch + 2 * REACH)
        offsets = np.arange(-REACH * self.pitch, REACH * self.pitch + 1) / self.pitch
        value, slope = _spline(offsets), _spline_slope(offsets) / self.pitch
        tables = [fftconvolve(light, np.outer(a, b)[::-1, ::-1]) for a, b in ((slope, value), (value, slope), (value, value))]
        corners = np.rint(positions).astype(int) - light.shape[0] // 2
        *self.slope, self.mean = self._gathered(np.stack(tables), corners)

    def _gathered(self, tables: Real, corners: NDArray[np.int64]) -> list[csr_matrix]:
        """The tables (T, S, S) read at each knot near each corner: element [q] is for a knot at corner + q - reach."""
        size, pitch, knots = tables.shape[-1], self.pitch, np.array(self.knots)[:, None]
        reach = REACH * pitch
        count = (size - 1) // pitch + 1
        first = np.maximum(1 - (reach - corners) // pitch, 0)  # the least knot at corner - reach or beyond
        index = first[:, :, None] + np.arange(count)  # (M, 2, n)
        where = pitch * (index - 1) - corners[:, :, None] + reach
        there = (where >= 0) & (where < size) & (index < knots)
        where, index = np.clip(where, 0, size - 1), np.minimum(index, knots - 1)
        values = tables[:, where[:, 0, :, None], where[:, 1, None, :]] * (there[:, 0, :, None] & there[:, 1, None, :])
        columns = (index[:, 0, :, None] * self.knots[1] + index[:, 1, None, :]).ravel()
        ends = np.arange(len(corners) + 1) * count**2
        return [csr_matrix((v.ravel(), columns, ends), shape=(len(corners), self.knots[0] * self.knots[1])) for v in values]

    def evaluate(self, coefficients: Real) -> NDArray[np.float32]:
        """The sum of the splines on the canvas, (H, W)."""
        rows, columns = (
            _spline(np.arange(n)[:, None] / self.pitch - (np.arange(k) - 1)) for n, k in zip(self.shape, self.knots, strict=True)
        )
        return np.asarray(rows @ coefficients.reshape(self.knots) @ columns.T, dtype=np.float32)

    def fitted(self, pairs: list[tuple[csr_matrix, Real]], stiffness: float) -> Real:
        """Coefficients (K,) for which ``matrix @ c`` comes nearest each right side, in the least squares.

        ``stiffness`` weighs the squared second differences of the coefficients, over the most that one
        coefficient means to the right sides: what bends little, as a phase over the whole field, costs nothing.
        """
        diagonal = np.sum([np.asarray(matrix.multiply(matrix).sum(0)).ravel() for matrix, _ in pairs], axis=0)
        scale = max(float(diagonal.max()), 1e-30)

        def normal(c: Real) -> Real:
            through = sum(matrix.T @ (matrix @ c) for matrix, _ in pairs)
            return np.asarray(through + scale * (stiffness * _bent(c.reshape(self.knots)).ravel() + FAINT * c))

        waves = [2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in self.knots]
        squared = waves[0][:, None] + waves[1]  # of the wave number [1/knot²]
        power = float(diagonal.mean()) / 4 * squared + scale * (stiffness * squared**2 + FAINT)

        def solved(c: Real) -> Real:
            """By cosine waves, as if each knot meant the same to the right sides."""
            return np.asarray(idctn(dctn(c.reshape(self.knots), norm="ortho") / power, norm="ortho").ravel())

        right = sum(matrix.T @ values for matrix, values in pairs)
        K = len(diagonal)
        near, rough = (LinearOperator((K, K), f, dtype=np.float64) for f in (normal, solved))
        return np.asarray(cg(near, right, rtol=ENOUGH, maxiter=STEPS, M=rough)[0])


def _bent(grid: Real) -> Real:
    """The gradient of half the squared second differences of a grid: by row, by column, and twice by both."""
    found = np.zeros_like(grid)
    for axis, out in ((0, found), (1, found.T)):
        bend = np.diff(grid, 2, axis=axis) if axis == 0 else np.diff(grid, 2, axis=axis).T
        out[:-2] += bend
        out[1:-1] -= 2 * bend
        out[2:] += bend
    twist = 2 * np.diff(np.diff(grid, axis=0), axis=1)
    found[:-1, :-1] += twist
    found[1:, :-1] -= twist
    found[:-1, 1:] -= twist
    found[1:, 1:] += twist
    return found


def _lit(probe: NDArray[np.complex64]) -> Real:
    """|probe|² over modes, of sum one, on the least central square that holds ``ENERGY`` of it."""
    light = np.square(np.abs(probe)).sum(0).astype(np.float64)
    N = len(light)
    for half in range(4, N // 2 + 1):
        square = light[N // 2 - half : N // 2 + half, N // 2 - half : N // 2 + half]
        if square.sum() >= ENERGY * light.sum():
            break
    return square / square.sum()


def _spline(x: Real) -> Real:
    a = np.abs(x)
    return np.where(a < 1, 2 / 3 - a**2 + a**3 / 2, np.where(a < 2, (2 - a) ** 3 / 6, 0.0))


def _spline_slope(x: Real) -> Real:
    a = np.abs(x)
    return np.where(a < 1, -2 * x + 1.5 * x * a, np.where(a < 2, -np.sign(x) * (2 - a) ** 2 / 2, 0.0))
