"""The Object panel: amplitude and phase as one wants them, what can be read in them, and how far to believe them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import ViewConfig
from ptycho_nb.errors import InputError
from ptycho_nb.figures import view_pair
from ptycho_nb.files import StrPath
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import STYLE, Fold, Keepsake, OwnKeys, Pane, bundle_of, close_all, pictured, tag
from ptycho_nb.ui.forms import Form
from ptycho_nb.ui.panels.export import ExportBar, Subject
from ptycho_nb.ui.panels.object.methods import MethodsSection
from ptycho_nb.ui.panels.object.pictures import shots
from ptycho_nb.ui.panels.object.profile import HistogramSection, ProfileSection
from ptycho_nb.ui.panels.object.quality import ChecksSection, ResolutionSection, TruthSection
from ptycho_nb.ui.panels.object.section import Entry, Section, Shown
from ptycho_nb.ui.panels.watch import Watch
from ptycho_nb.ui.viewer import Viewer
from ptycho_nb.views import View, view

NO_OBJECT = "No object yet: press Start in the Reconstruct panel, or give a result in Python: ObjectPanel(refine(scan), scan)."
OTHER_SCAN = "The scan given is not the one this object was made from and is left out; give its own."
SOON = 20.0  # s, in which the chosen result comes to the screen, or it will not
NOT_SHOWN = "The chosen result is not on the screen, so nothing of it is saved: wait for it, or choose another result."
KEPT = 12  # results; the oldest go
NARROW = {"description_width": "initial"}
HEIGHT = 400  # px of an image on the screen


class ObjectPanel:
    """Look at the object of a result: contrast, colours, ramp, unwrapping; profiles, errors, resolution.

    Parameters
    ----------
    result : Reconstruction, optional
        ``show(result, scan)`` later.
    scan : Scan, optional
        What it was made from: with it come errors against its truth, half-data resolution and all checks.

    Attributes
    ----------
    widget : widgets.VBox
    form : Form
        How the object is shown.
    viewer : Viewer
    sections : tuple of Section
    export : ExportBar
        Saves what is on the screen.
    """

    def __init__(self, result: Reconstruction | None = None, scan: Scan | None = None) -> None:
        self._entries: tuple[Entry, ...] = ()  # the newest first
        self._count = 0
        self._shown: Shown | None = None
        self._config = ViewConfig()  # the last one without a wrong entry
        self._keepsake = Keepsake()
        self._lock = threading.RLock()
        self.form = Form(ViewConfig(), "View")
        self.viewer = Viewer(height=HEIGHT, modes=("pan", "line"))
        self.checks = ChecksSection()
        self.sections: tuple[Section, ...] = (
            ProfileSection(self.viewer),
            HistogramSection(),
            TruthSection(),
            ResolutionSection(),
            MethodsSection(),
            self.checks,
        )
        self.export = ExportBar(self._subject, self._settle)
        self._make()
        self._watch = Watch(self._draw, self.problem.put)
        self._judging = Watch(self._judge, self.problem.put)
        if result is not None:
            self._offer(self._entered(result, scan, "", ()))
        self._connect()
        self._watch.begin()

    def _make(self) -> None:
        self.news, self.problem = Pane(NO_OBJECT, role="status", kind="news"), Pane(role="alert", kind="problem")
        self.caption = Pane(kind="caption")
        tip = f"Which result to look at, the newest first; the last {KEPT} are kept"
        self.choice = widgets.Dropdown(options=[], description="Result", tooltip=tip, layout={"width": "min(460px, 96%)"}, style=NARROW)
        titles = tuple(section.title for section in self.sections)
        self.fold = Fold([section.widget for section in self.sections], titles=titles, selected_index=None)
        self.settings = Fold([self.form.widget], titles=("View: colours, ramp, unwrapping, crop, limits",), selected_index=None)
        self.leave = Fold([self.export.widget], titles=("Export and report",), selected_index=None)
        self._parts = widgets.VBox([self.choice, self.problem, self.viewer, self.caption, self.settings, self.fold, self.leave])
        self._parts.layout.display = "none"
        self.widget = widgets.VBox([Pane(STYLE, kind="style"), OwnKeys(), Pane(tag("h3", "Object")), self.news, self._parts])
        self.widget.add_class("pnb-panel")

    def _connect(self) -> None:
        self.form.on_change(self._watch_on)
        self.choice.observe(lambda _: self._watch_on(), "value")
        self.fold.observe(lambda _: self._watch_on(), "selected_index")
        self.viewer.on_line(lambda _: self._watch_on())

    def show(self, result: Reconstruction, scan: Scan | None = None, *, python: str = "", inputs: Iterable[StrPath] = ()) -> None:
        """Look at this result from now on; those before stay to choose from. Returns at once, from any thread.

        Shown again, it takes up what is given now beside what was given before. A scan that the
        result cannot be of is left out, and the panel says so.

        Parameters
        ----------
        result : Reconstruction
        scan : Scan, optional
            What it was made from.
        python : str
            The program that makes it, for the report.
        inputs : paths
            Files that it was made from; no export overwrites them.
        """
        with self._lock:
            entry = self._entered(result, scan, python, tuple(inputs))
            self._offer(entry)
        self._watch_on()

    def forget(self, result: Reconstruction) -> None:
        """Keep this result, and the scan it was made from, no longer, unless it is the one on the screen; from any thread."""
        with self._lock:
            chosen = self.choice.value
            self._entries = tuple(e for e in self._entries if e.result is not result or e is chosen)
            if chosen is not None:
                self._offer(chosen)
        self._watch_on()

    def _offer(self, entry: Entry) -> None:
        """The results to choose from, this one chosen; the caller holds the lock."""
        self.choice.options = [(e.name, e) for e in self._entries]
        self.choice.value = entry

    def _entered(self, result: Reconstruction, scan: Scan | None, python: str, inputs: tuple[StrPath, ...]) -> Entry:
        """A result among the others; of one that is there already, what is not given again stays. The caller holds the lock."""
        unfit = scan is not None and not result.matches(scan)
        known = None if unfit else scan
        before = next((e for e in self._entries if e.result is result), None)
        if before is None:
            self._count += 1
            entry = Entry(self._count, result, known, python, inputs, unfit)
            self._entries = (entry, *self._entries)[:KEPT]
        else:
            known = before.scan if known is None else known
            entry = Entry(before.number, result, known, python or before.python, inputs or before.inputs, unfit)
            self._entries = tuple(entry if e is before else e for e in self._entries)
        return entry

    @property
    def result(self) -> Reconstruction | None:
        """What is looked at."""
        entry = self.choice.value
        return None if entry is None else entry.result

    @property
    def scan(self) -> Scan | None:
        """What that was made from, where it is known."""
        entry = self.choice.value
        return None if entry is None else entry.scan

    @property
    def config(self) -> ViewConfig:
        """How it is shown.

        Raises
        ------
        ConfigError
            A field cannot take what was entered.
        """
        return self.form.config

    @config.setter
    def config(self, config: ViewConfig) -> None:
        self.form.set(config)

    @property
    def view(self) -> View | None:
        """What is on the screen."""
        return None if self._shown is None else self._shown.view

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until all is drawn; whether that came within this time."""
        return self._watch.wait(seconds) and self._judging.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        for section in self.sections:
            section.stop()
        self._watch.close()
        self._judging.close()
        self.form.close()
        self.export.close()
        for section in self.sections:
            section.close()
        self.viewer.close()
        close_all(self.widget)

    def _watch_on(self) -> None:
        """Something was changed: draw what is to be drawn anew."""
        self._watch.wake()

    def _draw(self) -> None:
        """The view, and the open section where it is quick."""
        with self._lock:
            entry, entries = self.choice.value, self._entries
        if entry is None:
            return
        self._parts.layout.display = None
        wrong = self.form.problems
        if not wrong:
            self._config = self.form.config
        before = shown = self._shown
        config = self._config
        if shown is None or shown.entry is not entry or shown.view.config != config or shown.entries != entries:
            shown = self._look(entry, config, entries)
        if shown is not None:
            self.problem.put(next(iter(wrong.values()), OTHER_SCAN if entry.unfit else ""))
            self._update(shown, slow=False)
            self._judging.wake()
            if before is None or before.entry is not entry:
                self._keepsake.keep(self._still)

    def _look(self, entry: Entry, config: ViewConfig, entries: tuple[Entry, ...]) -> Shown | None:
        """Put another view on the screen; None, and a sentence, where there is none."""
        before = self._shown
        try:
            same = before is not None and before.entry is entry and before.view.config == config
            seen = before.view if same and before is not None else view(entry.result, config)
        except InputError as error:
            self.problem.put(str(error))
            return None
        if before is not None and before.view.shape != seen.shape:
            self.viewer.line = ()  # it lay in another field
        self.viewer.pixel_size = seen.pixel_size
        self.viewer.put(shots(seen), shape=seen.shape)
        self.news.put(_told(entry.result))
        self.caption.put(tag("p", seen.caption, class_="pnb-numbers"))
        self._shown = shown = Shown(entry, seen, entries)
        for section in self.sections:
            section.let_go(shown)
        if before is None or before.entry is not entry:
            self.export.refresh()
        return shown

    def _settle(self) -> None:
        """Wait until what was chosen last is on the screen."""
        if not self._watch.wait(SOON):
            raise InputError(NOT_SHOWN)

    def _subject(self) -> Subject:
        """What is on the screen, to be exported."""
        shown = self._shown
        if shown is None:
            raise InputError(NOT_SHOWN if self._entries else NO_OBJECT)
        if shown.entry is not self.choice.value:
            raise InputError(NOT_SHOWN)
        return Subject(shown.result, shown.view, shown.scan, shown.entry.python, shown.entry.inputs)

    def _judge(self) -> None:
        """The open section where it is slow; the checks in any case, and in their title how many have something to say."""
        if self._shown is not None:
            self._update(self._shown, slow=True)
            self.checks.update(self._shown)
            self.fold.set_title(self.sections.index(self.checks), self.checks.heading)

    def _update(self, shown: Shown, slow: bool) -> None:
        opened = self.fold.selected_index
        if opened is not None and self.sections[opened].slow is slow:
            self.sections[opened].update(shown)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; the view as a picture where widgets cannot be shown."""
        return bundle_of(self, self.widget, self._still)

    def _still(self) -> dict[str, Any]:
        seen = self.view
        return {} if seen is None else pictured(view_pair(seen))

    def _ipython_display_(self) -> None:
        """The panel, and under it a plain output for the picture that comes later and stays."""
        self._keepsake.show_below(self._repr_mimebundle_)

    def __repr__(self) -> str:
        entry = self.choice.value
        return f"<ObjectPanel: {'no object' if entry is None else entry.name}>"


def _told(result: Reconstruction) -> str:
    """What is looked at, in a sentence."""
    H, W = result.object.shape
    took = f", {result.seconds:.3g} s" if result.seconds else ""
    return f"{result.method} on {result.name}: {result.state}{took}; an object of {H} × {W} px."
