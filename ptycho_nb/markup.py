"""Markup made of escaped pieces: no foreign text reaches a page as HTML."""

from __future__ import annotations

import html

LONGEST = 400  # characters of one foreign text
VOID = ("img", "br", "meta")  # elements without an end


class Markup(str):
    """HTML or SVG whose foreign parts are escaped; only ``tag`` and ``joined`` make it."""

    __slots__ = ()


NOTHING = Markup("")


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """An element: text in it and in its attributes is escaped, ``Markup`` in it stays.

    Attributes that are None are left out; ``class_`` is class, ``aria_label`` is aria-label.
    """
    pairs = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    head = "".join(f' {key}="{value if isinstance(value, Markup) else escaped(value)}"' for key, value in pairs.items())
    return Markup(f"<{name}{head}>" if name in VOID else f"<{name}{head}>{joined(*content)}</{name}>")


def joined(*content: object) -> Markup:
    """Pieces one after the other, what is no ``Markup`` escaped."""
    return Markup("".join(c if isinstance(c, Markup) else escaped(c) for c in content))


def escaped(text: object) -> Markup:
    """Foreign text for a page: no control characters, at most 400 characters, every special character an entity."""
    kept = "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return Markup(html.escape(kept if len(kept) <= LONGEST else kept[: LONGEST - 1] + "…"))


def code(text: str) -> Markup:
    """A program as it stands, line by line and whole."""
    return Markup(f"<pre>{html.escape(text)}</pre>")
