"""Cutting patches out and putting them back, on oblong canvases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ptycho_nb.patches import CHUNK, EMPTY, add_at_once, add_each, divide, place, stitch, take, totals

SHAPE = (30, 41)


@pytest.fixture
def canvas(rng):
    """Two canvases of complex white noise, (2, 30, 41)."""
    return torch.from_numpy(rng.standard_normal((2, *SHAPE)) + 1j * rng.standard_normal((2, *SHAPE)))


@pytest.fixture
def positions(rng):
    """Centres (2, 5, 2) on and off the canvas, some patches half over its edge, one outside."""
    centres = rng.uniform(-3, 3, (2, 5, 2)) + rng.uniform(0, 1, (2, 5, 2)) * SHAPE
    centres[1, 4] = [-40.3, 90.6]
    return torch.from_numpy(centres)


@pytest.fixture
def patches(rng):
    """Five patches of 8 x 8 on each of two canvases."""
    return torch.from_numpy(rng.standard_normal((2, 5, 8, 8)) + 1j * rng.standard_normal((2, 5, 8, 8)))


def smooth(shape, dtype=np.complex64):
    """A transmission with detail down to 12 px, (H, W)."""
    r, c = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    wave = (0.75 + 0.2 * np.cos(2 * np.pi * r / 17) * np.cos(2 * np.pi * c / 31)) * np.exp(0.8j * np.sin(2 * np.pi * (r / 29 + c / 19)))
    return torch.from_numpy(wave.astype(dtype))


def grid(rng, shape, N, step):
    """Sub-pixel centres (C, 2) whose N-wide patches cover the canvas densely, edges left out."""
    axes = [np.arange(N // 2 + 2, n - N // 2 - 2, step) for n in shape]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2).astype(float)
    return torch.from_numpy(centres + rng.uniform(-1, 1, centres.shape))


@pytest.mark.parametrize("N", [8, 9])
def test_take_at_whole_positions_is_the_slice(canvas, N):
    centres = torch.tensor([[12.0, 20.0], [15.0, 9.0]], dtype=torch.float64)
    for patch, (row, col) in zip(take(canvas[0], centres, N), centres.int().tolist(), strict=True):
        assert torch.equal(patch, canvas[0, row - N // 2 : row - N // 2 + N, col - N // 2 : col - N // 2 + N])


def test_place_at_whole_positions_adds_to_the_slice(patches):
    centres = torch.tensor([[12.0, 20.0]], dtype=torch.float64)
    expected = torch.zeros(SHAPE, dtype=torch.complex128)
    expected[8:16, 16:24] = patches[0, 0]
    assert torch.equal(place(patches[0, :1], centres, SHAPE), expected)


def test_take_is_the_adjoint_of_place(canvas, patches, positions):
    left = (place(patches, positions, SHAPE).conj() * canvas).sum()
    right = (patches.conj() * take(canvas, positions, 8)).sum()
    torch.testing.assert_close(left, right)


def test_take_of_a_plane_is_the_plane_between_the_pixels(rng):
    """Keys' kernel gives back polynomials of the second degree exactly."""
    r, c = np.meshgrid(*(np.arange(n, dtype=float) for n in SHAPE), indexing="ij")
    centres = rng.uniform([8, 8], [21, 32], (6, 2))
    found = take(torch.from_numpy(0.1 * r * r - r * c + 3 * c), torch.from_numpy(centres), 8).numpy()
    for patch, (row, col) in zip(found, centres, strict=True):
        y, x = np.meshgrid(row - 4 + np.arange(8), col - 4 + np.arange(8), indexing="ij")
        np.testing.assert_allclose(patch, 0.1 * y * y - y * x + 3 * x, atol=1e-10)


def test_gradients_of_take_and_place_are_right(rng):
    canvas = torch.from_numpy(rng.standard_normal((7, 9)) + 1j * rng.standard_normal((7, 9))).requires_grad_()
    patches = torch.from_numpy(rng.standard_normal((2, 4, 4)) + 1j * rng.standard_normal((2, 4, 4))).requires_grad_()
    centres = torch.tensor([[3.3, 4.6], [0.2, 7.9]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda c: take(c, centres, 4), canvas)
    assert torch.autograd.gradcheck(lambda p: place(p, centres, (7, 9)), patches)


def test_gradient_of_stitch_is_right(rng):
    patches = torch.from_numpy(rng.standard_normal((3, 4, 4)) + 1j * rng.standard_normal((3, 4, 4))).requires_grad_()
    centres = torch.tensor([[3.3, 4.6], [4.2, 5.1], [5.0, 3.0]], dtype=torch.float64)
    weight = torch.from_numpy(rng.uniform(0.5, 1, (4, 4)))
    assert torch.autograd.gradcheck(lambda p: stitch(p, centres, (9, 10), weight), patches)


def test_outside_the_canvas_reads_as_zero(canvas):
    corner, far = take(canvas[0], torch.tensor([[0.0, 0.0], [200.0, -90.0]], dtype=torch.float64), 8)
    assert torch.equal(corner[4:, 4:], canvas[0, :4, :4])
    assert not bool(corner[:4].any() or corner[:, :4].any() or far.any())


def test_outside_the_canvas_receives_nothing(patches):
    placed = place(patches[0, :1], torch.tensor([[0.0, 0.0]], dtype=torch.float64), SHAPE)
    assert torch.equal(placed[:4, :4], patches[0, 0, 4:, 4:])
    assert not bool(placed[4:].any() or placed[:, 4:].any())


def test_stitch_of_taken_patches_is_the_object(rng):
    object, centres = smooth((96, 113)), grid(rng, (96, 113), 32, 8)
    weight = torch.hann_window(32, periodic=False).clamp(min=0.01)
    found = stitch(take(object, centres, 32), centres, (96, 113), weight[:, None] * weight)
    inner = (slice(12, -12), slice(12, -12))
    error = (found - object)[inner].abs().square().mean().sqrt() / object[inner].abs().square().mean().sqrt()
    assert float(error) <= 3e-3


def test_stitch_weighs_patches(rng):
    centres = torch.tensor([[8.0, 10.0], [8.0, 10.0]], dtype=torch.float64)
    patches = torch.stack([torch.full((4, 4), 1.0 + 0j), torch.full((4, 4), 5.0 + 0j)]).to(torch.complex128)
    weight = torch.tensor([3.0, 1.0], dtype=torch.float64)[:, None, None].expand(2, 4, 4)
    found = stitch(patches, centres, (16, 20), weight)
    torch.testing.assert_close(found[6:10, 8:12], torch.full((4, 4), 2.0 + 0j, dtype=torch.complex128))


def test_empty_coverage_is_zero_and_not_divided():
    total = torch.tensor([[4.0, 1e-4, 7.0, 3.0]], dtype=torch.complex128)
    coverage = torch.tensor([[2.0, 0.5 * EMPTY, -1e-2, 0.0]], dtype=torch.float64)
    assert divide(total, coverage).tolist() == [[2, 0, 0, 0]]


def test_gradient_is_finite_where_nothing_covers():
    total = torch.zeros(1, 3, dtype=torch.complex128, requires_grad=True)
    coverage = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64)
    divide(total, coverage).abs().square().sum().backward()
    assert bool(total.grad.isfinite().all())


def test_negative_lobes_do_not_ring_outside_the_patch():
    """Cubic weights make coverage negative just outside a sub-pixel patch; that rim is empty, not a quotient of lobes."""
    centre = torch.tensor([[10.5, 12.5]], dtype=torch.float64)
    patch, weight = torch.ones(1, 6, 6, dtype=torch.complex128), torch.ones(6, 6, dtype=torch.float64)
    total, coverage = totals(patch, centre, (20, 25), weight)
    assert float(coverage.min()) < -1e-2
    found = divide(total, coverage)
    assert not bool(found[coverage < 0].any())
    torch.testing.assert_close(found[coverage > 0.1], torch.ones_like(found[coverage > 0.1]))


def test_totals_added_in_parts_make_the_stitch(rng):
    object, centres = smooth((60, 72), np.complex128), grid(rng, (60, 72), 16, 6)
    patches, weight = take(object, centres, 16), torch.from_numpy(rng.uniform(0.5, 1, (16, 16)))
    parts = [totals(patches[i : i + 7], centres[i : i + 7], (60, 72), weight) for i in range(0, len(patches), 7)]
    streamed = divide(sum(total for total, _ in parts), sum(coverage for _, coverage in parts))
    torch.testing.assert_close(streamed, stitch(patches, centres, (60, 72), weight))


@pytest.mark.parametrize("count", [CHUNK - 1, CHUNK, 2 * CHUNK + 3])
def test_patches_beyond_one_chunk_are_like_one_by_one(rng, canvas, count):
    centres = torch.from_numpy(rng.uniform(2, 26, (count, 2)))
    together = take(canvas[0], centres, 8)
    assert torch.equal(together, torch.cat([take(canvas[0], centre[None], 8) for centre in centres]))
    placed = sum(place(patch[None], centre[None], SHAPE) for patch, centre in zip(together, centres, strict=True))
    torch.testing.assert_close(place(together, centres, SHAPE), placed)


def test_one_canvas_serves_a_batch_of_groups(canvas, positions):
    found = take(canvas[0], positions, 8)
    assert found.shape == (2, 5, 8, 8)
    assert torch.equal(found[1], take(canvas[0], positions[1], 8))


def test_real_patches_come_and_go_as_real(rng, positions):
    canvas = torch.from_numpy(rng.standard_normal((2, *SHAPE)))
    patches = take(canvas, positions, 8)
    assert patches.dtype == torch.float64
    assert place(patches, positions, SHAPE).dtype == torch.float64


def test_complex64_patches_keep_positions_of_float64(rng):
    """Far out on a canvas float32 has no room for a fraction of a pixel; the position keeps it."""
    canvas = smooth((24, 9000))
    centre = torch.tensor([[12.0, 8000.0004]], dtype=torch.float64)
    found = take(canvas, centre, 8)
    assert found.dtype == torch.complex64
    expected = take(canvas[:, 7990:8010].to(torch.complex128), centre - torch.tensor([0.0, 7990.0]), 8)
    torch.testing.assert_close(found.to(torch.complex128), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scatter", [add_each, add_at_once])
def test_each_way_to_add_windows_sums_them_where_they_overlap(rng, scatter):
    whole = torch.zeros(3, 23, 31, 2)
    canvas = whole[1, 2:]  # a view, as the ones that are added to
    corners = [(0, 0), (3, 4), (3, 4), (16, 25), (5, 2)]
    parts = torch.from_numpy(rng.normal(size=(5, 5, 6, 2)).astype(np.float32))
    scatter([canvas[r : r + 5, c : c + 6] for r, c in corners], parts)
    expected = np.zeros((3, 23, 31, 2), np.float32)
    for (r, c), part in zip(corners, parts.numpy(), strict=True):
        expected[1, 2 + r : 7 + r, c : c + 6] += part
    np.testing.assert_allclose(whole.numpy(), expected, atol=1e-6)
