"""The Pattern panel: each pattern as measured and as the result explains it."""

from __future__ import annotations

from ptycho_nb.ui.panels.patterns.panel import PatternPanel

__all__ = ["PatternPanel"]
