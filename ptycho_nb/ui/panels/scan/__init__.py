"""The Scan panel: from a file or a simulation to a scan, seen and judged."""

from __future__ import annotations

from ptycho_nb.ui.panels.scan.panel import ScanPanel

__all__ = ["ScanPanel"]
