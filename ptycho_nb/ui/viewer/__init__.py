"""Images side by side that zoom and pan together in the notebook."""

from __future__ import annotations

from ptycho_nb.ui.viewer.shots import Bar, Shot
from ptycho_nb.ui.viewer.viewer import Viewer

__all__ = ["Bar", "Shot", "Viewer"]
