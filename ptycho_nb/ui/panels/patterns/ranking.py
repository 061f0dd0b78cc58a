"""How well a result explains each pattern: the misfit R of every one, the worst among them, and the course over the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import InputError
from ptycho_nb.history import Control
from ptycho_nb.metrics import r_factor
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Line, Markup, curves_svg
from ptycho_nb.ui.panels.patterns.pictures import photons

PIXELS = 2**21  # of the patterns predicted at once
WORST = 12  # patterns offered
DRAWN = 400  # points of the curve at most


@dataclass(frozen=True, eq=False)
class Ranking:
    """The misfit of each pattern.

    Attributes
    ----------
    misfits : float64, shape (M,)
        R of each pattern; NaN where no photon was measured in it.
    """

    misfits: NDArray[np.float64]

    @property
    def median(self) -> float:
        """Of all patterns."""
        return float(np.nanmedian(self.misfits)) if np.isfinite(self.misfits).any() else float("nan")

    @property
    def worst(self) -> list[int]:
        """Numbers of the patterns that are explained worst, the worst first."""
        order = np.argsort(-np.nan_to_num(self.misfits, nan=-1.0), kind="stable")[:WORST]
        return [int(number) for number in order if np.isfinite(self.misfits[number])]

    def standing(self, number: int) -> str:
        """Where a pattern stands among all, in words."""
        known = self.misfits[np.isfinite(self.misfits)]
        if not known.size:
            return ""
        median = f"; median of all {self.median:.3g}"
        worse = int((known > self.misfits[number]).sum())
        return f"{median}; place {worse + 1} of {known.size}, the worst first" if np.isfinite(self.misfits[number]) else median


def ranking(scan: Scan, result: Reconstruction, control: Control, said: Callable[[int], object]) -> Ranking | None:
    """The misfit of every pattern, a batch at a time; None where ``control`` said stop.

    Parameters
    ----------
    scan : Scan
    result : Reconstruction
        Of that scan.
    control : Control
    said : callable
        Told how many patterns are done, after each batch.
    """
    batch = max(1, PIXELS // scan.N**2)
    misfits = np.full(scan.M, np.nan)
    for first in range(0, scan.M, batch):
        if control.stopping:
            return None
        numbers = np.arange(first, min(first + batch, scan.M))
        for number, expected in zip(numbers, result.predicted(numbers), strict=True):
            misfits[number] = misfit(expected, scan, int(number))
        said(int(numbers[-1]) + 1)
    return Ranking(misfits)


def misfit(expected: NDArray[np.float32], scan: Scan, number: int) -> float:
    """R of one pattern; NaN where no photon was measured in it."""
    try:
        return r_factor(expected, scan.intensity[number], scan.mask)
    except InputError:
        return float("nan")


def in_numbers(scan: Scan, number: int, expected: NDArray[np.float32] | None, standing: str) -> str:
    """A pattern in a sentence or two: where it was taken, its photons, its misfit, and after it where that stands among all."""
    row, column = scan.positions[number]
    told = f"Pattern {number} (0 to {scan.M - 1}), at row {row:.1f}, column {column:.1f} px: "
    told += f"{photons(scan.intensity[number], scan)} photons measured"
    if expected is None:
        return f"{told}."
    value = misfit(expected, scan, number)
    judged = f"Misfit R {value:.3g}" if np.isfinite(value) else "A dark pattern has no misfit R"
    return f"{told}, {photons(expected, scan)} predicted. {judged}{standing}."


def misfit_curve(ranked: Ranking, number: int) -> Markup:
    """R over the order of the scan, the greatest of each stretch kept, with a dot at this pattern; at least one R is known."""
    known = np.flatnonzero(np.isfinite(ranked.misfits))
    parts = np.array_split(known, min(DRAWN, len(known)))
    kept = np.array([part[np.argmax(ranked.misfits[part])] for part in parts])
    lines = [Line("all patterns, median", kept.astype(float), ranked.misfits[kept], f"{ranked.median:.4g}")]
    if np.isfinite(ranked.misfits[number]):
        lines.append(Line(f"pattern {number}", np.array([float(number)]), ranked.misfits[[number]]))
    worst = ranked.worst[0]
    greatest = f"greatest {ranked.misfits[worst]:.4g} of pattern {worst}"
    words = f"Misfit R of {len(known)} patterns over the order of the scan: median {ranked.median:.4g}, {greatest}."
    return curves_svg(lines, x="pattern", y="misfit R", whole=True, words=words)
