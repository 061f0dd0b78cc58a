"""Plain outputs that stay in the notebook: live while the kernel lives, still there when it is reopened anywhere."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython
from IPython.display import DisplayHandle

from ptycho_nb.figures import Picture

PNG = "image/png"


class Keepsake:
    """One output of a cell, that can be shown something else later, from any thread.

    Outside a notebook it stays silent.
    """

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

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


def pictured(picture: Picture) -> dict[str, Any]:
    """A picture as the output of a cell, with its words."""
    return {PNG: picture._repr_png_(), "text/plain": repr(picture)}
