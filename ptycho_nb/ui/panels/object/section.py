"""What the folded parts of the Object panel have in common: drawn when they are open, and only when something changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import ipywidgets as widgets

from ptycho_nb.errors import InputError
from ptycho_nb.files import StrPath
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Pane, close_all, tag
from ptycho_nb.views import View

WORKING = "Working …"


@dataclass(frozen=True, eq=False)
class Entry:
    """A result that can be looked at.

    Attributes
    ----------
    number : int
        In the order they came, from 1.
    scan : Scan or None
        What it was made from, where that is known.
    python : str
        The program that makes it.
    inputs : tuple of paths
        Files that it was made from.
    unfit : bool
        Whether a scan was given with it that it cannot be of, and left out.
    """

    number: int
    result: Reconstruction
    scan: Scan | None = None
    python: str = ""
    inputs: tuple[StrPath, ...] = ()
    unfit: bool = False

    @property
    def name(self) -> str:
        """Number, method and scan."""
        return f"{self.number}: {self.result.method}, {self.result.name}"


@dataclass(frozen=True, eq=False)
class Shown:
    """What is on the screen: an entry, its view, and the other entries, the newest first."""

    entry: Entry
    view: View
    entries: tuple[Entry, ...]

    @property
    def result(self) -> Reconstruction:
        """What is looked at."""
        return self.entry.result

    @property
    def scan(self) -> Scan | None:
        """What it was made from."""
        return self.entry.scan


class Nothing(InputError):
    """There is nothing to draw, which is nobody's fault; the words say what would change that."""


class Section:
    """One folded part.

    Attributes
    ----------
    title : str
    slow : bool
        Whether drawing takes longer than a person waits: it is done apart from the view.
    widget : widgets.VBox
    pane : Pane
        What it shows.
    """

    title: ClassVar[str] = ""
    slow: ClassVar[bool] = False

    def __init__(self, above: Sequence[widgets.Widget] = ()) -> None:
        self.pane, self.problem = Pane(kind="section"), Pane(role="alert", kind="problem")
        self.widget = widgets.VBox([*above, self.problem, self.pane])
        self._drawn: tuple[object, ...] = ()

    def of(self, shown: Shown) -> tuple[object, ...]:
        """What the drawing depends on; it is drawn anew when one of these is another."""
        return (shown.view,)

    def draw(self, shown: Shown) -> None:
        """Draw into the pane.

        Raises
        ------
        InputError
            In a sentence, why there is nothing to draw.
        """
        raise NotImplementedError

    def update(self, shown: Shown) -> None:
        """Draw where something changed; what cannot be drawn is said."""
        depends = self.of(shown)
        if depends == self._drawn:
            return
        if self.slow:
            self.pane.put(WORKING)
        try:
            self.draw(shown)
            self.problem.put()
        except Nothing as why:
            self.pane.put(tag("p", str(why)))
            self.problem.put()
        except InputError as error:
            self.pane.put()
            self.problem.put(str(error))
        except Exception:
            self.pane.put()
            raise
        self._drawn = depends

    def let_go(self, shown: Shown) -> None:
        """Hold nothing of what is no longer there: what is to be drawn anew anyway may go from memory before."""
        if self._drawn != self.of(shown):
            self._drawn = ()

    def stop(self) -> None:
        """End work of its own that is under way."""

    def close(self) -> None:
        """Take it away."""
        self.stop()
        close_all(self.widget)
