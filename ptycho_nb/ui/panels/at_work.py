"""Whether any thread still works for a panel."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from weakref import WeakSet

LAST = 20.0  # s that the end of Python waits for those at work


class AtWork:
    """Counts those at work: one may still draw what remains of its run when the next begins.

    Parameters
    ----------
    stop : callable
        Asks them to end, and does not wait for it; called where Python ends before they have.
    """

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self._count, self._lock = 0, threading.Lock()
        self._own = threading.local()
        self._quiet = threading.Event()
        self._quiet.set()
        EVERYONE.add(self)

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

    def leave(self) -> None:
        """Ask them to end."""
        if not self._quiet.is_set():
            self._stop()


EVERYONE: WeakSet[AtWork] = WeakSet()


@atexit.register
def _leave() -> None:
    """Python kills the threads that outlive it, and one inside torch takes the process along ("terminate called …")."""
    everyone, end = list(EVERYONE), time.monotonic() + LAST
    for one in everyone:
        one.leave()
    for one in everyone:
        one.wait(max(end - time.monotonic(), 0.0))
