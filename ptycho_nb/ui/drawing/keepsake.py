"""Plain outputs that stay in the notebook: live while the kernel lives, still there when it is reopened anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from IPython import get_ipython
from IPython.display import DisplayHandle

from ptycho_nb.figures import Picture
from ptycho_nb.ui.drawing.ahead import load_ahead

PNG = "image/png"


class Keepsake:
    """One output of a cell, that can be shown something else later, from any thread.

    Outside a notebook it stays silent.
    """

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._showing = threading.Lock()
        self._above: object = None  # the picture of the panel that it stands below

    @property
    def shown(self) -> bool:
        """Whether a cell has it."""
        return self._handle is not None

    def show(self, bundle: dict[str, Any] | None = None) -> None:
        """Put it under the cell that runs now, with this in it."""
        if get_ipython() is not None:  # a script has no cells
            self._handle = DisplayHandle()  # type: ignore[no-untyped-call]
            self._handle.display(bundle or {"text/plain": ""}, raw=True)  # type: ignore[no-untyped-call]

    def put(self, bundle: dict[str, Any]) -> None:
        """Show this from now on."""
        if self._handle is not None:
            self._handle.update(bundle, raw=True)  # type: ignore[no-untyped-call]

    def show_below(self, panel: Callable[[], Mapping[str, Any]]) -> None:
        """Put a panel under the cell that runs now, and below it this, empty until there is another picture than the panel's own.

        Parameters
        ----------
        panel : callable
            Gives the panel as an output of a cell, with the picture that it has now.
        """
        with self._showing:
            bundle = dict(panel())
            self._above = bundle.get(PNG)
            Keepsake().show(bundle)
            self.show()
            load_ahead()

    def keep(self, still: Callable[[], Mapping[str, Any]]) -> None:
        """Show the picture that this gives from now on; it is not asked where no cell has the output."""
        with self._showing:  # a panel on its way to the screen has it, or is told of it after
            if self._handle is None:
                return
            bundle = dict(still())
            if bundle.get(PNG) != self._above:
                self.put(bundle)


def pictured(picture: Picture) -> dict[str, Any]:
    """A picture as the output of a cell, with its words."""
    return {PNG: picture._repr_png_(), "text/plain": repr(picture)}
