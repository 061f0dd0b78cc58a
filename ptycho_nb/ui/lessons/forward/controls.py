"""The explorer's controls: which object, where the probe stands, what it looks like, and how the lost phase is guessed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import SimulationConfig
from ptycho_nb.ui.lessons.dial import Dial
from ptycho_nb.ui.lessons.forward.words import EXCHANGES, GUESSES, OBJECTS

WIDEST = 0.6  # of the window, that a simulated probe may be wide
PROBES = ("zone_plate", "gaussian", "disk")


class Controls:
    """The widgets one plays with.

    Parameters
    ----------
    config : SimulationConfig
        The probe at first.
    size : (H, W)
        Of the object [px].
    changed, moved : callable
        Called after each change; after one of row or column instead.

    Attributes
    ----------
    object, guess, exchange : widgets.Dropdown
        What lies under the probe; what the lost phase is taken to be; which far fields are exchanged.
    kind : widgets.Dropdown
        Of the probe.
    row, column, diameter, defocus : Dial
    """

    def __init__(self, config: SimulationConfig, size: tuple[int, int], changed: Callable[[], object], moved: Callable[[], object]) -> None:
        self.object = _choice("Object", OBJECTS, "What lies under the probe; A and B are two objects")
        self.guess = _choice("Lost phase", GUESSES, "What the phase of the far field is taken to be")
        self.guess.value = "zero"
        self.exchange = _choice("Far field", EXCHANGES, "Whose far-field amplitude and whose far-field phase go together")
        self.kind = _choice("Probe", {kind: kind for kind in PROBES}, "What illuminates the object")
        self.kind.value = config.probe
        N, (height, width) = config.N, size
        place = "Centre of the probe; click or drag on the object too"
        self.row = Dial("Row [px]", (N // 2, height - N // 2, 0.5), height / 2, place, moved)
        self.column = Dial("Column [px]", (N // 2, width - N // 2, 0.5), width / 2, place, moved)
        tip = "Diameter that holds 90 % of the probe's energy"
        self.diameter = Dial("Probe diameter [px]", (4.0, WIDEST * N, 0.5), config.probe_diameter, tip, changed)
        self.defocus = Dial("Defocus [waves]", (-4.0, 4.0, 0.1), config.defocus, "Quadratic phase at the rim of the lens or beam", changed)
        for box in (self.object, self.guess, self.exchange, self.kind):
            box.observe(lambda _: changed(), "value")
        dials = [dial.widget for dial in (self.row, self.column, self.diameter, self.defocus)]
        self.probe = widgets.VBox([self.object, *dials[:2], self.kind, *dials[2:]])
        self.probe.add_class("pnb-plan")

    @property
    def position(self) -> tuple[float, float]:
        """Of the probe's centre (row, col) [px]."""
        return float(self.row.value), float(self.column.value)

    def stand(self, row: float, column: float) -> None:
        """Put the probe there, or at the nearest place where its window stays on the object."""
        for dial, at in ((self.row, row), (self.column, column)):
            low, high, _ = dial.limits
            dial.value = round(min(max(at, low), high), 2)


def _choice(name: str, options: dict[str, str], tip: str) -> Any:
    pairs = [(words, key) for key, words in options.items()]
    style, width = {"description_width": "initial"}, {"width": "auto", "max_width": "420px"}
    return widgets.Dropdown(options=pairs, description=name, tooltip=tip, style=style, layout=width)
