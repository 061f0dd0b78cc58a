"""Failures of a reconstruction, each a real run with the number that tells it, and its cure.

``FAILURES["overlap"].show()`` runs one and judges it, ``.cure()`` runs the cure.
"""

from __future__ import annotations

from ptycho_nb.lessons.failures.diagnostics import Attempt, Diagnostic, Reading
from ptycho_nb.lessons.failures.failure import Failure, Outcome
from ptycho_nb.lessons.failures.table import FAILURES
from ptycho_nb.lessons.failures.trial import Trial

__all__ = ["FAILURES", "Attempt", "Diagnostic", "Failure", "Outcome", "Reading", "Trial"]
