"""What a run leaves in the notebook: the object and the loss as plain pictures, there when it is opened again."""

from __future__ import annotations

from typing import Any

from ptycho_nb.figures import loss_curves, object_pair
from ptycho_nb.result import Reconstruction
from ptycho_nb.ui.drawing import Keepsake, pictured

KEPT = "Object and loss of the last run, which stay when the notebook is saved:"


class Remains:
    """Outputs of the cell that shows a panel, empty until a run ends: a line, the object, its loss."""

    def __init__(self) -> None:
        self._words, self._object, self._curve = Keepsake(), Keepsake(), Keepsake()

    def show(self) -> None:
        """Put them under the cell that runs now."""
        self._words.show()
        self._object.show()
        self._curve.show()

    def keep(self, result: Reconstruction | None) -> None:
        """Show this object and its loss from now on."""
        if result is None or not self._object.shown:
            return
        self._words.put({"text/markdown": f"*{KEPT}*", "text/plain": KEPT})
        self._object.put(pictured(object_pair(result)))
        if result.history is not None and result.history.epochs:
            self._curve.put(pictured(loss_curves(result.history)))


def bundle(result: Reconstruction | None) -> dict[str, Any]:
    """The picture of a result, for where widgets cannot be shown."""
    return {} if result is None else pictured(object_pair(result))
