"""What a run shows of itself on request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Preview:
    """The object as the run sees it now.

    Attributes
    ----------
    object : complex64, shape (H, W)
    origin : (int, int)
        Position (row, col) [px] of ``object[0, 0]``.
    probe : complex64, shape (P, N, N)
    """

    object: NDArray[np.complex64]
    origin: tuple[int, int]
    probe: NDArray[np.complex64]
