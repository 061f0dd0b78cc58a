"""Pictures of scans and objects: matplotlib figures that show in a notebook and save themselves."""

from __future__ import annotations

from ptycho_nb.figures.colours import domain_colours
from ptycho_nb.figures.curves import frc_curve, loss_curves, losses_of_parts
from ptycho_nb.figures.objects import amplitude_image, comparison, object_pair, phase_image, truth_comparison, view_pair
from ptycho_nb.figures.picture import Picture
from ptycho_nb.figures.printed import COLUMN, PAGE, printed, printed_image
from ptycho_nb.figures.scans import light_of, patterns, positions_picture, probe_picture, scan_picture

__all__ = [
    "COLUMN",
    "PAGE",
    "Picture",
    "amplitude_image",
    "comparison",
    "domain_colours",
    "frc_curve",
    "light_of",
    "loss_curves",
    "losses_of_parts",
    "object_pair",
    "patterns",
    "phase_image",
    "positions_picture",
    "printed",
    "printed_image",
    "probe_picture",
    "scan_picture",
    "truth_comparison",
    "view_pair",
]
