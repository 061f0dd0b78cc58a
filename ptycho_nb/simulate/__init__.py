"""Scans made up from a config: objects, probes, paths and a Poisson dose, the truth known."""

from __future__ import annotations

from ptycho_nb.simulate.objects import OBJECTS
from ptycho_nb.simulate.paths import SCANS
from ptycho_nb.simulate.probes import PROBES
from ptycho_nb.simulate.scan import simulate_scan

__all__ = ["OBJECTS", "PROBES", "SCANS", "simulate_scan"]
