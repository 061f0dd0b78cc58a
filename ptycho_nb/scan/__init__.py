"""A ptychographic scan: what was measured, where, and with which probe, checked at the door."""

from __future__ import annotations

from ptycho_nb.scan.detector import Detector
from ptycho_nb.scan.door import SMALLEST_N, check_values, located
from ptycho_nb.scan.record import ATTRIBUTES, MARGIN, Canvas, ComplexArray, FloatArray, Scan

__all__ = ["ATTRIBUTES", "MARGIN", "SMALLEST_N", "Canvas", "ComplexArray", "Detector", "FloatArray", "Scan", "check_values", "located"]
