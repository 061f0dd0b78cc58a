"""The experiment designer: settings of a scan, and at once what it would give."""

from __future__ import annotations

from ptycho_nb.ui.lessons.designer.panel import ExperimentDesigner

__all__ = ["ExperimentDesigner"]
