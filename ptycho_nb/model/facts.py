"""What the model has to know of a scan beside its probe and mask."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ptycho_nb.errors import InputError
from ptycho_nb.scan import Scan

ENERGY = 0.95  # share of the probe's energy inside the square that is predicted
LEAST_PHOTONS = 1e-12  # a pattern, where all light is masked
MOST = 2**31  # patterns
WIDEST = 4096  # px


@dataclass(frozen=True)
class ScanFacts:
    """A scan in plain numbers.

    Attributes
    ----------
    N : int
        Width of a pattern [px].
    modes : int
        Probe modes.
    width : int
        Side of the central square that holds ``ENERGY`` of the probe, even [px]: what is predicted of a patch.
    photons : float
        Mean photons in a pattern.
    M : int
        Patterns.
    digest : str
        SHA-256 of positions, probe and mask: another scan has another one.
    """

    N: int
    modes: int
    width: int
    photons: float
    M: int
    digest: str

    @classmethod
    def of(cls, scan: Scan) -> Self:
        """The facts of a scan."""
        photons = max(scan.photons, LEAST_PHOTONS)
        return cls(scan.N, len(scan.probe), lit_width(scan.probe), photons, scan.M, _digest(scan))

    @classmethod
    def stored(cls, values: Mapping[str, Any], tensors: Mapping[str, Tensor], name: str) -> Self:
        """The facts in a file called ``name``, believed only where they agree with its tensors and make sense.

        Raises
        ------
        InputError
            They do not.
        TypeError, KeyError
            A fact or a tensor is missing.
        """
        facts = cls(**values)
        whole = all(type(values[fact]) is int for fact in ("N", "modes", "width", "M")) and type(values["digest"]) is str
        sane = whole and 4 <= facts.width <= facts.N <= WIDEST and facts.width % 2 == 0 and 1 <= facts.M < MOST
        lit = type(values["photons"]) is float and math.isfinite(facts.photons) and facts.photons >= LEAST_PHOTONS
        shapes = tuple(tensors["probe"].shape), tuple(tensors["believed"].shape)
        if not (sane and lit) or shapes != ((facts.modes, facts.N, facts.N), (facts.N, facts.N)):
            raise InputError(f"{name} does not fit its settings: its pattern width, probe or photons cannot be; train the model again.")
        return facts


def lit_width(probe: NDArray[np.complex64]) -> int:
    """Even side of the least central square that holds ``ENERGY`` of a probe (P, N, N) [px]."""
    energy = np.square(np.abs(probe)).sum(0)
    N = energy.shape[-1]
    halves = range(2, N // 2 + 1)
    inside = (energy[N // 2 - h : N // 2 + h, N // 2 - h : N // 2 + h].sum() for h in halves)
    return 2 * next((h for h, e in zip(halves, inside, strict=True) if e >= ENERGY * energy.sum()), N // 2)


def _digest(scan: Scan) -> str:
    found = hashlib.sha256()
    for array in (scan.positions, scan.probe, scan.mask):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
