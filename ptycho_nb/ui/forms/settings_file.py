"""Settings kept in a file and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config_file import load_configs, save_configs
from ptycho_nb.errors import InputError
from ptycho_nb.ui.drawing import Pane, close_all
from ptycho_nb.ui.forms.destination import Destination
from ptycho_nb.ui.forms.form import Form


class SettingsFile:
    """A path, Save and Load for some forms.

    Parameters
    ----------
    forms : mapping of str to Form
        By the name of their section in a settings file.

    Attributes
    ----------
    widget : widgets.VBox
    """

    def __init__(self, forms: Mapping[str, Form[Any]]) -> None:
        self.forms = forms
        tip = "Where settings are kept: a .yaml or .json file"
        self.path = widgets.Text("settings.yaml", description="File", placeholder="settings.yaml", tooltip=tip, continuous_update=False)
        self.save = widgets.Button(description="Save settings", tooltip="Write every setting to this file, YAML or JSON by its ending")
        self.load = widgets.Button(description="Load settings", tooltip="Take every setting from this file")
        self.news, self.problem = Pane(role="status", kind="news"), Pane(role="alert", kind="problem")
        bar = widgets.HBox([self.path, self.save, self.load])
        bar.add_class("pnb-bar")
        self.widget = widgets.VBox([bar, self.news, self.problem])
        self._destination = Destination("settings.yaml", self.news.put)
        self.path.observe(lambda _: self._destination.forget(), "value")
        self.save.on_click(lambda _: self._guarded(self._save))
        self.load.on_click(lambda _: self._guarded(self._load))

    @property
    def disabled(self) -> bool:
        """Whether nothing can be loaded now."""
        return bool(self.load.disabled)

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        self.load.disabled = disabled

    def close(self) -> None:
        """Take it away."""
        close_all(self.widget)

    def _guarded(self, action: Callable[[], object]) -> None:
        self.news.put()
        self.problem.put()
        try:
            action()
        except InputError as error:
            self.problem.put(str(error))

    def _save(self) -> None:
        configs = [form.config for form in self.forms.values()]
        path = self._destination.path(self.path.value.strip())
        if self._destination.may_write(path, "Save settings"):
            save_configs(path, *configs)
            self.news.put(f"Saved: {path}")

    def _load(self) -> None:
        path = self._destination.path(self.path.value.strip())
        configs = load_configs(path)
        for section, form in self.forms.items():
            form.set(configs[section])
        self.news.put(f"Loaded: {path}")
