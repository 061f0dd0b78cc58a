"""The designer's controls: the settings of a simulation that one plans with, as sliders and choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import NO_UNIT, Setting, SimulationConfig
from ptycho_nb.ui.drawing import Pane, tag
from ptycho_nb.ui.lessons.dial import Dial

WIDEST = 0.6  # of the window, that a simulated probe may be wide
SIZES = (16, 32, 48, 64, 96, 128, 192, 256)  # px of a pattern
CHOICES = ("object", "probe", "scan")
SLIDERS: dict[str, tuple[float, float, float]] = {  # least, greatest, step: of use, where more is allowed
    "probe_diameter": (4.0, 38.4, 0.5),
    "defocus": (-4.0, 4.0, 0.1),
    "overlap": (0.0, 0.95, 0.01),
    "nphotons": (10.0, 1e9, 0.1),
    "position_error": (0.0, 5.0, 0.05),
    "jitter": (0.0, 0.5, 0.01),
    "height": (64, 512, 8),
    "width": (64, 512, 8),
}
GROUPS = {
    "What is seen": ("object", "height", "width"),
    "Probe": ("probe", "probe_diameter", "defocus", "nphotons"),
    "Scan": ("scan", "overlap", "step", "jitter", "position_error"),
    "Detector": ("N",),
}
STEP_TIP = "Distance of neighbouring positions; the same as the overlap: overlap = 1 - step / diameter"


class Settings:
    """Controls for a ``SimulationConfig``; what has none stays as given.

    Attributes
    ----------
    widget : widgets.VBox
    dials : dict of str to Dial
        By the field; "step" sets the overlap.
    choices : dict of str to widgets.Dropdown
        By the field.
    """

    def __init__(self, config: SimulationConfig, changed: Callable[[], object]) -> None:
        self._base, self._tell, self._quiet = config, changed, False
        known = {s.name: s for s in config.settings()}
        self.dials = {name: self._dial(known[name], getattr(config, name)) for name in SLIDERS}
        self.dials["step"] = Dial("Step [px]", (0.1, 38.4, 0.1), self._step, STEP_TIP, self._stepped)
        self.choices = {name: self._choice(known[name], known[name].choices, getattr(config, name)) for name in CHOICES}
        sizes = sorted({*SIZES, config.N})
        self.choices["N"] = self._choice(known["N"], sizes, config.N)
        for box in self.choices.values():
            box.observe(lambda _: self._changed(), "value")
        self.widget = widgets.VBox([part for title, names in GROUPS.items() for part in self._group(title, names)])
        self.widget.add_class("pnb-plan")
        self._follow()

    def _group(self, title: str, names: tuple[str, ...]) -> list[widgets.Widget]:
        controls = [self.dials[name].widget if name in self.dials else self.choices[name] for name in names]
        return [Pane(tag("h4", title)), *controls]

    def _dial(self, setting: Setting, value: float) -> Dial:
        low, high, step = SLIDERS[setting.name]
        reach = (min(low, value), max(high, value), step)
        return Dial(_named(setting), reach, value, f"{setting.help}. In Python: {setting.name}.", self._changed, log=setting.log)

    def _choice(self, setting: Setting, options: Any, value: Any) -> widgets.Dropdown:
        tip = f"{setting.help}. In Python: {setting.name}."
        style, width = {"description_width": "initial"}, {"width": "auto", "max_width": "330px"}
        return widgets.Dropdown(options=list(options), value=value, description=_named(setting), tooltip=tip, style=style, layout=width)

    @property
    def config(self) -> SimulationConfig:
        """What the controls say.

        Raises
        ------
        ConfigError
            A setting lies outside what the config allows.
        """
        values = {name: dial.value for name, dial in self.dials.items() if name != "step"}
        return self._base.replace(**values, **{name: box.value for name, box in self.choices.items()})

    def set(self, config: SimulationConfig) -> None:
        """Show these settings, and tell once."""
        self._base, self._quiet = config, True
        try:
            sizes = self.choices["N"]
            sizes.options = sorted({*sizes.options, config.N})
            for name, box in self.choices.items():
                box.value = getattr(config, name)
            for name in SLIDERS:
                dial, value = self.dials[name], getattr(config, name)
                dial.limit(min(dial.limits[0], value), max(dial.limits[1], value))
                dial.value = value
        finally:
            self._quiet = False
        self._changed()

    @property
    def _step(self) -> float:
        return round((1 - self.dials["overlap"].value) * self.dials["probe_diameter"].value, 3)

    def _changed(self) -> None:
        """A control was moved."""
        if not self._quiet:
            self._follow()
            self._tell()

    def _stepped(self) -> None:
        """The step was moved: the overlap follows."""
        self.dials["overlap"].value = round(1 - self.dials["step"].value / self.dials["probe_diameter"].value, 4)
        self._tell()

    def _follow(self) -> None:
        """What is possible, and the step, by the other settings."""
        widest = WIDEST * self.choices["N"].value
        diameter = self.dials["probe_diameter"]
        if diameter.limits[1] != widest:
            diameter.limit(min(diameter.limits[0], widest), widest)
        low, high = (round((1 - overlap) * diameter.value, 3) for overlap in (SLIDERS["overlap"][1], SLIDERS["overlap"][0]))
        if self.dials["step"].limits[:2] != (low, high):
            self.dials["step"].limit(low, high)
        self.dials["step"].value = self._step


def _named(setting: Setting) -> str:
    """What it is called, with its unit where the name has not said it."""
    return setting.label if setting.unit == NO_UNIT or setting.unit in setting.label.lower() else f"{setting.label} [{setting.unit}]"
