"""The one widget that shows markup: what is no markup is escaped on its way in."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ptycho_nb.markup import NOTHING, Markup, code, escaped, joined, tag

__all__ = ["NOTHING", "Markup", "Pane", "code", "escaped", "joined", "tag"]


class Pane(widgets.HTML):  # type: ignore[misc]  # ipywidgets has no types
    """A place on the screen for text or a drawing; only ``put`` writes to it.

    Parameters
    ----------
    content
        What it shows at first; text is escaped, ``Markup`` stays.
    role : str, optional
        What it is to a screen reader: "status" for news, "alert" for a problem. ``OwnKeys`` gives it
        to the place, which stands while its text changes: what changes in it is read out.
    kind : str
        The class that the style sheet knows it by.
    """

    def __init__(self, *content: object, role: str | None = None, kind: str = "text", **traits: Any) -> None:
        super().__init__(**traits)
        self.add_class(f"pnb-{kind}")
        if role is not None:
            self.add_class(f"pnb-{role}")
        self.put(*content)

    def put(self, *content: object) -> int:
        """Show this and nothing else; the bytes that went to the screen, 0 where it showed this already."""
        page = joined(*content)
        if page == self.value:
            return 0
        self.value: str = str(page)
        return len(page.encode())
