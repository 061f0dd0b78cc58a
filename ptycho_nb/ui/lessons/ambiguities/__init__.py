"""Ambiguities: object and probe change, the misfit stays."""

from __future__ import annotations

from ptycho_nb.ui.lessons.ambiguities.panel import Ambiguities

__all__ = ["Ambiguities"]
