"""The Reconstruct panel: from settings to an object, watched."""

from __future__ import annotations

from ptycho_nb.ui.panels.reconstruct.panel import ReconstructPanel

__all__ = ["ReconstructPanel"]
