"""One run of the Reconstruct panel, while it goes on and after: what Object, Patterns and Runs are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import Config
from ptycho_nb.history import History, Preview, State
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import shrunk
from ptycho_nb.ui.forms import Source, show_python

FRAMES = 40  # kept at most, evenly over the run
WIDEST = 128  # px of a kept frame


@dataclass(frozen=True, eq=False)
class Moment:
    """The object at some time of a run, decimated.

    Attributes
    ----------
    seconds : float
        Running time [s].
    step : int
    object : complex64, shape (h, w), at most 128 px wide
        Its scanned region.
    """

    seconds: float
    step: int
    object: NDArray[np.complex64]


class Film:
    """At most 40 moments of a run, its first and last among them; when it is full every second one goes and the next come half as often."""

    def __init__(self, most: int = FRAMES) -> None:
        self._most, self._stride, self._seen = most, 1, 0
        self.moments: tuple[Moment, ...] = ()

    def take(self, seconds: float, step: int, seen: Preview, inside: tuple[slice, slice]) -> None:
        """Keep this moment, if it is its turn."""
        if self._seen % self._stride == 0:
            if len(self.moments) == self._most:
                self.moments = self.moments[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self.moments = (*self.moments, _moment(seconds, step, seen, inside))
        self._seen += 1

    def take_last(self, seconds: float, step: int, seen: Preview, inside: tuple[slice, slice]) -> None:
        """Keep this one whosever turn it is: the run has ended."""
        kept = self.moments[: self._most - 1]
        self.moments = (*kept, _moment(seconds, step, seen, inside))


def _moment(seconds: float, step: int, seen: Preview, inside: tuple[slice, slice]) -> Moment:
    return Moment(seconds, step, shrunk(seen.object[inside], WIDEST).astype(np.complex64))


@dataclass(eq=False)
class Run:
    """One run: settings, state, history and, in the end, result.

    The running thread writes, the screen reads; each attribute is set in one assignment.

    Attributes
    ----------
    number : int
        Counted from 1 in each kernel.
    method : str
        "Iterative", "Network" or "Network, then iterative".
    scan : Scan
    configs : mapping of str to Config
        The settings that the method takes, by section.
    histories : tuple of (str, History)
        Of each part of the run that has begun, the part's name first: "network", "iterative".
    state : State
    result : Reconstruction or None
    summary : str
        The run in words, at its end; or what ended it.
    film : Film
        The object as it grew.
    source : Source
        Where the scan comes from.
    code : tuple of str
        The lines of Python that make its result from the scan.
    """

    number: int
    method: str
    scan: Scan
    configs: Mapping[str, Config]
    histories: tuple[tuple[str, History], ...] = ()
    state: State = State.LOADING
    result: Reconstruction | None = None
    summary: str = ""
    film: Film = field(default_factory=Film)
    source: Source = None
    code: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its number and method."""
        return f"Run {self.number}: {self.method}"

    @property
    def python(self) -> str:
        """The program that makes its result, and all it went on from."""
        return show_python(self.code, self.source)

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that are not at their defaults, as "section.field"."""
        return {f"{section}.{name}": value for section, config in self.configs.items() for name, value in config.changes().items()}
