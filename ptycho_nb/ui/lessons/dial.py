"""A number set by hand or typed: a slider with its box."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ptycho_nb.ui.drawing import Pane
from ptycho_nb.ui.forms import written


class Dial:
    """A slider and the box that is its name, its number and its keyboard.

    Parameters
    ----------
    name : str
        What is set, with the unit.
    limits : (float, float, float)
        Least, greatest, step of the slider; the box takes any number between the first two, whole ones where the step is an int.
    value : float
        At first; one outside the limits is brought to the nearer of them, and that is said.
    tip : str
        The tooltip.
    changed : callable
        Called after each change, by hand or typed.
    log : bool
        Whether the slider moves in powers of ten; its step is then one of them.

    Attributes
    ----------
    widget : widgets.VBox
    box : widgets.Text
    slider : widgets.FloatSlider
    """

    def __init__(
        self, name: str, limits: tuple[float, float, float], value: float, tip: str, changed: Callable[[], object], *, log: bool = False
    ) -> None:
        self.name, self.limits, self._changed, self._log = name, limits, changed, log
        asked, value = value, min(max(value, limits[0]), limits[1])
        self._value, self._quiet = value, False
        width, style = {"width": "272px"}, {"description_width": "196px"}
        self.box = widgets.Text(written(value), description=name, tooltip=tip, continuous_update=False, layout=width, style=style)
        kind, (low, high) = (widgets.FloatLogSlider if log else widgets.FloatSlider), self._ends()
        wide = {"width": "auto", "flex": "1 1 96px"}
        self.slider = kind(value, min=low, max=high, step=limits[2], readout=False, tabbable=False, layout=wide)
        self.slider.tooltip = tip
        self._problem = Pane(role="alert", kind="problem")
        row = widgets.HBox([self.box, self.slider])
        row.add_class("pnb-dial")
        self.widget = widgets.VBox([row, self._problem])
        if asked != value:
            self._problem.put(f"{name}: {written(asked)} was asked for; {written(value)} is the nearest that can be shown here.")
        self.box.observe(self._typed, "value")
        self.slider.observe(self._slid, "value")

    @property
    def value(self) -> Any:
        """The number that holds: the last one within the limits."""
        return self._value

    @value.setter
    def value(self, value: float) -> None:
        self._hold(value)

    def limit(self, low: float, high: float) -> None:
        """Other limits from now on; the value keeps within them."""
        self.limits = (low, high, self.limits[2])
        self._quiet = True
        try:
            self.slider.max = max(self._ends()[1], self.slider.min)  # a slider's least never lies above its greatest
            self.slider.min, self.slider.max = self._ends()
        finally:
            self._quiet = False
        self._hold(min(max(self._value, low), high))

    def _ends(self) -> tuple[float, float]:
        """The slider's own least and greatest."""
        low, high, _ = self.limits
        return (math.log10(low), math.log10(high)) if self._log else (low, high)

    def _typed(self, _: Any) -> None:
        if self._quiet:
            return
        low, high, step = self.limits
        whole = isinstance(step, int)
        try:
            number = int(self.box.value) if whole else float(self.box.value)
        except ValueError:
            number = high + 1
        if not low <= number <= high:
            kind = "a whole number" if whole else "a number"
            self._problem.put(
                f"{self.name}: {self.box.value[:40] or 'nothing'} is entered; it must be {kind} in {written(low)} to {written(high)}."
            )
            return
        self._hold(number)
        self._changed()

    def _slid(self, _: Any) -> None:
        if self._quiet or (self._log and abs(math.log10(self.slider.value / self._value)) < self.limits[2] / 2):
            return  # nobody moved it: a slider goes to the nearest of its steps by itself
        whole = isinstance(self.limits[2], int)
        number = round(self.slider.value) if whole else float(f"{self.slider.value:.{3 if self._log else 6}g}")
        self._hold(number)
        self._changed()

    def _hold(self, number: float) -> None:
        """Take this number and show it in both."""
        self._quiet = True
        try:
            self._value = number
            self.box.value, self.slider.value = written(number), number
            self._problem.put()
        finally:
            self._quiet = False
