"""Scans made up from a config: objects, probes, paths and a Poisson dose, the truth known."""

from __future__ import annotations

from ptycho_nb.simulate.experiment import Experiment, simulate_mask, simulate_object, simulate_positions
from ptycho_nb.simulate.objects import OBJECTS
from ptycho_nb.simulate.paths import SCANS
from ptycho_nb.simulate.probes import PROBES, simulate_probe
from ptycho_nb.simulate.scan import simulate_scan

__all__ = [
    "OBJECTS",
    "PROBES",
    "SCANS",
    "Experiment",
    "simulate_mask",
    "simulate_object",
    "simulate_positions",
    "simulate_probe",
    "simulate_scan",
]
