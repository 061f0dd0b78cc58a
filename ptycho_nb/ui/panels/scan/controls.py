"""The Scan panel's widgets: what stands where, and which button can be pressed when."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from ptycho_nb.checks import checks
from ptycho_nb.config import SimulationConfig
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import STYLE, Fold, OwnKeys, Pane, close_all, tag
from ptycho_nb.ui.forms import Form, Source
from ptycho_nb.ui.panels.later import Later
from ptycho_nb.ui.panels.scan import overview
from ptycho_nb.ui.panels.scan.browser import Browser
from ptycho_nb.ui.panels.scan.look import QuickLook
from ptycho_nb.ui.panels.scan.mapping import FieldMap
from ptycho_nb.ui.panels.scan.orientation import OrientationCheck
from ptycho_nb.ui.panels.scan.patterns import Patterns

PARTLY = "Part of this scan could not be drawn or judged; it can be used all the same. The log has the reason."


class Controls:
    """Every widget of the panel, and their state.

    Attributes
    ----------
    widget : widgets.VBox
        All of them.
    """

    def __init__(self) -> None:
        self.browser, self.mapping = Browser(), FieldMap()
        self._simulation = Later(lambda: Form(SimulationConfig(), "Simulate a scan"))
        self.simulate = widgets.Button(description="Simulate", tooltip="Make this scan up, with photon noise", button_style="primary")
        self.scan, self.state, self.problem = Pane(kind="scan"), Pane(role="status", kind="state"), Pane(role="alert", kind="problem")
        self.facts, self.notes, self.findings = Pane(kind="facts"), Pane(kind="notes"), Pane(kind="findings")
        self.patterns, self.positions, self.code = Patterns(), Pane(kind="positions"), Pane(kind="code")
        self.look, self.orientation = QuickLook(), OrientationCheck()
        self.widget = self._built()
        self.widget.add_class("pnb-panel")
        self.scan.put(tag("p", overview.EMPTY))

    def _built(self) -> widgets.VBox:
        self.choose = Fold(
            [self.browser.widget, widgets.VBox([self._simulation.widget, self.simulate])],
            titles=("Open a file", "Simulate"),
            selected_index=0,
        )
        words = widgets.HBox([self.facts, widgets.VBox([self.findings, self.notes])])
        pictures = widgets.HBox([self.patterns.widget, self.positions])
        self.choose.observe(lambda _: self._watch(), "selected_index")
        self._watch()
        for row in (words, pictures):
            row.add_class("pnb-seen")
        self._code = Fold([self.code], titles=("Show Python",), selected_index=None)
        self._seen = widgets.VBox([self.look.widget, self.orientation.widget, words, pictures, self._code])
        self._seen.layout.display = "none"
        head = [Pane(STYLE, kind="style"), OwnKeys(), Pane(tag("h3", "Scan")), self.scan]
        return widgets.VBox([*head, self.choose, self.mapping.widget, self.state, self.problem, self._seen])

    @property
    def form(self) -> Form[SimulationConfig]:
        """What to simulate; made when it is first asked for."""
        return self._simulation.panel

    def _watch(self) -> None:
        """The list of files refreshes itself while it can be seen, and the form is there once it is."""
        self.browser.watch(self.choose.selected_index == 0)
        if self.choose.selected_index == 1:
            _ = self.form

    def show(self, scan: Scan, source: Source) -> None:
        """Make room for this scan; what is seen of it comes later."""
        self.scan.put(overview.heading(scan, source))
        for pane in (self.facts, self.notes, self.findings, self.positions):
            pane.put()
        self.choose.selected_index = None
        self._seen.layout.display = None

    def drawings(self, scan: Scan) -> list[Callable[[], object]]:
        """Words, checks and pictures of this scan, each for itself: one that fails leaves the others."""
        return [
            lambda: self.facts.put(overview.facts(scan)),
            lambda: self.notes.put(overview.notes(scan)),
            lambda: self.patterns.show(scan),
            lambda: self.findings.put(overview.findings(checks(scan))),
            lambda: self.positions.put(overview.positions(scan)),
        ]

    def reflect(self, scan: Scan | None, *, busy: bool, stoppable: bool) -> None:
        """Which buttons can be pressed, and the state in words where none is under way."""
        for button in (self.browser.open, self.browser.fields, self.mapping.load, self.simulate):
            button.disabled = busy
        for button in (self.look.button, self.orientation.button, self.orientation.use):
            button.disabled = busy or scan is None
        self.look.stop.disabled = not (busy and stoppable)
        if not busy:
            self.state.put("No scan" if scan is None else "Ready")

    def close(self) -> None:
        """Take every widget away."""
        self.browser.close()
        self._simulation.close()
        close_all(self.widget)
