"""Panels that are made when they are first needed: each widget that a page begins with keeps it waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import ipywidgets as widgets

from ptycho_nb.ui.drawing import close_all


class Panel(Protocol):
    """What every panel has."""

    widget: widgets.VBox

    def close(self) -> None:
        """Take it away."""


P = TypeVar("P", bound=Panel)


class Later(Generic[P]):
    """The place of a panel, empty until the panel is asked for; from any thread.

    Parameters
    ----------
    make : callable
        Gives the panel.

    Attributes
    ----------
    widget : widgets.VBox
        Where the panel will be.
    """

    def __init__(self, make: Callable[[], P]) -> None:
        self.widget = widgets.VBox()
        self._make, self._lock = make, threading.Lock()
        self._panel: P | None = None
        self._closed = False

    @property
    def panel(self) -> P:
        """The one there is, or a new one; where the place is closed, one that is closed too."""
        with self._lock:
            if self._panel is None:
                self._panel = self._make()
                if self._closed:
                    self._panel.close()
                else:
                    self.widget.children = [self._panel.widget]
            return self._panel

    @property
    def made(self) -> P | None:
        """The one there is; waits for one that is being made."""
        with self._lock:
            return self._panel

    def close(self) -> None:
        """Take the place and its panel away."""
        with self._lock:
            self._closed = True
        if self._panel is not None:  # without the lock: a listener that it waits for may ask for the panel
            self._panel.close()
        close_all(self.widget)
