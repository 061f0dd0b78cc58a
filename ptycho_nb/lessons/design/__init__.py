"""Experiments before they are measured, and the way from an object under a probe to a pattern."""

from __future__ import annotations

from ptycho_nb.lessons.design.bench import Bench
from ptycho_nb.lessons.design.pictures import CIRCLES, design_picture, forward_picture, pattern_scale
from ptycho_nb.lessons.design.plan import Design, design
from ptycho_nb.lessons.design.waves import (
    GUESSES,
    Forward,
    exchanged,
    forward,
    guessed,
    likeness,
    mixed,
    photons_of,
    two_objects,
)

__all__ = [
    "CIRCLES",
    "GUESSES",
    "Bench",
    "Design",
    "Forward",
    "design",
    "design_picture",
    "exchanged",
    "forward",
    "forward_picture",
    "guessed",
    "likeness",
    "mixed",
    "pattern_scale",
    "photons_of",
    "two_objects",
]
