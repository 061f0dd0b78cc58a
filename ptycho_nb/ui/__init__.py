"""The face of the product in a notebook: forms, live drawings, panels."""

from __future__ import annotations

import logging

from ptycho_nb.ui.app import App
from ptycho_nb.ui.drawing import LossPlot
from ptycho_nb.ui.forms import Form
from ptycho_nb.ui.lessons import Ambiguities, Duel, ExperimentDesigner, FailureGallery, ForwardExplorer, Question
from ptycho_nb.ui.panels import ObjectPanel, PatternPanel, ReconstructPanel, RunsPanel, ScanPanel
from ptycho_nb.ui.viewer import Viewer

__all__ = [
    "Ambiguities",
    "App",
    "Duel",
    "ExperimentDesigner",
    "FailureGallery",
    "Form",
    "ForwardExplorer",
    "LossPlot",
    "ObjectPanel",
    "PatternPanel",
    "Question",
    "ReconstructPanel",
    "RunsPanel",
    "ScanPanel",
    "Viewer",
]

logging.getLogger("ptycho_nb").addHandler(logging.NullHandler())  # else a traceback lands in whichever cell ran last
