"""One phase for all patches: against phases that are known."""

from __future__ import annotations

import numpy as np
import pytest

from ptycho_nb.synchronise import patch_phases

WEIGHT = np.ones((8, 8), dtype=np.float32)


def patches_of(shape, positions):
    """Slices of a smooth oblong object at whole positions."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    field = np.exp(1j * (np.sin(rows / 5) + np.cos(columns / 7))).astype(np.complex64)
    corners = positions.astype(int) - 4
    return np.stack([field[r : r + 8, c : c + 8] for r, c in corners])


def grid(rows, columns, step=3):
    return np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2) * float(step) + 6


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 4), (7, 9)])
def test_perfect_patches_of_unknown_phases_come_back_as_one(rng, shape):
    positions = grid(*shape)
    unknown = np.exp(1j * rng.uniform(0, 2 * np.pi, len(positions))).astype(np.complex64)
    found = patch_phases(patches_of((40, 50), positions) * unknown[:, None, None], positions, WEIGHT)
    assert np.abs((found * unknown).mean()) == pytest.approx(1, abs=1e-4)


def test_factors_are_of_modulus_one_and_repeatable(rng):
    positions = grid(6, 7)
    noisy = (rng.normal(size=(42, 8, 8)) + 1j * rng.normal(size=(42, 8, 8))).astype(np.complex64)
    first, second = (patch_phases(noisy, positions, WEIGHT) for _ in range(2))
    np.testing.assert_allclose(np.abs(first), 1, rtol=1e-5)
    np.testing.assert_array_equal(first, second)


def test_one_patch_and_dark_patches_keep_their_phase():
    assert patch_phases(np.ones((1, 8, 8), dtype=np.complex64), np.zeros((1, 2)), WEIGHT).tolist() == [1]
    assert patch_phases(np.zeros((4, 8, 8), dtype=np.complex64), grid(2, 2), WEIGHT).tolist() == [1, 1, 1, 1]
