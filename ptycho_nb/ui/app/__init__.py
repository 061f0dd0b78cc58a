"""App: the whole workflow in a cell."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ptycho_nb.config import Config
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.app.desk import EMPTY, LARGE, TITLES, Desk, Given
from ptycho_nb.ui.drawing import Keepsake, bundle_of, load_ahead
from ptycho_nb.ui.panels.remains import bundle

__all__ = ["EMPTY", "LARGE", "TITLES", "App", "Desk"]


class App:
    """The whole workflow in a cell: load or simulate a scan, reconstruct, look, compare, export.

    One kernel has one desk of panels. ``App()`` in a second cell, or after a reload of the
    page, shows it again with the run that is under way or was the last; what is given anew
    is taken up unless a run is under way.

    Parameters
    ----------
    scan : Scan, SimulationConfig or path, optional
        What to begin with.
    configs : configs
        Settings to begin with, one of a kind; what is left out stays.
    method : str, optional
        "Iterative", "Network" or "Network, then iterative".

    Raises
    ------
    InputError
        There is no such method.
    """

    def __init__(self, scan: Given | None = None, *configs: Config, method: str | None = None) -> None:
        self._desk = DESKS.current()
        self._desk.take(scan, configs, method)

    @property
    def scan(self) -> Scan | None:
        """The scan that is loaded."""
        return self._desk.scan.scan

    @property
    def result(self) -> Reconstruction | None:
        """Of the last run that gave one."""
        return self._desk.result

    @property
    def panels(self) -> Desk:
        """The panels: ``.scan``, ``.reconstruct``, ``.object``, ``.patterns``, ``.runs``."""
        return self._desk

    def close(self) -> None:
        """Stop what runs and take every panel away; the next ``App()`` begins anew."""
        DESKS.leave(self._desk)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panels; a picture of the last result, or else of the scan, where widgets cannot be shown."""
        desk = self._desk
        still = desk.scan._repr_mimebundle_() if self.result is None else bundle(self.result)
        return dict(still) | bundle_of(self, desk.widget, more=": run this cell to see the panels")

    def _ipython_display_(self) -> None:
        """The panels, and under them plain outputs for the pictures that stay."""
        shown = self._repr_mimebundle_()
        if self.result is not None:  # its picture stands below
            shown.pop("image/png", None)
        Keepsake().show(shown)
        self._desk.reconstruct.remains.show()
        self._desk.reconstruct.remains.keep(self.result)
        load_ahead()

    def __repr__(self) -> str:
        scan = self.scan
        return f"<App: {'no scan yet' if scan is None else scan.name}>"


class _Desks:
    """The desk of this kernel."""

    def __init__(self, make: Callable[[], Desk]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._desk: Desk | None = None

    def current(self) -> Desk:
        """The one there is, or a new one."""
        with self._lock:
            if self._desk is None:
                self._desk = self._make()
            return self._desk

    def leave(self, desk: Desk) -> None:
        """Close it; closed ones stay closed."""
        with self._lock:
            if self._desk is not desk:
                return
            self._desk = None
        desk.close()  # without the lock: a listener of the run that it waits for may ask for an App


DESKS = _Desks(Desk)
