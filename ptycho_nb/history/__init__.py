"""What a run has done so far, and the switch that stops or pauses it."""

from __future__ import annotations

from ptycho_nb.history.control import Control, State, interrupt_stops
from ptycho_nb.history.preview import Preview
from ptycho_nb.history.record import History, Listener

__all__ = ["Control", "History", "Listener", "Preview", "State", "interrupt_stops"]
