"""Work of a panel beside a free kernel: one piece at a time, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ptycho_nb.errors import InputError
from ptycho_nb.history import Control
from ptycho_nb.ui.panels.at_work import AtWork
from ptycho_nb.ui.panels.failures import NO_THREAD, in_a_sentence

log = logging.getLogger(__name__)

LONGEST_END = 60.0  # s that close waits for the work to end


class Task:
    """Runs one piece of work at a time; what goes wrong becomes a sentence.

    Parameters
    ----------
    failed : callable
        Told the sentence.
    changed : callable
        Told whether work is under way, after each change and when asked to; the last that it is told is true.
    """

    def __init__(self, failed: Callable[[str], object], changed: Callable[[bool], object]) -> None:
        self._failed, self._changed = failed, changed
        self._claimed, self._at_work = threading.Lock(), AtWork()
        self._turn = threading.Lock()  # held while work is claimed or the panel closed
        self._telling = threading.RLock()
        self._control = Control()
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether work is under way."""
        return self._claimed.locked()

    def start(self, work: Callable[[Control], object]) -> bool:
        """Do this in a thread; False, and nothing happens, where something is under way."""
        if not self._claim():
            return False
        try:
            threading.Thread(target=self._do, args=(work,), name="ptycho_nb task", daemon=True).start()
        except RuntimeError:
            log.exception("No thread could be started.")
            self._claimed.release()
            self._at_work.end()
            self._failed(NO_THREAD)
        return True

    def run(self, work: Callable[[Control], object]) -> bool:
        """Do this now; blocks. False, and nothing happens, where something is under way."""
        if not self._claim():
            return False
        self._do(work)
        return True

    def reflect(self) -> None:
        """Tell ``changed`` again whether work is under way: something else that it shows has changed."""
        with self._telling:  # asked and told in one: no thread tells an older state after a newer
            self._changed(self.busy)

    def stop(self) -> None:
        """Ask the work to end: its Control says so."""
        self._control.stop()

    def wait(self, seconds: float = LONGEST_END) -> bool:
        """Block until nothing is under way; whether that came within this time."""
        return self._at_work.wait(seconds)

    def close(self) -> None:
        """Stop, wait, and take no more work; from within the work itself without the wait."""
        with self._turn:
            self._closed = True
        self.stop()
        self.wait()

    def _claim(self) -> bool:
        with self._turn:
            if self._closed or not self._claimed.acquire(blocking=False):
                return False
            self._control = Control()
            self._at_work.begin()
            return True

    def _do(self, work: Callable[[Control], object]) -> None:
        self._at_work.mine()
        try:
            self.reflect()
            work(self._control)
        except (Exception, SystemExit) as error:
            log.log(logging.INFO if isinstance(error, InputError) else logging.ERROR, "The work failed.", exc_info=True)
            self._failed(in_a_sentence(error, "This"))
        finally:
            self._claimed.release()
            try:
                self.reflect()
            finally:
                self._at_work.end()
