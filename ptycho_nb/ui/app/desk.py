"""The desk: the panels in one cell, and what passes between them."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import Config, SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.files import StrPath
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import STYLE, Pane, close_all, tag
from ptycho_nb.ui.forms import Origin, Source, earlier_and_later, files_of, origin, same_origin
from ptycho_nb.ui.panels import ObjectPanel, PatternPanel, ReconstructPanel, RunsPanel, ScanPanel
from ptycho_nb.ui.panels.later import Later
from ptycho_nb.ui.panels.run import Run
from ptycho_nb.ui.panels.task import Task

Given = Scan | SimulationConfig | StrPath
TITLES = ("1 Scan", "2 Reconstruct", "3 Object", "4 Patterns", "5 Runs")
EMPTY = "No scan yet: choose a file or simulate a scan in 1 Scan."
LARGE = "pnb-large"


class Desk:
    """The five panels with one scan among them; there is one in a kernel, whichever cell shows it.

    Attributes
    ----------
    widget : widgets.VBox
    scan, reconstruct, object, patterns, runs : panels
    result : Reconstruction or None
        Of the last run that gave one, whatever scan is loaded now.
    """

    def __init__(self) -> None:
        self.news = Pane(role="status", kind="desk")
        self.problem = Pane(role="alert", kind="problem")
        self.large = widgets.Checkbox(value=False, description="Large type", indent=False, layout={"width": "max-content"})
        self.reset = widgets.Button(description="Reset", tooltip="Everything back to the beginning; asks once")
        self.sure = widgets.Button(description="Yes, forget everything", button_style="danger", tooltip="Runs, results and settings go")
        self.keep = widgets.Button(description="No, keep it", tooltip="Nothing changes")
        self.sure.layout.width = "max-content"
        self.tab = widgets.Tab(titles=TITLES)
        self._task = Task(self.problem.put, lambda _: None)
        self._closing = threading.Event()
        self._line, self._later = "", ""  # the news, and which scan waits for the end of a run
        self._turn = threading.Lock()
        self._asked: tuple[Given | None, tuple[Config, ...], str | None] | None = None  # by a cell that ran during a reset
        self.widget = self._built()
        self._place()
        self._ask(False)
        self.large.observe(self._enlarge, "value")
        self.tab.observe(lambda change: self._turn_to(change["new"]), "selected_index")
        self.reset.on_click(lambda _: self._ask(True))
        self.keep.on_click(lambda _: self._ask(False))
        self.sure.on_click(lambda _: self._clear())

    def _built(self) -> widgets.VBox:
        bar = widgets.HBox([Pane(tag("h2", "ptycho_nb")), self.large, self.reset, self.sure, self.keep])
        bar.add_class("pnb-bar")
        box = widgets.VBox([Pane(STYLE, kind="style"), bar, self.news, self.problem, self.tab])
        box.add_class("pnb-panel")
        box.add_class("pnb-app")
        return box

    def _place(self) -> None:
        """New panels, wired to each other."""
        self.result: Reconstruction | None = None
        self._recorded: tuple[Scan, Source] | None = None  # the scan on the desk before its positions were turned
        self._origin: Origin = None
        self._anew = ""
        self.scan, self.reconstruct = ScanPanel(), ReconstructPanel()
        self._object, self._patterns, self._runs = Later(ObjectPanel), Later(PatternPanel), Later(self._table)
        self._places = self.scan, self.reconstruct, self._object, self._patterns, self._runs
        self.scan.on_scan(self._take_scan)
        self.reconstruct.on_begin(self._begun)
        self.reconstruct.on_end(self._ended)
        self.tab.children = [place.widget for place in self._places]
        self.tab.titles = TITLES
        self.tab.selected_index = 0
        self.say(EMPTY)

    def _table(self) -> RunsPanel:
        runs = RunsPanel()
        runs.on_forget(self._forgot)
        return runs

    @property
    def object(self) -> ObjectPanel:
        """Results to look at; made when it is first asked for, as the next two are."""
        return self._object.panel

    @property
    def patterns(self) -> PatternPanel:
        """Patterns measured and explained."""
        return self._patterns.panel

    @property
    def runs(self) -> RunsPanel:
        """Runs to compare."""
        return self._runs.panel

    def _turn_to(self, number: int | None) -> None:
        """What a tab shows is there once it is looked at."""
        place = None if number is None else self._places[number]
        if isinstance(place, Later):
            _ = place.panel

    @property
    def panels(self) -> tuple[ScanPanel, ReconstructPanel, ObjectPanel, PatternPanel, RunsPanel]:
        """In the order on the screen."""
        return self.scan, self.reconstruct, self.object, self.patterns, self.runs

    def say(self, line: str) -> None:
        """News, in a line above the panels."""
        self._line = line
        self.news.put(f"{line} {self._later}".strip())

    def take(self, given: Given | None, configs: tuple[Config, ...], method: str | None) -> None:
        """Set what a cell asks for; a run under way keeps its own, and a scan that is here already stays, its positions turned or not.

        Raises
        ------
        InputError
            There is no such method, or a setting of a kind the panel has no form for.
        """
        with self._turn:
            if self._closing.is_set():
                self._asked = given, configs, method
                return
        self.problem.put()
        settled, here = self.reconstruct.shows(*configs, method=method), given is None or same_origin(self._origin, origin(given))
        if self.reconstruct.busy and not (settled and here):
            self.problem.put("A run is under way and keeps its scan and settings; stop it, then run this cell again.")
            return
        if not settled:
            self.reconstruct.set(*configs, method=method)
        if given is not None and not here:
            self.scan.open(given)

    def _take_scan(self) -> None:
        """A new scan is there: take it up, now or at the end of the run."""
        if self.scan.recorded is not None and self.scan.recorded is not self._recorded:
            self._recorded = scan, source = self.scan.recorded
            now = origin(scan if source is None else source)
            self._anew = ", changed since it was last taken up" if earlier_and_later(self._origin, now) else ""
            self._origin = now
        if not self._took_scan():
            self._task.start(lambda _: self._take_later())

    def _took_scan(self) -> bool:
        """Hand the scan on; False, and it is said, where a run keeps its own."""
        scan = self.scan.scan
        if scan is None:
            return True
        try:
            self.reconstruct.scan = scan
        except InputError:
            self._later = f"It keeps its scan; {scan.name} is taken up when it has ended."
            self.say(self._line)
            return False
        anew, self._anew, self._later = self._anew, "", ""
        self.problem.put()
        self.reconstruct.source = self.scan.source
        self.patterns.show(scan)
        self.say(f"Scan {scan.name}{anew}: {scan.M} patterns of {scan.N} × {scan.N}. Next: 2 Reconstruct, Start.")
        return True

    def _take_later(self) -> None:
        """Wait for the end of the run, and of one begun at once after it; then take up the scan that came meanwhile."""
        while not self._closing.is_set():
            if self.reconstruct.wait(1.0) and self._took_scan():
                return

    def _begun(self, run: Run) -> None:
        self.runs.add(run)
        self.tab.set_title(4, f"{TITLES[4]} ({run.number})")
        self.say(f"{run.name} is under way on {run.scan.name}; watch it in 2 Reconstruct. The kernel is free.")

    def _ended(self, run: Run) -> None:
        self.runs.refresh()
        self.problem.put()
        if run.result is None:
            self.say(f"{run.name}: {run.state}; what ended it stands in 2 Reconstruct.")
            return
        self.result = run.result
        self.object.show(run.result, run.scan, python=run.python, inputs=files_of(run.source))
        self.patterns.show(run.scan, run.result)
        self.say(f"{run.name}: {run.state}. Look at it in 3 Object and 4 Patterns, or compare runs in 5 Runs.")

    def _forgot(self, run: Run) -> None:
        if run.result is not None:
            self.object.forget(run.result)

    def _enlarge(self, change: dict[str, Any]) -> None:
        (self.widget.add_class if change["new"] else self.widget.remove_class)(LARGE)

    def _ask(self, asking: bool) -> None:
        """Show the question in place of the button, or the button."""
        self.reset.layout.display = "none" if asking else None
        self.sure.layout.display = self.keep.layout.display = None if asking else "none"

    def _clear(self) -> None:
        if self.sure.layout.display == "none":  # the answer was given already
            return
        self._ask(False)
        self._closing.set()
        self._task.wait()
        self._task.start(lambda _: self._begin_anew())

    def _begin_anew(self) -> None:
        self.say("Resetting …")
        for place in self._places:
            place.close()
        self.problem.put()
        self._later = ""
        self._place()
        with self._turn:
            self._closing.clear()
            asked, self._asked = self._asked, None
        if asked is not None:
            self.take(*asked)

    def close(self) -> None:
        """Stop what runs; leave no widget and no thread behind."""
        self._closing.set()
        self._task.close()
        for place in self._places:
            place.close()
        close_all(self.widget)
