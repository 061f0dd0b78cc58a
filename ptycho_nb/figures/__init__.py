"""Pictures of scans and objects: matplotlib figures that show in a notebook and save themselves."""

from __future__ import annotations

from ptycho_nb.figures.colours import domain_colours
from ptycho_nb.figures.curves import frc_curve, loss_curves
from ptycho_nb.figures.objects import comparison, object_pair, truth_comparison
from ptycho_nb.figures.picture import Picture
from ptycho_nb.figures.scans import patterns, positions_picture, probe_picture, scan_picture

__all__ = [
    "Picture",
    "comparison",
    "domain_colours",
    "frc_curve",
    "loss_curves",
    "object_pair",
    "patterns",
    "positions_picture",
    "probe_picture",
    "scan_picture",
    "truth_comparison",
]
