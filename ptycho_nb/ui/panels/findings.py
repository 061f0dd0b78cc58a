"""What looks wrong with a scan or a result, as a list on the page."""

from __future__ import annotations

from collections.abc import Iterable

from ptycho_nb.checks import Finding
from ptycho_nb.ui.drawing import Markup, tag


def listed(found: Iterable[Finding]) -> Markup:
    """A line each: how grave, what, why, and what to try."""
    return tag("ul", *(tag("li", tag("b", f"{str(f.severity).capitalize()}, {f.word}: "), f"{f.cause}. Try: {f.advice}.") for f in found))
