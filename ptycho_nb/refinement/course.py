"""The course of a fit: how many passes in which batches, and the step sizes on the way."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ptycho_nb.config import RefinementConfig
from ptycho_nb.metrics import probe_diameter, step
from ptycho_nb.refinement.fit import Rates
from ptycho_nb.scan import Scan

READS = 350  # of each object pixel, on average: the measured and simulated scans tried gain little by more
FEWEST, MOST = 16, 128  # epochs
SHARE, STEPS = 16, 450  # steps of an epoch, and of a whole run, at least
SMALLEST, LARGEST = 16, 64  # patterns in a step
MANY = 512  # steps of an epoch beyond which steps take more patterns: each goes over the whole object, which grows with them
DETECTOR_RATE = 0.02  # greatest relative step of brightness and background
BACKGROUND_START = 0.03  # share of the run before a background moves: beside a flat object it would take what is the object's
OPENING = 12  # epochs before the slow phase is mended: a quarter of a short run, none of a very short one
FROM_FLAT, FROM_NETWORK = 2, 1  # the least that will do: tilts are read with the object's amplitude known roughly
ROUGH = 0.5  # share of the run in which the Poisson loss follows amplitudes: long fits end the same, brief ones nearer
ALTERNATE = 2  # the probe moves in each second step: all patterns share it, and its gradient is a quarter of a step


class Passes(NamedTuple):
    """How often a fit goes over the patterns, and how many it takes in a step."""

    epochs: int
    batch_size: int


def passes(config: RefinementConfig, scan: Scan) -> Passes:
    """Epochs and batch size as set, or as suits the scan where they are left to it.

    Where patterns overlap more, each object pixel is read more often in one pass, and fewer
    passes are needed: the area of the probe (the circle of 90 % of its energy) over the area of
    a position tells how often. A short run takes small batches: its steps are few. A very large scan takes larger ones.
    """
    epochs, size = config.epochs, config.batch_size
    if epochs is None:
        often = reads(scan)
        epochs = int(np.clip(round(READS / often), FEWEST, MOST)) if math.isfinite(often) and often else MOST
    if size is None:
        size = int(np.clip(min(scan.M // SHARE, epochs * scan.M // STEPS), SMALLEST, max(LARGEST, scan.M // MANY)))
    return Passes(epochs, size)


def reads(scan: Scan) -> float:
    """Patterns that read an object pixel, on average: the area of the probe over that of a position."""
    return 1.0 if scan.M < 2 else math.pi / 4 * (probe_diameter(scan.probe) / step(scan.positions)) ** 2


def opening(epochs: int, *, flat: bool = True) -> int:
    """How many of so many epochs, from flat or from a network's object, are a course of their own that ends in the mending; 0 for none."""
    first = min(OPENING, epochs // 4)
    return first if first >= (FROM_FLAT if flat else FROM_NETWORK) else 0


def rates(config: RefinementConfig, progress: float, object_rate: float, number: int = 0, opening: float = 0.0) -> Rates:
    """Step sizes at a share 0 to 1 of the run: a rise to ``object_rate``, then half a cosine to zero.

    They run that course twice where the run has an opening, a share of it. Probe and positions wait
    for ``probe_start``; the probe moves in every second step, counted by ``number``.

    References
    ----------
    Loshchilov & Hutter, *SGDR*, ICLR 2017, eq. 5, one period.
    """
    part = progress / opening if progress < opening else (progress - opening) / (1 - opening)
    rise = min(1.0, part / config.warmup) if config.warmup else 1.0
    fall = max(0.0, (part - config.warmup) / (1 - config.warmup))
    course = rise * 0.5 * (1 + math.cos(math.pi * fall))
    moving = course if progress >= config.probe_start else 0.0
    return Rates(
        object=object_rate * course,
        probe=config.probe_learning_rate * moving if config.refine_probe and number % ALTERNATE == 0 else 0.0,
        positions=config.position_learning_rate * moving if config.refine_positions else 0.0,
        rough=progress < ROUGH,
        brightness=DETECTOR_RATE * course if config.refine_brightness else 0.0,
        background=DETECTOR_RATE * course if config.refine_background and progress >= BACKGROUND_START else 0.0,
    )
