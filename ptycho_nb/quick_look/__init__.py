"""First answers on a scan, in seconds: a rough object, and which way round the positions are.

``quick_look`` and ``rank_orientations`` are the ways in.
"""

from ptycho_nb.orientation import Orientation
from ptycho_nb.quick_look.look import looked_at, quick_look, unseen
from ptycho_nb.quick_look.orientations import rank_orientations

__all__ = ["Orientation", "looked_at", "quick_look", "rank_orientations", "unseen"]
