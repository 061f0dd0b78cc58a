"""The face of the product in a notebook: forms, live drawings, panels."""

from __future__ import annotations

import logging

from ptycho_nb.ui.drawing import LossPlot
from ptycho_nb.ui.forms import Form
from ptycho_nb.ui.panels import ReconstructPanel

__all__ = ["Form", "LossPlot", "ReconstructPanel"]

logging.getLogger("ptycho_nb").addHandler(logging.NullHandler())  # else a traceback lands in whichever cell ran last
