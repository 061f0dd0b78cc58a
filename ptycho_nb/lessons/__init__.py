"""What the lessons compute: experiments to design, ambiguities, failures and their cures, answers to check. No widgets."""

from __future__ import annotations

from ptycho_nb.lessons.exercises import check

__all__ = ["check"]
