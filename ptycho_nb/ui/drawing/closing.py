"""Widgets taken away whole: a dropped widget stays alive for ever, a closed one does not."""

from __future__ import annotations

from collections.abc import Iterator

import ipywidgets as widgets


def close_all(*roots: widgets.Widget) -> None:
    """Close these widgets and every one that belongs to them: children, layouts, styles, links."""
    for widget in list(dict.fromkeys(found for root in roots for found in _tree(root, set()))):
        widget.close()


def _tree(widget: widgets.Widget, seen: set[int]) -> Iterator[widgets.Widget]:
    if id(widget) in seen:
        return
    seen.add(id(widget))
    for value in list(widget.trait_values().values()):
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, widgets.Widget):
                yield from _tree(part, seen)
    yield widget
