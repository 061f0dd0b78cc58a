"""Duel: the network against the iterative fit, the same scan and equal time."""

from __future__ import annotations

from ptycho_nb.ui.lessons.duel.panel import Duel

__all__ = ["Duel"]
