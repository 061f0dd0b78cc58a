"""The face of the product in a notebook: forms, live drawings, panels.

Names are loaded on first use, so that a cell with an ``App`` shows it before the lessons are there.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptycho_nb.ui.app import App as App
    from ptycho_nb.ui.drawing import LossPlot as LossPlot
    from ptycho_nb.ui.forms import Form as Form
    from ptycho_nb.ui.lessons import Ambiguities as Ambiguities
    from ptycho_nb.ui.lessons import Duel as Duel
    from ptycho_nb.ui.lessons import ExperimentDesigner as ExperimentDesigner
    from ptycho_nb.ui.lessons import FailureGallery as FailureGallery
    from ptycho_nb.ui.lessons import ForwardExplorer as ForwardExplorer
    from ptycho_nb.ui.lessons import Question as Question
    from ptycho_nb.ui.panels import ObjectPanel as ObjectPanel
    from ptycho_nb.ui.panels import PatternPanel as PatternPanel
    from ptycho_nb.ui.panels import ReconstructPanel as ReconstructPanel
    from ptycho_nb.ui.panels import RunsPanel as RunsPanel
    from ptycho_nb.ui.panels import ScanPanel as ScanPanel
    from ptycho_nb.ui.viewer import Viewer as Viewer

ROOMS = {
    "Ambiguities": "lessons",
    "App": "app",
    "Duel": "lessons",
    "ExperimentDesigner": "lessons",
    "FailureGallery": "lessons",
    "Form": "forms",
    "ForwardExplorer": "lessons",
    "LossPlot": "drawing",
    "ObjectPanel": "panels",
    "PatternPanel": "panels",
    "Question": "lessons",
    "ReconstructPanel": "panels",
    "RunsPanel": "panels",
    "ScanPanel": "panels",
    "Viewer": "viewer",
}

__all__ = [*ROOMS]  # ruff reads no dict

logging.getLogger("ptycho_nb").addHandler(logging.NullHandler())  # else a traceback lands in whichever cell ran last


def __getattr__(name: str) -> Any:
    if name not in ROOMS:
        raise AttributeError(f"module 'ptycho_nb.ui' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"ptycho_nb.ui.{ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOMS})
