"""Drawing that is asked for from anywhere and done in one thread, which ends when there is nothing left to draw."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ptycho_nb.errors import InputError
from ptycho_nb.ui.panels.at_work import AtWork
from ptycho_nb.ui.panels.failures import NO_THREAD

log = logging.getLogger(__name__)

FAILED = "This picture failed; the log has the reason."
SHARE = 0.03  # of the time, for drawing nobody asked for
LONGEST = 10.0  # s between two such drawings, whatever they take


class Watch:
    """Draws what was asked for last, and again by time while there is more to come.

    Where a ``Task`` refuses a second piece of work beside the first, this refuses nothing: what is
    asked for while it draws is drawn next, once.

    Parameters
    ----------
    draw : callable
        Draws; the least time until it draws again without being asked [s], or None where there is nothing more to come.
    failed : callable
        Told in a sentence that a drawing failed.
    """

    def __init__(self, draw: Callable[[], float | None], failed: Callable[[str], object]) -> None:
        self._draw, self._failed = draw, failed
        self._asked, self._lock, self._at_work = threading.Event(), threading.Lock(), AtWork()
        self._working = self._closed = False

    def begin(self) -> None:
        """Draw the first time, in this thread; what is still to come then, in the other."""
        if self._drawn() is not None:
            self.wake()

    def wake(self) -> None:
        """Ask for a drawing; returns at once."""
        with self._lock:
            if self._closed:
                return
            self._asked.set()
            if self._working:
                return
            self._working = True
            self._at_work.begin()
        try:
            threading.Thread(target=self._watch, name="ptycho_nb watch", daemon=True).start()
        except RuntimeError:
            log.exception("No thread could be started.")
            self._over()
            self._failed(NO_THREAD)

    def wait(self, seconds: float) -> bool:
        """Block until there is nothing more to draw; whether that came within this time."""
        return self._at_work.wait(seconds)

    def close(self) -> None:
        """Draw no more, and end the thread."""
        with self._lock:
            self._closed = True
        self._asked.set()
        self.wait(20.0)

    def _watch(self) -> None:
        self._at_work.mine()
        while True:
            self._asked.clear()
            began = time.thread_time()
            pause = self._drawn()
            spent = time.thread_time() - began
            with self._lock:
                if self._closed or (pause is None and not self._asked.is_set()):
                    self._over()
                    return
            self._asked.wait(max(pause or 0.0, min(spent / SHARE, LONGEST)))

    def _over(self) -> None:
        self._working = False
        self._at_work.end()

    def _drawn(self) -> float | None:
        if self._closed:
            return None
        try:
            return self._draw()
        except (Exception, SystemExit) as error:
            log.log(logging.INFO if isinstance(error, InputError) else logging.ERROR, "A drawing failed.", exc_info=True)
            self._failed(str(error) if isinstance(error, InputError) else FAILED)
            return None
