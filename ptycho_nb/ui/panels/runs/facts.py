"""What is computed of runs: how well a result explains its patterns, what the runs hold in memory, which moment is nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.panels.run import Moment, Run

JUDGES, PIXELS = 128, 2**22  # patterns, evenly over the scan, that R is computed on; their pixels in all at most


@dataclass(frozen=True, eq=False)
class Facts:
    """What is computed of a run: R of its result, NaN where there is none, and the noise models of its losses."""

    result: Reconstruction | None
    misfit: float
    kinds: set[str]


def held(runs: Sequence[Run]) -> int:
    """Bytes of what runs keep: results and moments, and each scan once."""
    scans = {id(run.scan): run.scan for run in runs}
    return sum(_own(run) for run in runs) + sum(scan_bytes(scan) for scan in scans.values())


def _own(run: Run) -> int:
    result = run.result
    arrays: list[Any] = [moment.object for moment in run.film.moments]
    if result is not None:
        arrays += [result.object, result.coverage, result.probe, result.positions, *result.optimiser.values()]
    return int(sum(array.nbytes for array in arrays))


def nearest(moment: Moment, moments: Sequence[Moment]) -> int:
    """The number, from 1, of a moment or of the one nearest in step where it has gone; not the last, which the slider follows."""
    numbers = range(1, max(len(moments), 2))
    return min(numbers, key=lambda number: abs(moments[number - 1].step - moment.step))


def scan_bytes(scan: Scan) -> int:
    """Bytes of the patterns and what belongs to them."""
    arrays = (scan.intensity, scan.positions, scan.probe, scan.mask, scan.truth)
    return sum(array.nbytes for array in arrays if array is not None)


def misfit(run: Run, result: Reconstruction) -> float:
    """R on some patterns, evenly over the scan."""
    scan = run.scan
    count = min(scan.M, JUDGES, max(1, PIXELS // scan.N**2))
    some = np.unique(np.linspace(0, scan.M - 1, count).round().astype(int))
    return result.replace(positions=result.positions[some], optimiser={}).r_factor(scan.select(some))
