"""What a cell shows of a panel, and of one that was taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets


def bundle_of(shown: object, widget: widgets.Widget, still: Callable[[], Mapping[str, Any]] = dict, *, more: str = "") -> dict[str, Any]:
    """The widget view, a picture for where widgets cannot be shown, and words; of a closed panel the words that it is.

    Parameters
    ----------
    shown : object
        The panel; its ``repr`` are the words.
    widget : Widget
        All of it.
    still : callable
        Gives the picture as an output of a cell; it is not asked once the widget is closed.
    more : str
        Said after the words.
    """
    if is_closed(widget):
        return {"text/plain": closed_in_words(shown)}
    return dict(widget._repr_mimebundle_()) | dict(still()) | {"text/plain": f"{shown!r}{more}"}


def is_closed(widget: widgets.Widget) -> bool:
    """Whether it was taken away: ipywidgets leaves of it what cannot be shown."""
    return widget.comm is None


def closed_in_words(shown: object) -> str:
    """That it is closed, and the way out."""
    name = type(shown).__name__
    return f"<{name}: closed; make a new {name} to go on>"
