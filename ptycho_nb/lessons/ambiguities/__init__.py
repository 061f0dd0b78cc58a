"""What the photons cannot tell: objects, probes and positions that differ and explain a scan equally well.

Positions here are whole pixels and the probe is exactly zero near the rim of its window, so that
each ambiguity holds to the last digits. Shape letters: M patterns, N pattern width, (H, W) object.
"""

from __future__ import annotations

from ptycho_nb.lessons.ambiguities.experiment import PATHS, SAME, Experiment, Likeness, Moves, experiment, likeness
from ptycho_nb.lessons.ambiguities.guess import (
    Guess,
    amplitudes,
    global_phase,
    mirror,
    object_conjugated,
    object_moved,
    ramp,
    raster_grid,
    scale,
    translation,
    twin,
)

__all__ = [
    "PATHS",
    "SAME",
    "Experiment",
    "Guess",
    "Likeness",
    "Moves",
    "amplitudes",
    "experiment",
    "global_phase",
    "likeness",
    "mirror",
    "object_conjugated",
    "object_moved",
    "ramp",
    "raster_grid",
    "scale",
    "translation",
    "twin",
]
