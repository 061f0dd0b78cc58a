"""Patches of an object and back: cubic sub-pixel ``take``, its adjoint ``place``, ``stitch``.

Positions are patch centres (row, col) [px] on the canvas. At whole positions ``take`` is
the slice ``[row - N//2 : row + N - N//2]``. Outside the canvas reads as zero and receives
nothing. Keys' cubic kernel is separable: a patch is cut as an (N + 3)-wide slice and
weighed down to N along each axis, a few patches at a time so that they stay in the
processor's cache; that is faster than gathering 16 neighbours a pixel. Gradients flow to
canvas and patches, not to positions.

References
----------
Keys, IEEE Trans. Acoust. Speech Signal Process. 29, 1153 (1981), eq. 15 (a = -1/2).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ptycho_nb.physics import intensity

CHUNK = 32  # patches worked on at once
Corners = NDArray[np.int64]  # first (row, col) of squares, (n, 2)
Rim = tuple[tuple[int, int], tuple[int, int]]  # pixels added above and below, left and right

EMPTY = 1e-3  # coverage below this share of its maximum is empty, not divided


def take(canvas: Tensor, positions: Tensor, N: int) -> Tensor:
    """Patches (..., C, N, N) of canvases (..., H, W) round positions (..., C, 2)."""
    lead, C = positions.shape[:-2], positions.shape[-2]
    canvases = _parts(canvas.expand(*lead, *canvas.shape[-2:]).reshape(-1, *canvas.shape[-2:]))
    patches: Tensor = _Take.apply(canvases, positions.reshape(len(canvases), C, 2), N)  # type: ignore[no-untyped-call]
    return _whole(patches, canvas).reshape(*lead, C, N, N)


def place(patches: Tensor, positions: Tensor, shape: tuple[int, int]) -> Tensor:
    """Patches (..., C, N, N) added up on canvases (..., *shape): the adjoint of ``take``."""
    return _whole(_placed(_parts(patches), positions, shape), patches)


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
    return divide(*totals(patches, positions, shape, weight))


def totals(patches: Tensor, positions: Tensor, shape: tuple[int, int], weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sum of patches and sum of weights on the canvas: what a streamed ``stitch`` adds up."""
    weights = weight.to(patches.real.dtype).unsqueeze(-1)
    values = _parts(patches) * weights
    both = _placed(torch.cat([values, weights.expand(*values.shape[:-1], 1)], -1), positions, shape)
    return _whole(both[..., :-1], patches), both[..., -1]


def divide(total: Tensor, coverage: Tensor) -> Tensor:
    """``total / coverage``, zero where the coverage is below ``EMPTY`` of its maximum or negative."""
    filled = coverage > EMPTY * coverage.amax((-2, -1), keepdim=True)
    return torch.where(filled, total / torch.where(filled, coverage, 1), torch.zeros((), dtype=total.dtype, device=total.device))


def illumination(probe: Tensor, positions: Tensor, shape: tuple[int, int]) -> Tensor:
    """Photons (H, W) that fell on each object pixel: |probe|² at every position, rounded to whole pixels.

    Parameters
    ----------
    probe : complex Tensor, shape (P, N, N)
        Incoherent modes [sqrt(photons)].
    positions : real Tensor, shape (M, 2)
    shape : (H, W)
    """
    power = intensity(probe).sum(0)
    N = power.shape[-1]
    total = power.new_zeros(shape)
    for corner in (positions.round().long() - N // 2).tolist():
        if meet := _overlap(corner, N, shape):
            total[meet[0]] += power[meet[1]]
    return total


def _parts(values: Tensor) -> Tensor:
    """Complex or real (...) as real numbers (..., K): real and imaginary part, or the one value."""
    return torch.view_as_real(values) if values.is_complex() else values.unsqueeze(-1)


def _whole(parts: Tensor, like: Tensor) -> Tensor:
    """The inverse of ``_parts``."""
    return torch.view_as_complex(parts.contiguous()) if like.is_complex() else parts.squeeze(-1)


def _placed(parts: Tensor, positions: Tensor, shape: tuple[int, int]) -> Tensor:
    lead, (C, N, _, K) = parts.shape[:-4], parts.shape[-4:]
    flat = parts.reshape(-1, C, N, N, K)
    where = positions.expand(*lead, C, 2).reshape(len(flat), C, 2)
    canvases: Tensor = _Place.apply(flat, where, shape)  # type: ignore[no-untyped-call]
    return canvases.reshape(*lead, *shape, K)


class _Take(torch.autograd.Function):
    """``take`` on flat batches; linear, so its backward is its adjoint."""

    @staticmethod
    def forward(ctx, canvases, positions, N):  # type: ignore[no-untyped-def]
        ctx.positions, ctx.shape = positions, tuple(canvases.shape[1:3])
        return _take(canvases, positions, N)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return _place(gradient, ctx.positions, ctx.shape), None, None


class _Place(torch.autograd.Function):
    """``place`` on flat batches; its backward is ``take``."""

    @staticmethod
    def forward(ctx, patches, positions, shape):  # type: ignore[no-untyped-def]
        ctx.positions, ctx.N = positions, patches.shape[2]
        return _place(patches, positions, tuple(shape))

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return _take(gradient, ctx.positions, ctx.N), None, None


def _take(canvases: Tensor, positions: Tensor, N: int) -> Tensor:
    """Canvases (B, H, W, K), positions (B, C, 2) to patches (B, C, N, N, K)."""
    (B, C), K = positions.shape[:2], canvases.shape[-1]
    patches = canvases.new_zeros(B * C, N, N, K)
    corners, weights = _corners(positions.reshape(B * C, 2), N, canvases.dtype)
    corners, rim = _framed(corners, N + 3, canvases.shape[1:3])
    squares = _squares(F.pad(canvases, (0, 0, *rim[1], *rim[0])) if any(sum(rim, ())) else canvases, corners, C, N + 3)
    for first in range(0, B * C, CHUNK):
        out, w = patches[first : first + CHUNK], weights[:, first : first + CHUNK]
        wide = stacked(squares[first : first + CHUNK])
        rows = wide.new_zeros(len(out), N, N + 3, K)
        for i in range(4):
            rows.addcmul_(wide[:, i : i + N], w[i])
        for i in range(4):
            out.addcmul_(rows[:, :, i : i + N], w[4 + i])
    return patches.reshape(B, C, N, N, K)


def _place(patches: Tensor, positions: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Patches (B, C, N, N, K), positions (B, C, 2) to canvases (B, *shape, K)."""
    B, C, N, _, K = patches.shape
    flat = patches.reshape(B * C, N, N, K)
    corners, weights = _corners(positions.reshape(B * C, 2), N, patches.dtype)
    corners, ((top, bottom), (left, right)) = _framed(corners, N + 3, shape)
    canvases = patches.new_zeros(B, shape[0] + top + bottom, shape[1] + left + right, K)
    squares = _squares(canvases, corners, C, N + 3)
    for first in range(0, B * C, CHUNK):
        some, w = flat[first : first + CHUNK], weights[:, first : first + CHUNK]
        rows = flat.new_zeros(len(some), N, N + 3, K)
        for i in range(4):
            rows[:, :, i : i + N].addcmul_(some, w[4 + i])
        wide = flat.new_zeros(len(some), N + 3, N + 3, K)
        for i in range(4):
            wide[:, i : i + N].addcmul_(rows, w[i])
        add_each(squares[first : first + CHUNK], wide)
    return canvases[:, top : top + shape[0], left : left + shape[1]].contiguous()


def stacked(windows: list[Tensor]) -> Tensor:
    """Windows of one shape as one tensor (n, ...)."""
    if windows[0].device.type != "cpu":
        return torch.stack(windows)
    whole = windows[0].new_empty(len(windows), *windows[0].shape)
    torch._foreach_copy_(list(whole.unbind()), windows)  # torch.stack takes three times as long for squares of a canvas
    return whole


def add_each(windows: list[Tensor], parts: Tensor) -> None:
    """Add each of ``parts`` (n, ...) to its window, views that may overlap of one real tensor."""
    if parts.device.type == "cpu":
        torch._foreach_add_(windows, parts.unbind())  # one after the other: each stays in the cache
    else:
        add_at_once(windows, parts)


def add_at_once(windows: list[Tensor], parts: Tensor) -> None:
    """As ``add_each``, in one scatter over the memory that the windows share: one launch on a GPU; on CUDA the same sum each time."""
    first = windows[0]
    memory = first.as_strided((first.untyped_storage().nbytes() // first.element_size(),), (1,), 0)
    within = torch.zeros((), dtype=torch.long)
    for size, stride in zip(first.shape, first.stride(), strict=True):
        within = within.unsqueeze(-1) + stride * torch.arange(size)
    starts = torch.tensor([window.storage_offset() for window in windows], device=parts.device)
    places = starts.unsqueeze(1) + within.flatten().to(parts.device)
    memory.index_put_((places,), parts.reshape(len(windows), -1), accumulate=True)


def _framed(corners: Corners, width: int, shape: tuple[int, ...]) -> tuple[Corners, Rim]:
    """Corners of squares on a canvas with a rim just wide enough for all, and that rim; a square far off lies on it whole."""
    kept = np.clip(corners, -width, shape[:2])
    above, below = np.maximum(-kept, 0).max(0, initial=0), np.maximum(kept + width - shape[:2], 0).max(0, initial=0)
    (top, left), (bottom, right) = above.tolist(), below.tolist()
    return kept + above, ((top, bottom), (left, right))


def _squares(canvases: Tensor, corners: Corners, C: int, width: int) -> list[Tensor]:
    """Views (width, width, K) of canvases (B, H, W, K), C on each, by their corners (B · C, 2)."""
    over, down, along, part = canvases.stride()
    starts = canvases.storage_offset() + np.arange(len(corners)) // C * over + corners @ np.array([down, along])
    size, steps = (width, width, canvases.shape[-1]), (down, along, part)
    return [canvases.as_strided(size, steps, start) for start in starts.tolist()]


def _corners(positions: Tensor, N: int, dtype: torch.dtype) -> tuple[Corners, Tensor]:
    """First (row, col) of each (N + 3)-wide square; four row and four column weights, (8, n, 1, 1, 1)."""
    floor = positions.floor()
    t = positions - floor
    weights = torch.cat([((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2, (t - 1) * t * t / 2], -1)
    order = [0, 2, 4, 6, 1, 3, 5, 7]  # row and column weights alternate above
    corners = floor.long().cpu().numpy() - N // 2 - 1
    return corners, weights[:, order].T.reshape(8, -1, 1, 1, 1).to(dtype)


def _overlap(corner: list[int], width: int, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where a square meets the canvas: slices of the canvas and of the square, None where they do not."""
    (r, c), (H, W) = corner, shape
    r0, r1, c0, c1 = max(r, 0), min(r + width, H), max(c, 0), min(c + width, W)
    if r0 >= r1 or c0 >= c1:
        return None
    return (slice(r0, r1), slice(c0, c1)), (slice(r0 - r, r1 - r), slice(c0 - c, c1 - c))
