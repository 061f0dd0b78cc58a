"""One setting as a control: the only place that knows which field gets which."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import NO_UNIT, Setting
from ptycho_nb.ui.drawing import Markup, Pane, close_all, tag

LABEL = "140px"
STEP = 0.05  # of a slider, in powers of ten
EMPTY = "empty"  # what an optional choice is called that has not been made


class Look:
    """The layouts and styles that the controls of a form share: one each would double the number of widgets."""

    def __init__(self) -> None:
        plain = widgets.Layout()
        self.pane = {"layout": plain, "style": Pane.style.klass()}
        self.row = {"layout": plain}
        self.slider = {"layout": widgets.Layout(width="96px", min_width="96px")}
        self.number = {"layout": plain, "style": widgets.Text.style.klass(description_width=LABEL)}
        self.choice = {"layout": plain, "style": widgets.Dropdown.style.klass(description_width=LABEL)}
        self.switch = {"layout": plain, "style": widgets.Checkbox.style.klass(description_width=LABEL)}

    def close(self) -> None:
        """Take them away, those that no control uses too."""
        close_all(*(part for parts in vars(self).values() for part in parts.values()))


class Field:
    """A setting on the screen: label, control, unit, help, and a line for what is wrong with it or changed.

    Attributes
    ----------
    setting : Setting
    box : widget
        Holds the value.
    widgets : tuple of widgets
        What goes into the form, in order: control, note, news.
    """

    def __init__(self, setting: Setting, look: Look, changed: Callable[[], None]) -> None:
        self.setting = setting
        self._changed = changed
        self.box = CONTROLS[_kind(setting)](setting, look)
        self.box.tooltip = setting.help
        self.slider = _slider(setting, look) if setting.log else None
        self._linking = False
        self._slid_to = self.slider.value if self.slider is not None else 0.0
        self._note = Pane(_note(setting), kind="note", **look.pane)
        self._news = Pane(kind="news", **look.pane)
        control = self.box if self.slider is None else widgets.HBox([self.box, self.slider], **look.row)
        self.widgets = (control, self._note, self._news)
        self.box.observe(self._typed, "value")
        if self.slider is not None:
            self.slider.observe(self._slid, "value")

    @property
    def value(self) -> Any:
        """What was entered, as the config is to check it; an optional setting left empty is None."""
        value = self.box.value
        if isinstance(value, str):
            value = value.strip()
            return None if self.setting.optional and not value else value
        return value

    @value.setter
    def value(self, value: Any) -> None:
        self.box.value = value if isinstance(self.box, widgets.Checkbox | widgets.Dropdown) else written(value)

    @property
    def disabled(self) -> bool:
        """Whether it cannot be edited now."""
        return bool(self.box.disabled)

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        for part in (self.box, self.slider):
            if part is not None:
                part.disabled = disabled

    def tell(self, problem: str | None, changed: bool) -> None:
        """Say under the control what is wrong, or that it is not at its default."""
        if problem:
            self._news.put(tag("div", problem, role="alert", class_="pnb-problem"))
        elif changed:
            default = written(self.setting.default) or emptiness(self.setting)
            self._news.put(tag("div", f"● changed; default {default}", class_="pnb-changed"))
        else:
            self._news.put()

    def _typed(self, _: Any) -> None:
        self._follow()
        self._changed()

    def _follow(self) -> None:
        """Move the slider to the number in the box, where it is one the slider can reach."""
        try:
            number = float(self.box.value)
        except ValueError:
            return
        if self.slider is None or self._linking or not 10**self.slider.min <= number <= 10**self.slider.max:
            return
        self._linking = True
        try:
            self._slid_to = self.slider.value = number
        finally:
            self._linking = False

    def _slid(self, _: Any) -> None:
        """Put the slider's number in the box, if a hand moved it: by itself it only goes to the nearest of its steps."""
        if self.slider is None or self._linking or abs(math.log10(self.slider.value / self._slid_to)) < 0.51 * STEP:
            return
        self._slid_to = self.slider.value
        self._linking = True
        try:
            value = float(f"{self.slider.value:.3g}")
            self.box.value = written(round(value) if self.setting.kind is int else value)
        finally:
            self._linking = False


def written(value: Any) -> str:
    """A value as it stands in a box: nothing for None, and never rounded."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def _kind(setting: Setting) -> str:
    if setting.choices:
        return "choice"
    return "switch" if setting.kind is bool else "number"


def _number(setting: Setting, look: Look) -> widgets.Text:
    """A plain text box: a number box would silently change what it cannot take."""
    empty = emptiness(setting) if setting.optional else ""
    return widgets.Text(written(setting.default), description=setting.label, placeholder=empty, continuous_update=False, **look.number)


def emptiness(setting: Setting) -> str:
    """What a setting left empty means, as its help says it: "no limit", "never"…"""
    said = re.search(r"empty: ([^;,]+)", setting.help)
    return said[1] if said else EMPTY


def _choice(setting: Setting, look: Look) -> widgets.Dropdown:
    options = [(str(choice).replace("_", " "), choice) for choice in setting.choices]
    if setting.optional:
        options.insert(0, (EMPTY, None))
    return widgets.Dropdown(options=options, value=setting.default, description=setting.label, **look.choice)


def _switch(setting: Setting, look: Look) -> widgets.Checkbox:
    return widgets.Checkbox(bool(setting.default), description=setting.label, **look.switch)


def _slider(setting: Setting, look: Look) -> widgets.FloatLogSlider:
    """The same number by hand; the box is its name and its keyboard."""
    low, high = math.log10(setting.ge or 1e-12), math.log10(setting.le or 1e12)
    start = setting.default if setting.default else 10 ** ((low + high) / 2)
    return widgets.FloatLogSlider(start, min=low, max=high, step=STEP, readout=False, tabbable=False, **look.slider)


def _note(setting: Setting) -> Markup:
    """The unit, and help behind a button that the keyboard reaches."""
    unit = [] if setting.unit == NO_UNIT else [tag("span", f"{setting.unit} ")]
    limits = "" if setting.kind is bool or setting.choices else f" Allowed: {setting.allowed}."
    words = f"{setting.help}.{limits} In Python: {setting.name}."
    button = tag("summary", "?", aria_label=f"Help on {setting.label}", title=setting.help)
    return tag("div", *unit, tag("details", button, words))


CONTROLS: dict[str, Callable[[Setting, Look], Any]] = {"choice": _choice, "switch": _switch, "number": _number}
