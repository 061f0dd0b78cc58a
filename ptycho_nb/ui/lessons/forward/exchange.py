"""Two objects whose far-field amplitudes and phases change places."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.figures.colours import limits, phase_scale
from ptycho_nb.lessons.design import exchanged, likeness
from ptycho_nb.lessons.design.waves import Complex
from ptycho_nb.ui.drawing import Markup, coloured, joined, picture, shrunk, tag
from ptycho_nb.ui.lessons.forward.words import EXCHANGES, MIXED

SMALL = 128  # px of a picture on the screen


def exchange_markup(pair: tuple[Complex, Complex], choice: str) -> Markup:
    """A, B and what comes out, and which of them it resembles, in pictures and in a table.

    Parameters
    ----------
    pair : (A, B)
        Complex objects (H, W).
    choice : str
        Whose amplitude and whose phase, of ``EXCHANGES``.
    """
    named = dict(zip(MIXED.split(), pair, strict=True))
    amplitude_of, *phase_of = choice.split()
    found = exchanged(named[amplitude_of], named[(phase_of or [amplitude_of])[0]])
    waves = {"A": pair[0], "B": pair[1], "Out": found}
    words = f"far field with {EXCHANGES[choice]}"
    rows = [
        tag("div", joined(*(draw(wave, name, words if name == "Out" else "") for name, wave in waves.items())), class_="pnb-pictures")
        for draw in (_amplitude, _phase)
    ]
    return joined(tag("div", *rows, class_="pnb-exchange"), _table(found, pair))


def _amplitude(wave: Complex, name: str, words: str) -> Markup:
    values = shrunk(np.abs(wave), SMALL)
    return picture(coloured(values, limits(values), "gray"), f"{name}: amplitude", words or f"Object {name}")


def _phase(wave: Complex, name: str, words: str) -> Markup:
    values = shrunk(np.angle(wave), SMALL)
    colours, norm, _ = phase_scale(values)
    return picture(coloured(values, norm, colours), f"{name}: phase", words or f"Object {name}")


def _table(found: Complex, pair: tuple[Complex, Complex]) -> Markup:
    """Correlation of what comes out with each object."""
    head = tag("tr", *(tag("th", word, scope="col") for word in ("What comes out correlates with", "A", "B")))
    rows = [
        tag("tr", tag("th", part, scope="row"), *(tag("td", f"{_alike(of(found), of(one))}") for one in pair))
        for part, of in (("in amplitude", np.abs), ("in phase", np.angle))
    ]
    return tag("table", head, *rows, class_="pnb-facts")


def _alike(one: NDArray[Any], other: NDArray[Any]) -> str:
    return f"{likeness(one, other):.2f}".replace("-", "\N{MINUS SIGN}")
