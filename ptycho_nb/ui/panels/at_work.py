"""Whether any thread still works for a panel."""

from __future__ import annotations

import threading
import time


class AtWork:
    """Counts those at work: one may still draw what remains of its run when the next begins."""

    def __init__(self) -> None:
        self._count, self._lock = 0, threading.Lock()
        self._quiet = threading.Event()
        self._quiet.set()

    def begin(self) -> None:
        """One more."""
        self._add(1)

    def end(self) -> None:
        """One less."""
        self._add(-1)

    def _add(self, more: int) -> None:
        with self._lock:
            self._count += more
            if self._count:
                self._quiet.clear()
            else:
                self._quiet.set()

    def wait(self, seconds: float) -> bool:
        """Block until nobody is at work; whether that came within this time."""
        end = time.monotonic() + seconds
        while not self._quiet.wait(0.2):  # in short waits: an interrupt gets through
            if time.monotonic() > end:
                return False
        return True
