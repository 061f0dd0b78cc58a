"""The forms of the settings of a run, each made when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from ptycho_nb.config import CONFIGS, Config
from ptycho_nb.ui.forms import Form
from ptycho_nb.ui.panels.later import Later

TITLES = {
    "training": "Training",
    "model": "Network",
    "data": "Groups of patterns",
    "inference": "Stitching",
    "refinement": "Iterative fit",
}


class Forms(Mapping[str, Form[Any]]):
    """A form by its section; those of a network that nobody asks for are never made.

    Parameters
    ----------
    configs : mapping of str to Config
        What they show at first; the defaults where left out.
    edited : callable
        Called after each edit in any of them.

    Attributes
    ----------
    places : dict of str to Later
        Where each will stand.
    """

    def __init__(self, configs: Mapping[str, Config], edited: Callable[[], None]) -> None:
        self._edited = edited
        self._disabled = False
        self.places = {name: Later(partial(self._make, name, configs.get(name, CONFIGS[name]()))) for name in TITLES}

    def __getitem__(self, section: str) -> Form[Any]:
        return self.places[section].panel

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def _make(self, section: str, config: Config) -> Form[Any]:
        form = Form(config, TITLES[section])
        form.disabled = self._disabled
        form.on_change(self._edited)
        return form

    @property
    def problems(self) -> dict[str, dict[str, str]]:
        """By section, a sentence for each field; one that was never made has none."""
        made = {name: place.made for name, place in self.places.items()}
        return {name: {} if form is None else form.problems for name, form in made.items()}

    def disable(self, disabled: bool) -> None:
        """Whether nothing can be edited now; one that is made later follows."""
        self._disabled = disabled  # before the places are asked: what is being made has read it, or is waited for
        for place in self.places.values():
            form = place.made
            if form is not None and form.disabled is not disabled:
                form.disabled = disabled

    def close(self) -> None:
        """Take them away."""
        for place in self.places.values():
            place.close()
