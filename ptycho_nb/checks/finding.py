"""One thing that looks wrong: a word, the cause with its number, what to try."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    NOTE = "note"  # good to know
    WARNING = "warning"  # the result suffers
    SERIOUS = "serious"  # no result to be expected


@dataclass(frozen=True)
class Finding:
    """What looks wrong in a scan or a reconstruction.

    Attributes
    ----------
    word : str
        Names the check.
    cause : str
        What was measured, and against what.
    advice : str
        What to try.
    severity : Severity
    """

    word: str
    cause: str
    advice: str
    severity: Severity = Severity.WARNING

    def __str__(self) -> str:
        return f"{self.word}: {self.cause}; {self.advice}."
