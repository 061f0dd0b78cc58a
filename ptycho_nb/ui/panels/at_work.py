"""Whether any thread still works for a panel."""

from __future__ import annotations

import threading
import time


class AtWork:
    """Counts those at work: one may still draw what remains of its run when the next begins."""

    def __init__(self) -> None:
        self._count, self._lock = 0, threading.Lock()
        self._own = threading.local()
        self._quiet = threading.Event()
        self._quiet.set()

    def begin(self) -> None:
        """One more."""
        self._add(1)

    def mine(self) -> None:
        """It is this thread: until it ends, a wait of its own does not wait for itself."""
        self._own.works = True

    def end(self) -> None:
        """One less."""
        self._own.works = False
        self._add(-1)

    def _add(self, more: int) -> None:
        with self._lock:
            self._count += more
            if self._count:
                self._quiet.clear()
            else:
                self._quiet.set()

    def wait(self, seconds: float) -> bool:
        """Block until nobody is at work; whether that came within this time. In a thread that is at work itself: no, at once."""
        if "works" in vars(self._own) and self._own.works:
            return False
        end = time.monotonic() + seconds
        while not self._quiet.wait(0.2):  # in short waits: an interrupt gets through
            if time.monotonic() > end:
                return False
        return True
