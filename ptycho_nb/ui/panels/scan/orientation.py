"""Orientation check: which way round the positions are, ranked by misfit and never turned by itself."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

import ptycho_nb
from ptycho_nb.history import Control
from ptycho_nb.orientation import CHOICES, Orientation
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Markup, Pane, tag

CLEAR = 0.95  # of the misfit of the one in use: a lower one is clearly better
STOPPED = "The check was stopped: ways round that are not in the table were not tried. "
OTHER = "look for another cause, such as the centre, the unit of the positions or the probe"
WHY = (
    "A poor quick look may come from axes recorded another way round. The check fits some patterns each way and ranks them; "
    "nothing is turned until you press Use this orientation."
)
FREE = (
    "Handedness is not in the data: with a free probe, negating both axes fits exactly as well (object and probe rotated by 180° and "
    "conjugated), so four pairs are ranked; which one of a pair is true, the lens, a known object or the stage has to tell."
)
FIXED = (
    "With the probe fixed all eight are ranked, but the rank within a pair follows the sign of the guessed defocus: a guess of the wrong "
    "sign ranks the twin first. Handedness is not in the data."
)


class OrientationCheck:
    """A button to rank the ways round, the ranking, and a choice that a person applies.

    Attributes
    ----------
    widget : widgets.VBox
    button, use : widgets.Button
    probe, choice : widgets.Dropdown
    ranking : list of Orientation
    """

    def __init__(self) -> None:
        style = {"description_width": "initial"}
        self.button = widgets.Button(description="Orientation check", tooltip="Rank the ways round of the positions; changes nothing")
        self.probe = widgets.Dropdown(
            options=[("free: four pairs", True), ("fixed as given: all eight", False)],
            description="Probe",
            tooltip="Fit the probe too, or believe the scan's",
            style=style,
        )
        self.choice = widgets.Dropdown(
            options=[(way.words, i) for i, way in enumerate(CHOICES)],
            description="Orientation",
            tooltip="How to turn the positions as recorded",
            style=style,
        )
        self.use = widgets.Button(description="Use this orientation", tooltip="Turn the positions of this scan so; the file stays as it is")
        for box in (self.probe, self.choice):
            box.layout.width = "max-content"
        self.news, self.table = Pane(role="status", kind="news"), Pane(kind="ranking")
        bars = [widgets.HBox([self.button, self.probe]), widgets.HBox([self.choice, self.use])]
        for bar in bars:
            bar.add_class("pnb-bar")
        self.widget = widgets.VBox([Pane(tag("p", WHY)), bars[0], self.news, self.table, bars[1]])
        self.ranking: list[Orientation] = []
        self._why = FREE
        self.offer(False)

    def offer(self, offered: bool) -> None:
        """Show or hide it."""
        self.widget.layout.display = None if offered else "none"

    @property
    def offered(self) -> bool:
        """Whether it can be seen."""
        return self.widget.layout.display != "none"

    @property
    def chosen(self) -> Orientation:
        """What the person chose."""
        return CHOICES[self.choice.value]

    def clear(self) -> None:
        """Forget the ranking and the choice, and hide."""
        self.ranking = []
        self.news.put()
        self.table.put()
        self.choice.value = 0
        self.offer(False)

    def run(self, recorded: Scan, used: Orientation, control: Control) -> None:
        """Rank the ways round of the positions as they were recorded; blocks."""
        free = bool(self.probe.value)
        self.ranking = ptycho_nb.rank_orientations(recorded, free_probe=free, control=control)
        self._why = f"{STOPPED if control.stopping else ''}{FREE if free else FIXED}"
        self.news.put(tag("p", _verdict(self.ranking, used)))
        self.table.put()
        self.tell(used)

    def tell(self, used: Orientation) -> None:
        """Show the ranking against the one in use."""
        if self.ranking:
            self.news.put(tag("p", _verdict(self.ranking, used)))
            self.table.put(_table(self.ranking, used), tag("p", self._why))


def same(one: Orientation, other: Orientation | None) -> bool:
    """Whether both turn the positions alike."""
    return other is not None and turn(one) == turn(other)


def turn(way: Orientation) -> dict[str, bool]:
    """The orientation as ``Scan.oriented`` takes it, what it leaves out left out."""
    flags = {"transpose": way.transpose, "flip_rows": way.flip_rows, "flip_columns": way.flip_columns}
    return {name: True for name, on in flags.items() if on}


def _in_use(way: Orientation, used: Orientation) -> bool:
    return same(used, way) or same(used, way.equal)


def _table(ranking: Sequence[Orientation], used: Orientation) -> Markup:
    pairs = any(way.equal is not None for way in ranking)
    columns = ("Rank", "Positions", *(["Fits exactly as well"] if pairs else []), "Misfit R", "In use")
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    rows = []
    for rank, way in enumerate(ranking, 1):
        partner = [way.equal.words if way.equal is not None else ""] if pairs else []
        cells = (rank, way.words, *partner, f"{way.misfit:.3f}", "in use" if _in_use(way, used) else "")
        rows.append(tag("tr", *(tag("td", cell) for cell in cells)))
    return tag("table", tag("caption", "Ways round of the positions as recorded, the best fit first"), head, *rows, class_="pnb-facts")


def _verdict(ranking: Sequence[Orientation], used: Orientation) -> str:
    if not ranking:
        return "The check was stopped before anything could be ranked."
    best, now = ranking[0], next((way for way in ranking if _in_use(way, used)), None)
    if now is None:
        return f"{_capital(best.words)} fits best."
    if best is now:
        return f"The one in use fits best; where the quick look stays poor, {OTHER}."
    if best.misfit > CLEAR * now.misfit:
        return f"None fits clearly better than the one in use; {OTHER}."
    better = f"{_capital(best.words)} fits clearly better than the one in use, R {best.misfit:.3f} against {now.misfit:.3f}"
    return f"{better}: choose it under Orientation, then press Use this orientation."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
