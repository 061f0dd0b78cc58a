"""The panels, one a file."""

from __future__ import annotations

from ptycho_nb.ui.panels.object import ObjectPanel
from ptycho_nb.ui.panels.patterns import PatternPanel
from ptycho_nb.ui.panels.reconstruct import ReconstructPanel
from ptycho_nb.ui.panels.runs import RunsPanel
from ptycho_nb.ui.panels.scan import ScanPanel

__all__ = ["ObjectPanel", "PatternPanel", "ReconstructPanel", "RunsPanel", "ScanPanel"]
