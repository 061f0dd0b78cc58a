"""What a run will take, told beside Start before it is pressed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ptycho_nb
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control
from ptycho_nb.memory import memory
from ptycho_nb.readers.source import size
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import tag
from ptycho_nb.ui.panels.at_work import AtWork

log = logging.getLogger(__name__)

QUIET = 1.0  # s without an edit before it measures
MEASURING = "Estimate: timing a few steps …"
LONGEST = 30.0  # s that a run waits for a measurement to end
SURE = 2.0  # times the memory of the machine: what is told to need more does, for it is told within a factor of two
WAY_OUT = "crop or bin the patterns, use fewer of them, or lower the batch size."


@dataclass(frozen=True)
class Question:
    """A scan, and the settings of a method by section."""

    scan: Scan
    configs: Mapping[str, Any]


@dataclass(frozen=True)
class Room:
    """Main memory of a run on the processor [bytes].

    Attributes
    ----------
    needed : int
        Beside the scan, about.
    available, total : int
        What is free, and what the machine or its container grants.
    """

    needed: int
    available: int
    total: int

    @classmethod
    def of(cls, question: Question) -> Room | None:
        """That of a run; None where it cannot be told, or is a GPU's."""
        try:
            asked = [c.accelerator for c in question.configs.values() if "accelerator" in type(c).model_fields]
            if any(ptycho_nb.pick_device(name).type != "cpu" for name in asked):
                return None
            return cls(ptycho_nb.memory_needed(question.scan, **question.configs), *memory())
        except InputError:  # the settings do not fit the scan; the estimate says so
            return None
        except Exception:
            log.exception("The memory of the run could not be estimated.")
            return None

    @property
    def hopeless(self) -> bool:
        """Whether the run fails for certain."""
        return self.needed > SURE * self.total

    @property
    def short(self) -> bool:
        """Whether what is free is less than it needs."""
        return self.needed > self.available

    @property
    def words(self) -> str:
        """What is needed, what there is, and the way out."""
        there = f"{size(self.total)} are all there is" if self.hopeless else f"{size(self.available)} are free, so it may fail"
        return f"This run needs about {size(self.needed)} of memory and {there}: {WAY_OUT}"


class Forecast:
    """Times a few steps of the run that Start would begin, once nothing has been edited for a second.

    Where memory is short it says so at once, and times nothing: even a few steps need it.

    Parameters
    ----------
    tell : callable
        Told the words; called in the thread that measures, and with "" when they no longer hold.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._question: Question | None = None
        self._answered: tuple[Question, str] | None = None
        self._looked: Question | None = None  # the last one whose memory was looked at
        self._room: Room | None = None  # of that one
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

    def refuse(self, question: Question) -> None:
        """Refuse a run that the memory of this machine cannot hold.

        Raises
        ------
        InputError
            It fails for certain.
        """
        with self._lock:
            looked, room = self._looked, self._room
        room = room if looked == question else Room.of(question)
        if room is not None and room.hopeless:
            raise InputError(room.words)

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
                settled = self._answered is not None and self._answered[0] == question
                looked = self._looked is question
                if question is None or settled or (looked and self._room is not None and self._room.short):
                    self._working = False
                    self._at_work.end()
                    return
                self._control = control = Control()
            if not looked:
                self._look(question)
                continue
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

    def _look(self, question: Question) -> None:
        """Say it where memory is short."""
        room = Room.of(question)
        with self._lock:
            self._looked, self._room = question, room
            if self._question is question and room is not None and room.short:
                self._tell(tag("strong", room.words))


def _answer(question: Question, control: Control) -> str:
    try:
        found = ptycho_nb.estimate(question.scan, **question.configs, control=control)
    except InputError as error:
        return f"No estimate: {error}"
    except Exception:
        log.exception("The run could not be estimated.")
        return "No estimate: the log has the reason."
    room = f", about {size(found.bytes)} of memory beside the scan" if found.fits else ""
    return f"Estimate: {found.words}{room}"
