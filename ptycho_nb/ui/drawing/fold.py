"""Parts of a panel that open and close under a header each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import traitlets

from ptycho_nb.quantities import several

CLOSED, OPEN = "▸", "▾"


class Fold(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Headers one below the other, of which at most one is open; each is a button that the keyboard reaches.

    The headers of ``ipywidgets.Accordion`` cannot be reached by the keyboard, so this is used
    in its place.

    Parameters
    ----------
    parts : sequence of Widget
        What lies under each header.
    titles : sequence of str
    selected_index : int or None
        Which is open.
    """

    selected_index = traitlets.Int(None, allow_none=True)

    def __init__(self, parts: Sequence[widgets.Widget], titles: Sequence[str], selected_index: int | None = None) -> None:
        self.parts = tuple(parts)
        self._titles, self._problems = list(titles), [0] * len(self.parts)
        self.headers = tuple(widgets.ToggleButton(tooltip="Open or close") for _ in self.parts)
        super().__init__([widget for pair in zip(self.headers, self.parts, strict=True) for widget in pair])
        self.add_class("pnb-fold")
        for number, header in enumerate(self.headers):
            header.add_class("pnb-header")
            header.observe(self._pressed(number), "value")
        self.observe(lambda _: self._arrange(), "selected_index")
        self.selected_index = selected_index
        self._arrange()

    @property
    def titles(self) -> tuple[str, ...]:
        """The words of the headers."""
        return tuple(self._titles)

    def set_title(self, number: int, title: str) -> None:
        """Other words for a header."""
        self._titles[number] = title
        self._arrange()

    def count_problems(self, number: int, problems: int) -> None:
        """Say in a header how many problems lie under it, so that a closed one hides none."""
        if problems != self._problems[number]:
            self._problems[number] = problems
            self._arrange()

    def _pressed(self, number: int) -> Any:
        def pressed(change: dict[str, Any]) -> None:
            if change["new"]:
                self.selected_index = number
            elif self.selected_index == number:
                self.selected_index = None

        return pressed

    def _arrange(self) -> None:
        """Show the part that is open and no other."""
        for number, (header, part) in enumerate(zip(self.headers, self.parts, strict=True)):
            is_open = number == self.selected_index
            header.description = f"{OPEN if is_open else CLOSED} {self._titles[number]}{self._told(number)}"
            header.value = is_open
            part.layout.display = None if is_open else "none"

    def _told(self, number: int) -> str:
        problems = self._problems[number]
        return f" ● {several(problems, 'problem')}" if problems else ""
