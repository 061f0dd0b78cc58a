"""Step sizes over a run: a rise, then half a cosine to zero."""

from __future__ import annotations

import math

from ptycho_nb.config import RefinementConfig
from ptycho_nb.refinement.fit import Rates


def rates(config: RefinementConfig, progress: float, object_rate: float) -> Rates:
    """Step sizes at a share 0 to 1 of the run, ``object_rate`` at most; probe and positions wait for ``probe_start``.

    References
    ----------
    Loshchilov & Hutter, *SGDR*, ICLR 2017, eq. 5, one period.
    """
    rise = min(1.0, progress / config.warmup) if config.warmup else 1.0
    fall = max(0.0, (progress - config.warmup) / (1 - config.warmup))
    course = rise * 0.5 * (1 + math.cos(math.pi * fall))
    moving = course if progress >= config.probe_start else 0.0
    return Rates(
        object=object_rate * course,
        probe=config.probe_learning_rate * moving if config.refine_probe else 0.0,
        positions=config.position_learning_rate * moving if config.refine_positions else 0.0,
    )
