"""Patches of an object and back: cubic sub-pixel ``take``, its adjoint ``place``, ``stitch``.

Positions are patch centres (row, col) [px] on the canvas. At whole positions ``take`` is
the slice ``[row - N//2 : row + N - N//2]``. Outside the canvas reads as zero and receives
nothing. Keys' cubic kernel is separable: a patch is cut as an (N + 3)-wide slice and
weighed down to N along each axis, which is faster than gathering 16 neighbours a pixel.

References
----------
Keys, IEEE Trans. Acoust. Speech Signal Process. 29, 1153 (1981), eq. 15 (a = -1/2).
"""

from __future__ import annotations

import torch
from torch import Tensor

EMPTY = 1e-3  # coverage below this share of its maximum is empty, not divided


def take(canvas: Tensor, positions: Tensor, N: int) -> Tensor:
    """Patches (..., C, N, N) of canvases (..., H, W) round positions (..., C, 2)."""
    lead, C = positions.shape[:-2], positions.shape[-2]
    canvases = canvas.expand(*lead, *canvas.shape[-2:]).reshape(-1, *canvas.shape[-2:])
    corners, weights = _corners(positions.reshape(len(canvases), C, 2), N)
    wide = _Cut.apply(canvases, corners, N + 3)
    return _narrow(wide, weights).reshape(*lead, C, N, N)


def place(patches: Tensor, positions: Tensor, shape: tuple[int, int]) -> Tensor:
    """Patches (..., C, N, N) added up on canvases (..., *shape): the adjoint of ``take``."""
    lead, (C, N) = patches.shape[:-3], patches.shape[-3:-1]
    flat = patches.reshape(-1, C, N, N)
    corners, weights = _corners(positions.expand(*lead, C, 2).reshape(len(flat), C, 2), N)
    return _Paste.apply(_widen(flat, weights), corners, shape).reshape(*lead, *shape)


def stitch(patches: Tensor, positions: Tensor, shape: tuple[int, int], weight: Tensor) -> Tensor:
    """The object on which overlapping patches agree: their weighted mean, zero where empty.

    Parameters
    ----------
    patches : complex Tensor, shape (..., C, N, N)
    positions : real Tensor, shape (..., C, 2)
    shape : (H, W)
    weight : real Tensor, broadcasts to (C, N, N)
        How far a patch is to be believed at each pixel, such as the probe's intensity.
    """
    weights = weight.to(patches.real.dtype).expand(patches.shape)
    return divide(place(patches * weights, positions, shape), place(weights, positions, shape))


def divide(total: Tensor, coverage: Tensor) -> Tensor:
    """``total / coverage``, zero where the coverage is below ``EMPTY`` of its maximum or negative."""
    filled = coverage > EMPTY * coverage.amax((-2, -1), keepdim=True)
    return torch.where(filled, total / torch.where(filled, coverage, 1), torch.zeros((), dtype=total.dtype, device=total.device))


def _corners(positions: Tensor, N: int) -> tuple[Tensor, Tensor]:
    """First (row, col) of each (N + 3)-wide cut, and the four cubic weights along each axis (B, C, 2, 4)."""
    floor = positions.floor()
    t = positions - floor
    weights = torch.stack(
        [((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2, (t - 1) * t * t / 2], -1
    )
    return floor.long() - N // 2 - 1, weights


def _narrow(wide: Tensor, weights: Tensor) -> Tensor:
    """(B, C, N + 3, N + 3) to (B, C, N, N): sum of four shifted copies along each axis."""
    N = wide.shape[-1] - 3
    w = weights.to(wide.real.dtype)[..., None, None]  # (B, C, 2, 4, 1, 1)
    rows = sum(wide[..., i : i + N, :] * w[:, :, 0, i] for i in range(4))
    return sum(rows[..., i : i + N] * w[:, :, 1, i] for i in range(4))


def _widen(patches: Tensor, weights: Tensor) -> Tensor:
    """The adjoint of ``_narrow``."""
    N = patches.shape[-1]
    w = weights.to(patches.real.dtype)[..., None, None]
    rows = sum(torch.nn.functional.pad(patches * w[:, :, 1, i], (i, 3 - i)) for i in range(4))
    return sum(torch.nn.functional.pad(rows * w[:, :, 0, i], (0, 0, i, 3 - i)) for i in range(4))


def _overlaps(corner: list[int], width: int, shape: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where a square on the canvas and the canvas meet: slices of the canvas and of the square."""
    (r, c), (H, W) = corner, shape
    r0, r1, c0, c1 = max(r, 0), min(r + width, H), max(c, 0), min(c + width, W)
    if r0 >= r1 or c0 >= c1:
        return None
    return (slice(r0, r1), slice(c0, c1)), (slice(r0 - r, r1 - r), slice(c0 - c, c1 - c))


def _cut(canvases: Tensor, corners: Tensor, width: int) -> Tensor:
    B, C = corners.shape[:2]
    squares = canvases.new_zeros(B, C, width, width)
    for b, group in enumerate(corners.tolist()):
        for c, corner in enumerate(group):
            if meet := _overlaps(corner, width, canvases.shape[-2:]):
                squares[b, c][meet[1]] = canvases[b][meet[0]]
    return squares


def _paste(squares: Tensor, corners: Tensor, shape: tuple[int, int]) -> Tensor:
    canvases = squares.new_zeros(len(squares), *shape)
    for b, group in enumerate(corners.tolist()):
        for c, corner in enumerate(group):
            if meet := _overlaps(corner, squares.shape[-1], shape):
                canvases[b][meet[0]] += squares[b, c][meet[1]]
    return canvases


class _Cut(torch.autograd.Function):
    """Whole-pixel squares out of canvases; backward is ``_paste``."""

    @staticmethod
    def forward(ctx, canvases, corners, width):  # type: ignore[no-untyped-def]
        ctx.corners, ctx.shape = corners, tuple(canvases.shape[-2:])
        return _cut(canvases, corners, width)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return _paste(gradient, ctx.corners, ctx.shape), None, None


class _Paste(torch.autograd.Function):
    """Squares added up on canvases; backward is ``_cut``."""

    @staticmethod
    def forward(ctx, squares, corners, shape):  # type: ignore[no-untyped-def]
        ctx.corners, ctx.width = corners, squares.shape[-1]
        return _paste(squares, corners, tuple(shape))

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return _cut(gradient, ctx.corners, ctx.width), None, None
