"""Where a run stands, and the switch that stops or pauses it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType


class State(StrEnum):
    """Where a run stands, in a word."""

    IDLE = "idle"
    LOADING = "loading"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    DIVERGED = "diverged"
    FAILED = "failed"


class Control:
    """Asks a run, from any thread, to stop or to pause; it obeys within one step."""

    def __init__(self) -> None:
        self._turned = threading.Condition()
        self._stop = self._pause = False

    def stop(self) -> None:
        """End the run after this step and keep what there is; wakes a paused run."""
        self._turn(stop=True)

    def pause(self) -> None:
        """Hold the run after this step."""
        self._turn(pause=True)

    def resume(self) -> None:
        """Let a paused run go on."""
        self._turn(pause=False)

    def _turn(self, *, stop: bool = False, pause: bool = False) -> None:
        with self._turned:
            self._stop = self._stop or stop
            self._pause = pause and not self._stop
            self._turned.notify_all()

    @property
    def stopping(self) -> bool:
        """Whether the run has been asked to stop."""
        return self._stop

    @property
    def paused(self) -> bool:
        """Whether the run has been asked to pause."""
        return self._pause

    def wait_while_paused(self) -> None:
        """Block until resumed or stopped."""
        with self._turned:
            self._turned.wait_for(lambda: not self._pause)


@contextmanager
def interrupt_stops(control: Control) -> Iterator[None]:
    """The first Ctrl-C asks ``control`` to stop, a second one aborts. Only the main thread hears signals."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):  # None: set outside Python
        yield
        return

    def stop(_: int, __: FrameType | None) -> None:
        if control.stopping:
            raise KeyboardInterrupt
        control.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
