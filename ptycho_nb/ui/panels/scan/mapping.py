"""Map fields: what each array of a file is, and what the file does not say, chosen by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from ptycho_nb.errors import ScanError
from ptycho_nb.files import StrPath, shown
from ptycho_nb.readers import ArrayInfo, open_arrays
from ptycho_nb.readers.request import ORIGINS, QUANTITIES, UNITS
from ptycho_nb.readers.roles import find, proposals
from ptycho_nb.ui.drawing import Pane, joined, tag

ROLES = {"patterns": "patterns", "positions": "positions (row, col)", "y": "y: rows", "x": "x: columns", "probe": "probe", "mask": "mask"}
ON_SCREEN = {"um": "µm"}
BY_HAND = "Choose a role for each array under Map fields."
MOST = 60  # arrays of one file
SETTING = {"description_width": "9.5em"}
LABEL = 32  # characters of an array's name beside its box
TEXTS = {  # argument of load_scan: label, an example, help
    "energy_ev": ("Energy [eV]", "8000", "Photon or electron energy; with distance and detector pixel it gives the object pixel"),
    "distance_m": ("Distance [m]", "2.5", "From the sample to the detector"),
    "detector_pixel_m": ("Detector pixel [m]", "75e-6", "Width of a detector pixel"),
    "probe_diameter": ("Beam width", "in focus", "Of the beam on the sample, in the unit of the positions; for a file without a probe"),
    "center": ("Centre [px]", "row, column", "Where the beam falls on the detector; the middle where left empty"),
    "crop": ("Crop [px]", "all", "Width of the square to keep round the centre"),
    "bin": ("Bin [px]", "1", "Detector pixels along each side that are summed into one"),
}
CHOICES: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "position_unit": ("Positions in", "by name, else px", tuple(UNITS), "Unit of the positions"),
    "quantity": ("Patterns hold", "by the numbers", QUANTITIES, "Counts, or amplitude = sqrt(counts)"),
    "zero_frequency": ("Zero frequency", "by the numbers", ORIGINS, "Where the undiffracted beam lies in each pattern"),
}


def advised(refusal: str, listing: bool) -> str:
    """Why a file was refused, and what in the map of its fields may help: roles where its arrays are listed, else what it names."""
    if listing:
        return f"{refusal.removesuffix(' It holds:')} {BY_HAND}"
    labels = {name: words[0] for name, words in CHOICES.items()} | {name: words[0] for name, words in TEXTS.items()}
    named = [label.partition(" [")[0] for argument, label in labels.items() if re.search(rf"\b{argument}\b", refusal)]
    return f"{refusal} Under Map fields: {', '.join(named)}." if named else refusal


@dataclass(frozen=True)
class Arrays:
    """What a file holds.

    Attributes
    ----------
    found : list of ArrayInfo
        Every array, with the role it seems to have.
    known : mapping of str to str
        The array in each role by the names in use; empty where patterns or positions are not among them.
    """

    found: list[ArrayInfo]
    known: Mapping[str, str]

    @classmethod
    def of(cls, path: StrPath) -> Arrays:
        """The arrays of a file; none is read.

        Raises
        ------
        ScanError
            The file cannot be read.
        """
        with open_arrays(path) as source:
            try:
                known = find(source, {})
            except ScanError:
                known = {}
            return cls(proposals(source.headers), known)

    @property
    def proposed(self) -> dict[str, str]:
        """A role for each array that seems to have one a person can choose."""
        if self.known:
            return {name: role for role, name in self.known.items() if role in ROLES}
        first = {info.role: info.name for info in reversed(self.found) if info.role in ROLES}
        if "positions" in first:
            first = {role: name for role, name in first.items() if role not in ("x", "y")}
        return {name: role for role, name in first.items()}


class _Row:
    """One array: its role, and what it is."""

    def __init__(self) -> None:
        layout = {"width": "30em", "max_width": "98%"}
        self.role = widgets.Dropdown(style={"description_width": "14em"}, tooltip="What this array is", layout=layout)
        self.words = Pane(kind="array")
        self.widget = widgets.HBox([self.role, self.words])
        self.widget.add_class("pnb-bar")

    def show(self, info: ArrayInfo, role: str) -> None:
        label = _label(info.name)
        own = info.role if info.role and info.role not in ROLES else ""
        self.role.options = [(f"{own}, by its name" if own else "left to its name", ""), *((words, key) for key, words in ROLES.items())]
        self.role.value = role
        self.role.description = label
        altered = f"{info.name}: " if label != info.name else ""
        self.words.put(f"{altered}shape {info.shape}, {str(info.dtype)[:20]}")


class FieldMap:
    """The arrays of one file with a role each, units, crop, centre and bin.

    Attributes
    ----------
    widget : widgets.VBox
    path : path or None
        The file whose arrays it shows.
    load : widgets.Button
        "Load with these"; what it does is the panel's.
    """

    def __init__(self) -> None:
        self.path: StrPath | None = None
        self._arrays = Arrays([], {})
        self._rows: list[_Row] = []
        self.title, self.more = Pane(kind="title"), Pane(kind="news")
        self.table = widgets.VBox()
        self.texts = {name: _text(name, *words) for name, words in TEXTS.items()}
        self.choices = {name: _choice(name, *words) for name, words in CHOICES.items()}
        self.load = widgets.Button(
            description="Load with these", tooltip="Read the file with these roles and units", button_style="primary"
        )
        self.hide = widgets.Button(description="Hide", tooltip="Leave the fields; what was entered stays until another file is mapped")
        self.hide.on_click(lambda _: self.fold())
        settings = widgets.HBox([*self.choices.values(), *self.texts.values()])
        bar = widgets.HBox([self.load, self.hide])
        for row in (settings, bar):
            row.add_class("pnb-bar")
        self.widget = widgets.VBox([self.title, self.table, self.more, settings, bar])
        self.widget.add_class("pnb-fields")
        self.fold()

    def fold(self) -> None:
        """Take it out of sight; what was entered stays."""
        self.widget.layout.display = "none"

    @property
    def shown(self) -> bool:
        """Whether it can be seen."""
        return self.widget.layout.display != "none"

    def show(self, path: StrPath, arrays: Arrays) -> None:
        """Show the arrays of a file; for one that is shown already, what was entered stays."""
        if path != self.path or [i.name for i in arrays.found] != [i.name for i in self._arrays.found]:
            self.path, self._arrays = path, arrays
            self._fill()
        self.widget.layout.display = None

    def _fill(self) -> None:
        seen = self._arrays.found[:MOST]
        while len(self._rows) < len(seen):
            self._rows.append(_Row())
        self.table.children = [row.widget for row in self._rows]
        for row in self._rows[len(seen) :]:
            row.widget.layout.display = "none"
        for row, info in zip(self._rows, seen, strict=False):
            row.show(info, self._arrays.proposed.get(info.name, ""))
            row.widget.layout.display = None
        for box in self.texts.values():
            box.value = ""
        for choice in self.choices.values():
            choice.value = ""
        count = len(self._arrays.found)
        self.title.put(f"Map fields: the {count} arrays of ", tag("b", shown(self.path or "")))
        left = f" {count - MOST} more arrays are not shown; name them in Python: load_scan." if count > MOST else ""
        words = "Patterns and positions (or x and y) are needed. Arrays left to their name are used where the reader knows it." + left
        self.more.put(joined(tag("div", words)))

    @property
    def arguments(self) -> dict[str, Any]:
        """What was chosen, as ``load_scan`` takes it; what the reader finds by itself is left out.

        Raises
        ------
        ScanError
            Two arrays have one role.
        """
        roles: dict[str, str] = {}
        for row, info in zip(self._rows, self._arrays.found[:MOST], strict=False):
            role = row.role.value
            if role in roles:
                raise ScanError(
                    f"Two arrays are called {ROLES[role]}: {_label(roles[role])} and {_label(info.name)}; leave one to its name."
                )
            if role:
                roles[role] = info.name
        given: dict[str, Any] = {role: roles[role] for role in ROLES if role in roles and roles[role] != self._arrays.known.get(role)}
        given |= {name: box.value for name, box in self.choices.items() if box.value}
        return given | {name: typed(box.value) for name, box in self.texts.items() if box.value.strip()}


def _text(name: str, label: str, example: str, words: str) -> widgets.Text:
    """A plain box: ``load_scan`` itself says what it cannot take."""
    return widgets.Text(description=label, placeholder=example, tooltip=f"{words}. In Python: {name}", style=SETTING)


def _choice(name: str, label: str, left: str, options: tuple[str, ...], words: str) -> widgets.Dropdown:
    choices = [(left, ""), *((ON_SCREEN.get(option, option), option) for option in options)]
    return widgets.Dropdown(options=choices, description=label, tooltip=f"{words}. In Python: {name}", style=SETTING)


def typed(text: str) -> Any:
    """What was typed: a whole number, a number, several between commas, or else the text itself."""
    if "," in text:
        return tuple(typed(part) for part in text.strip().strip("()[]").split(","))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()


def _label(name: str) -> str:
    """An array's name beside its box: no mathematics, nothing the screen cannot show."""
    plain = "".join(c if c.isprintable() and c not in "$\\" else "?" for c in name)
    return plain if len(plain) <= LABEL else f"{plain[: LABEL - 9]}…{plain[-8:]}"
