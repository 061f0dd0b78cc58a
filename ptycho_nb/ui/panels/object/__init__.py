"""The Object panel: look at the object of a result, measure in it, judge it."""

from __future__ import annotations

from ptycho_nb.ui.panels.object.panel import ObjectPanel

__all__ = ["ObjectPanel"]
