"""What is shown of an object: cut, turned, flattened, unwrapped, with limits and colours. Screen and export draw this."""

from __future__ import annotations

from ptycho_nb.views.profile import Profile, profile
from ptycho_nb.views.scales import CIRCLE, EVEN, HIGH, LOW, TICKS, circular, even, robust
from ptycho_nb.views.view import View, view

__all__ = ["CIRCLE", "EVEN", "HIGH", "LOW", "TICKS", "Profile", "View", "circular", "even", "profile", "robust", "view"]
