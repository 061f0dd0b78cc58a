"""What a run leaves in the notebook: the object and the loss as plain pictures, there when it is opened again."""

from __future__ import annotations

from typing import Any

from ptycho_nb.figures import losses_of_parts, object_pair
from ptycho_nb.history import History
from ptycho_nb.result import Reconstruction
from ptycho_nb.ui.drawing import Keepsake, pictured

Parts = tuple[tuple[str, History], ...]
KEPT = "Object and loss of the last run, which stay when the notebook is saved:"


class Remains:
    """Outputs of the cell that shows a panel, empty until a run ends: a line, the object, its loss."""

    def __init__(self) -> None:
        self._words, self._object, self._curve = Keepsake(), Keepsake(), Keepsake()
        self._last: tuple[Reconstruction | None, Parts] = None, ()

    def show(self) -> None:
        """Put them under the cell that runs now."""
        self._words.show()
        self._object.show()
        self._curve.show()

    def keep(self, result: Reconstruction | None, parts: Parts = ()) -> None:
        """Show this object from now on, and its loss: of each part of its run, where they were told once."""
        if parts:
            self._last = result, parts
        if result is None or not self._object.shown:
            return
        self._words.put({"text/markdown": f"*{KEPT}*", "text/plain": KEPT})
        self._object.put(pictured(object_pair(result)))
        if result.history is not None:
            known = self._last[1] if self._last[0] is result else (("", result.history),)
            if done := [(name, history) for name, history in known if history.epochs]:
                self._curve.put(pictured(losses_of_parts(done)))


def bundle(result: Reconstruction | None) -> dict[str, Any]:
    """The picture of a result, for where widgets cannot be shown."""
    return {} if result is None else pictured(object_pair(result))
