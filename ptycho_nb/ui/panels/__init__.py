"""The panels, one a file."""

from __future__ import annotations

from ptycho_nb.ui.panels.reconstruct import ReconstructPanel

__all__ = ["ReconstructPanel"]
