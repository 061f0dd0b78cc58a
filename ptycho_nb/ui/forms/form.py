"""Any config as a form: what is typed is checked by the config itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import ipywidgets as widgets

from ptycho_nb.config import Config
from ptycho_nb.errors import ConfigError
from ptycho_nb.ui.drawing import STYLE, Fold, OwnKeys, Pane, bundle_of, close_all, is_closed
from ptycho_nb.ui.forms.control import Field, Look

C = TypeVar("C", bound=Config)
OWN = "own"  # settings that are no preset


class Form(Generic[C]):
    """The settings of a config: a control each, the rarer ones folded away.

    Parameters
    ----------
    config : Config
        What it shows at first.
    title : str, optional
        The heading; what the config says of itself if none.

    Attributes
    ----------
    widget : widgets.VBox
    fields : dict of str to Field
        By the setting's name.
    problems : dict of str to str
        A sentence for each field that cannot take what was entered, by its label: names are for Python.
    """

    def __init__(self, config: C, title: str | None = None) -> None:
        self.kind = type(config)
        self._look = Look()
        self.fields = {s.name: Field(s, self._look, self._checked) for s in config.settings()}
        self.problems: dict[str, str] = {}
        self._listeners: list[Callable[[], None]] = []
        self._quiet = False
        self._alone: widgets.VBox | None = None  # what a cell of its own shows
        self._rare = [f for f in self.fields.values() if f.setting.advanced]
        self._fold = Fold([_grid(self._rare)], titles=("Advanced",), selected_index=None) if self._rare else None
        self.preset = widgets.Dropdown(
            options=[OWN, *self._presets()], description="Preset", tooltip="Settings that go together", layout={"width": "210px"}
        )
        self.reset = widgets.Button(description="Reset", tooltip="Every setting of this form back to its default", layout={"width": "80px"})
        self.widget = self._built(title or (self.kind.__doc__ or "").partition("\n")[0].removesuffix("."))
        self.preset.observe(self._chosen, "value")
        self.reset.on_click(lambda _: self.set(self.kind()))
        self.set(config)

    def _built(self, title: str) -> widgets.VBox:
        basic = [f for f in self.fields.values() if not f.setting.advanced]
        head = widgets.HBox([Pane(title, kind="title"), *([self.preset] if self._presets() else []), self.reset])
        head.add_class("pnb-bar")
        return widgets.VBox([Pane(STYLE, kind="style"), head, _grid(basic), *([] if self._fold is None else [self._fold])])

    def _presets(self) -> dict[str, C]:
        """By name, where they differ at all."""
        presets: dict[str, C] = {name: self.kind.preset(name) for name in self.kind.presets()}
        return presets if any(p != self.kind() for p in presets.values()) else {}

    @property
    def config(self) -> C:
        """What the form says, as a new frozen config.

        Raises
        ------
        ConfigError
            A field cannot take what was entered; ``problems`` holds the sentences.
        """
        try:
            return self.kind(**self._values())
        except ConfigError as error:
            raise ConfigError.of(self._by_label(error.problems)) from None

    def shows(self, config: Config) -> bool:
        """Whether this is what it says."""
        return not self.problems and self.config == config

    def set(self, config: C) -> None:
        """Show this config.

        Raises
        ------
        ConfigError
            It is of another kind.
        """
        if type(config) is not self.kind:
            raise ConfigError(f"This form edits {self.kind.__name__}, not {type(config).__name__}; give it one of its own kind.")
        with self._at_once():
            for name, field in self.fields.items():
                field.value = config.model_dump()[name]

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each edit, checked."""
        self._listeners.append(listener)

    @property
    def disabled(self) -> bool:
        """Whether nothing can be edited now."""
        return bool(self.reset.disabled)

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        self.reset.disabled = self.preset.disabled = disabled
        for field in self.fields.values():
            field.disabled = disabled

    def close(self) -> None:
        """Take the form away, with every widget of it."""
        close_all(self.widget, self.preset, *([] if self._alone is None else [self._alone]))
        self._look.close()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The form in a cell of its own, where no panel keeps its keys."""
        if self._alone is None and not is_closed(self.widget):
            self._alone = widgets.VBox([OwnKeys(), self.widget])
            self._alone.add_class("pnb-panel")
        return bundle_of(self, self.widget if self._alone is None else self._alone)

    def __repr__(self) -> str:
        return f"<Form of {self.kind.__name__}: {len(self.problems)} problems>"

    def _values(self) -> dict[str, Any]:
        return {name: field.value for name, field in self.fields.items()}

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Several edits, checked once at their end."""
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
            self._checked()

    def _checked(self) -> None:
        if self._quiet:
            return
        values = self._values()
        self.problems = self._by_label(self.kind.problems(values))
        good = self.kind(**{name: value for name, value in values.items() if name not in self.problems})
        changed = good.changes()
        for name, field in self.fields.items():
            field.tell(self.problems.get(name), name in changed)
        if self._fold is not None:
            self._fold.count_problems(0, sum(field.setting.name in self.problems for field in self._rare))
        self._name_preset(None if self.problems else good)
        for listener in list(self._listeners):
            listener()

    def _by_label(self, problems: Mapping[str, str]) -> dict[str, str]:
        """The config's sentences as one reads them beside the fields."""
        return {name: self._labelled(name, sentence) for name, sentence in problems.items()}

    def _labelled(self, name: str, sentence: str) -> str:
        """With the label of this field, and of those that it is compared to; what was entered stays as it is."""
        found, mark, wanted = sentence.removeprefix(f"{self.kind.__name__}.{name}").rpartition("; ")
        labels = {s.name: s.label for s in self.kind.settings()}
        return f"{labels[name]}{found}{mark}{re.sub(r'[a-z_]+', lambda word: labels.get(word[0], word[0]), wanted)}"

    def _name_preset(self, config: Config | None) -> None:
        name = next((name for name, preset in self._presets().items() if preset == config), OWN)
        if self.preset.value != name:
            self._quiet = True
            try:
                self.preset.value = name
            finally:
                self._quiet = False

    def _chosen(self, change: dict[str, Any]) -> None:
        if not self._quiet and change["new"] != OWN:
            self.set(self.kind.preset(change["new"]))


def _grid(fields: list[Field]) -> widgets.Box:
    grid = widgets.Box([w for field in fields for w in field.widgets])
    grid.add_class("pnb-form")
    return grid
