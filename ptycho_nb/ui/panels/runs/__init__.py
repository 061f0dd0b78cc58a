"""The Runs panel: this kernel's runs beside each other, and each one as it grew."""

from __future__ import annotations

from ptycho_nb.ui.panels.runs.panel import RunsPanel

__all__ = ["RunsPanel"]
