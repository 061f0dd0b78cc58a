"""How good an object is, in numbers: arrays in, numbers out.

Ptychography cannot know the object's global phase and scale, a linear phase ramp and a
common shift; ``align`` removes them before anything is compared.
"""

from __future__ import annotations

from ptycho_nb.metrics.illumination import overlap, probe_diameter, r_factor, step
from ptycho_nb.metrics.images import ImageScores, Scores, compare_aligned, compare_objects, mae, ms_ssim, psnr, ssim
from ptycho_nb.metrics.registration import Aligned, Region, align
from ptycho_nb.metrics.rings import NYQUIST, RingCorrelation, Threshold, frc, half_bit, one_bit

__all__ = [
    "NYQUIST",
    "Aligned",
    "ImageScores",
    "Region",
    "RingCorrelation",
    "Scores",
    "Threshold",
    "align",
    "compare_aligned",
    "compare_objects",
    "frc",
    "half_bit",
    "mae",
    "ms_ssim",
    "one_bit",
    "overlap",
    "probe_diameter",
    "psnr",
    "r_factor",
    "ssim",
    "step",
]
