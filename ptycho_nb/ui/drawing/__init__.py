"""Drawing in a notebook: foreign text made safe, throttled live pictures, outputs that stay."""

from __future__ import annotations

from ptycho_nb.ui.drawing.ahead import load_ahead
from ptycho_nb.ui.drawing.bundle import bundle_of, closed_in_words, is_closed
from ptycho_nb.ui.drawing.closing import close_all
from ptycho_nb.ui.drawing.drawer import Cost, Drawer, Frame
from ptycho_nb.ui.drawing.fold import Fold
from ptycho_nb.ui.drawing.images import coloured, inlined, object_images, picture, probe_image, shrunk
from ptycho_nb.ui.drawing.keepsake import Keepsake, pictured
from ptycho_nb.ui.drawing.keys import OwnKeys
from ptycho_nb.ui.drawing.live import LossFrame, PreviewFrame
from ptycho_nb.ui.drawing.loss import Line, curves_svg, loss_svg
from ptycho_nb.ui.drawing.markup import NOTHING, Markup, Pane, code, escaped, joined, tag
from ptycho_nb.ui.drawing.plot import LossPlot
from ptycho_nb.ui.drawing.style import STYLE

__all__ = [
    "NOTHING",
    "STYLE",
    "Cost",
    "Drawer",
    "Fold",
    "Frame",
    "Keepsake",
    "Line",
    "LossFrame",
    "LossPlot",
    "Markup",
    "OwnKeys",
    "Pane",
    "PreviewFrame",
    "bundle_of",
    "close_all",
    "closed_in_words",
    "code",
    "coloured",
    "curves_svg",
    "escaped",
    "inlined",
    "is_closed",
    "joined",
    "load_ahead",
    "loss_svg",
    "object_images",
    "picture",
    "pictured",
    "probe_image",
    "shrunk",
    "tag",
]
