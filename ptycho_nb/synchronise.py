"""One phase for all patches.

A pattern does not fix the global phase of its own patch, so patches predicted one by one
agree on their overlap only up to a phase each. Averaged as they are, even perfect ones
cancel. The phases that make overlapping patches agree best are the lowest eigenvector of
the connection Laplacian of their overlaps.

References
----------
Singer, Appl. Comput. Harmon. Anal. 30, 20 (2011), sec. 2; Marchesini, Tu & Wu,
Appl. Comput. Harmon. Anal. 41, 815 (2016), on ptychography.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import eigsh
from scipy.spatial import cKDTree

NEIGHBOURS = 8  # overlaps looked at from each patch
DENSE = 32  # patches below which a dense solver is used: the sparse one needs more than a few
FLOOR = 1e-6  # of the mean overlap, added to the diagonal: keeps a lone patch solvable


def patch_phases(patches: NDArray[np.complex64], positions: NDArray[np.float64], weight: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Unit factors (M,) that bring patches to one phase when multiplied with them.

    Parameters
    ----------
    patches : complex64, shape (M, N, N)
    positions : float64, shape (M, 2)
        Patch centres (row, col) [px].
    weight : float32, shape (N, N)
        How far a patch is to be believed at each pixel.
    """
    M = len(patches)
    if M < 2:
        return np.ones(M, dtype=np.complex64)
    pairs = _pairs(positions, patches.shape[-1])
    weighted = patches * np.sqrt(weight)
    agreement = np.array([_agreement(weighted[i], weighted[j], positions[j] - positions[i]) for i, j in pairs])
    strength = np.abs(agreement)
    if not strength.any():
        return np.ones(M, dtype=np.complex64)
    rows, columns = pairs.T
    connection = coo_matrix((agreement, (rows, columns)), shape=(M, M)).tocsr()
    connection = connection + connection.conj().T
    degree = np.asarray(abs(connection).sum(1)).ravel()
    laplacian = (diags(degree + FLOOR * degree.mean()) - connection).tocsc()
    # The vector sought has factors conj(phase): row i asks for phase_i agreement_ij conj(phase_j) = |agreement_ij|.
    if M < DENSE:
        lowest = np.linalg.eigh(laplacian.toarray())[1][:, 0]
    else:
        start = np.ones(M, dtype=complex)  # named, so that the answer is repeatable
        lowest = eigsh(laplacian, k=1, sigma=0, which="LM", v0=start)[1][:, 0]
    return np.asarray(np.exp(-1j * np.angle(lowest * np.exp(-1j * np.angle(lowest.sum())))), dtype=np.complex64)


def _pairs(positions: NDArray[np.float64], N: int) -> NDArray[np.int64]:
    """Index pairs (K, 2), i < j, of patches near enough to overlap by a quarter of their width or more."""
    count = min(NEIGHBOURS + 1, len(positions))
    distance, near = cKDTree(positions).query(positions, k=count)
    i = np.repeat(np.arange(len(positions)), count)
    j, close = near.ravel(), distance.ravel() < 0.75 * N
    pairs = np.sort(np.stack([i, j], 1)[close & (i != j)], axis=1)
    return np.unique(pairs, axis=0).astype(np.int64).reshape(-1, 2)


def _agreement(first: NDArray[np.complex64], second: NDArray[np.complex64], step: NDArray[np.float64]) -> complex:
    """Sum of first · conj(second) over the overlap, positions to the nearest whole pixel."""
    r, c = (int(s) for s in np.rint(step))
    N = len(first)
    a = first[max(r, 0) : N + min(r, 0), max(c, 0) : N + min(c, 0)]
    b = second[max(-r, 0) : N + min(-r, 0), max(-c, 0) : N + min(-c, 0)]
    return complex(np.vdot(b, a))
