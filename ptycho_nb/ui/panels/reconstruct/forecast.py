"""What a run will take, told beside Start before it is pressed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ptycho_nb.errors import InputError
from ptycho_nb.estimate import estimate
from ptycho_nb.history import Control
from ptycho_nb.readers.source import size
from ptycho_nb.scan import Scan
from ptycho_nb.ui.panels.at_work import AtWork

log = logging.getLogger(__name__)

QUIET = 1.0  # s without an edit before it measures
MEASURING = "Estimate: timing a few steps …"
LONGEST = 30.0  # s that a run waits for a measurement to end


@dataclass(frozen=True)
class Question:
    """A scan, and the settings of a method by section."""

    scan: Scan
    configs: Mapping[str, Any]


class Forecast:
    """Times a few steps of the run that Start would begin, once nothing has been edited for a second.

    Parameters
    ----------
    tell : callable
        Told the words; called in the thread that measures, and with "" when they no longer hold.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._question: Question | None = None
        self._answered: tuple[Question, str] | None = None
        self._due = 0.0
        self._control = Control()
        self._lock, self._at_work = threading.Lock(), AtWork()
        self._changed = threading.Event()
        self._working = False

    def ask(self, question: Question | None) -> None:
        """Measure this soon, and nothing that was asked before; None: nothing."""
        with self._lock:
            if question is not None and question == self._question:
                return
            self._question, self._due = question, time.monotonic() + QUIET
            self._control.stop()
            self._changed.set()
            known = self._answered is not None and self._answered[0] == question
            self._tell(self._answered[1] if self._answered is not None and known else "")
            if question is None or known or self._working:
                return
            self._working = True
            self._at_work.begin()
        try:
            threading.Thread(target=self._measure, name="ptycho_nb estimate", daemon=True).start()
        except RuntimeError:  # the system gives none; Start says so
            log.exception("No thread could be started.")
            with self._lock:
                self._working, self._question = False, None
                self._at_work.end()

    def cancel(self) -> None:
        """Measure no more; what is measured now ends within a step."""
        self.ask(None)

    def wait(self, seconds: float = LONGEST) -> bool:
        """Block until nothing is measured; whether that came within this time."""
        return self._at_work.wait(seconds)

    def _measure(self) -> None:
        while True:
            with self._lock:
                self._changed.clear()
                question, rest = self._question, self._due - time.monotonic()
                if question is None or (self._answered is not None and self._answered[0] == question):
                    self._working = False
                    self._at_work.end()
                    return
                self._control = control = Control()
            if rest > 0:
                self._changed.wait(rest)
                continue
            with self._lock:
                if self._question is not question:
                    continue
                self._tell(MEASURING)
            words = _answer(question, control)
            with self._lock:
                if self._question is question:
                    self._answered = (question, words)
                    self._tell(words)


def _answer(question: Question, control: Control) -> str:
    try:
        found = estimate(question.scan, **question.configs, control=control)
    except InputError as error:
        return f"No estimate: {error}"
    except Exception:
        log.exception("The run could not be estimated.")
        return "No estimate: the log has the reason."
    room = f", about {size(found.bytes)} of memory beside the scan" if found.fits else ""
    return f"Estimate: {found.words}{room}"
