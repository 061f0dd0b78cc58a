"""The Runs panel: this kernel's runs, what differs, their losses and objects beside each other, and each as it grew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from ptycho_nb.errors import InputError
from ptycho_nb.figures import comparison
from ptycho_nb.ui.drawing import STYLE, Keepsake, OwnKeys, Pane, bundle_of, close_all, pictured, tag
from ptycho_nb.ui.drawing.drawer import TRAFFIC
from ptycho_nb.ui.panels.remains import bundle
from ptycho_nb.ui.panels.run import Moment, Run
from ptycho_nb.ui.panels.runs.facts import Facts, held, misfit, nearest, scan_bytes
from ptycho_nb.ui.panels.runs.overlay import EPOCHS, SECONDS, SideBySide, frame, loss_curves, loss_kinds
from ptycho_nb.ui.panels.runs.table import ENDED, runs_table
from ptycho_nb.ui.panels.watch import Watch

EMPTY = "No runs yet: press Start in the Reconstruct panel. Each run of this kernel stands here, to compare settings, losses and objects."
PERIOD = 1.0  # s between two looks at a run
MOST, MOST_BYTES = 20, 2**29  # runs kept, and memory of them
BESIDE = 5  # runs drawn over each other


class RunsPanel:
    """Compare the runs of this kernel, and look at each as it grew.

    Attributes
    ----------
    widget : widgets.VBox
    runs : tuple of Run
        The oldest first; at most 20, of 512 MiB.
    """

    def __init__(self) -> None:
        self.runs: tuple[Run, ...] = ()
        self._facts: dict[Run, Facts] = {}
        self._beside: tuple[object, ...] = ()  # whose objects are on the screen
        self._side_by_side = SideBySide()
        self._framed: tuple[object, ...] = ()  # which moment
        self._newest: int | None = None  # the run whose course is to be shown as soon as it has one
        self._dropped = ""
        self._listeners: list[Callable[[Run], object]] = []
        self._keepsake = Keepsake()
        self._kept: tuple[object, ...] = ()  # whose objects the output shows that stays
        self._spanned: Run | None = None  # whose moments the slider spans
        self._span: tuple[Moment, ...] = ()
        self._lock, self._setting = threading.RLock(), False
        self._make()
        self._watch = Watch(self._draw, self.problem.put)
        self._connect()
        self._watch.begin()

    def _make(self) -> None:
        wide = {"description_width": "initial"}
        self.news, self.problem = Pane(role="status"), Pane(role="alert", kind="problem")
        self.table, self.curves, self.objects = Pane(kind="runs"), Pane(kind="loss"), Pane(kind="objects")
        self.chosen = widgets.SelectMultiple(
            description="Compare", rows=5, tooltip="The runs whose losses and objects are drawn; Ctrl or Shift for several", style=wide
        )
        self.chosen.layout.width = "21em"
        self.x = widgets.Dropdown(
            options=[("epochs", EPOCHS), ("seconds", SECONDS)], description="Against", tooltip="What the losses are drawn over", style=wide
        )
        self.x.layout.width = "13em"
        self.log = widgets.Checkbox(value=True, description="logarithmic", indent=False, tooltip="Scale of the losses")
        self.log.layout.width = "max-content"
        self.forget = widgets.Button(description="Forget", tooltip="Take the chosen runs out of this list and free their memory")
        self.film = widgets.Dropdown(
            options=[("no run", None)], description="Watch it grow", tooltip="The run whose course is shown", style=wide
        )
        self.moment = widgets.IntSlider(1, 1, 1, description="Moment", tooltip="Which kept moment of the run; arrow keys too")
        self.when, self.picture = Pane(role="status", kind="numbers"), Pane(kind="film")
        controls = widgets.HBox([self.chosen, widgets.VBox([self.x, self.log, self.forget])])
        course = widgets.HBox([self.film, self.moment, self.when])
        for bar in (controls, course):
            bar.add_class("pnb-bar")
        drawn = widgets.HBox([widgets.VBox([controls, self.curves]), self.objects])
        drawn.add_class("pnb-live")
        self._course = widgets.VBox([course, self.picture])
        self._parts = widgets.VBox([self.table, drawn, self._course])
        self.widget = widgets.VBox([Pane(STYLE, kind="style"), OwnKeys(), Pane(tag("h3", "Runs")), self.news, self.problem, self._parts])
        self.widget.add_class("pnb-panel")

    def _connect(self) -> None:
        for control in (self.chosen, self.x, self.log, self.film, self.moment):
            control.observe(lambda _: self._asked(), "value")
        self.forget.on_click(lambda _: self._forget(self._selected()))

    def add(self, run: Run) -> None:
        """Another run: it is shown, and followed until it ends. From any thread; returns at once."""
        with self._lock:
            if run in self.runs:
                return
            self.runs = (*self.runs, run)
            chosen = [number for number in self.chosen.value][-BESIDE + 1 :]
            self._offer((*chosen, run.number))
            self._newest = run.number
        self._watch.wake()

    def refresh(self) -> None:
        """Show how the runs stand now; returns at once, from any thread."""
        self._watch.wake()

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until no run is under way and all is drawn; whether that came within this time."""
        return self._watch.wait(seconds)

    def close(self) -> None:
        """Leave no widget and no thread behind."""
        self._watch.close()
        close_all(self.widget)

    def _asked(self) -> None:
        """A control was moved by hand."""
        with self._lock:
            setting = self._setting
        if not setting:
            self._watch.wake()

    def _selected(self) -> list[Run]:
        """The chosen runs."""
        numbers = set(self.chosen.value)
        return [run for run in self.runs if run.number in numbers]

    def _forget(self, runs: Sequence[Run]) -> None:
        """Take these out of the list; one that is under way stays."""
        busy = [run for run in runs if run.state not in ENDED]
        self.problem.put(f"{busy[0].name} is under way; stop it before you forget it." if busy else "")
        with self._lock:
            gone = {run for run in runs if run.state in ENDED}
            self.runs = tuple(run for run in self.runs if run not in gone)
            self._offer(tuple(number for number in self.chosen.value))
        for run in gone:
            for listener in self._listeners:
                listener(run)
        self._watch.wake()

    def on_forget(self, listener: Callable[[Run], object]) -> None:
        """Call ``listener`` with each run that is taken out of the list, so that nothing else keeps it in memory."""
        self._listeners.append(listener)

    def _offer(self, chosen: Sequence[int]) -> None:
        """The runs to choose from, these chosen; the caller holds the lock."""
        self._setting = True
        try:
            options = [(run.name, run.number) for run in self.runs]
            if tuple(self.chosen.options) != tuple(options):
                self.chosen.options = options
            self.chosen.value = tuple(number for number in chosen if any(number == value for _, value in options))
        finally:
            self._setting = False

    def _draw(self) -> float | None:
        """Draw all that has changed; when to draw again while a run is under way [s]."""
        self._bound()
        with self._lock:
            runs, numbers = self.runs, set(self.chosen.value)
        under_way = any(run.state not in ENDED for run in runs)
        self._facts = {run: self._known(run) for run in runs}
        self._parts.layout.display = None if runs else "none"
        size = held(runs) / 2**20
        count = f"{len(runs)} run{'s' * (len(runs) > 1)}, {size:.3g} MiB."
        self.news.put(f"{count if runs else EMPTY}{self._dropped}")
        chosen = [run for run in runs if run.number in numbers]
        sent = self.table.put(runs_table(runs, {run: facts.misfit for run, facts in self._facts.items()})) if runs else 0
        sent += self._overlay(chosen[-BESIDE:], len(chosen)) + self._scrub()
        if not under_way and self._kept != self._beside:
            self._kept = self._beside
            self._keepsake.keep(self._still)
        return max(PERIOD, sent / TRAFFIC) if under_way else None

    def _known(self, run: Run) -> Facts:
        """What is computed of a run, once for each result."""
        known, result = self._facts.get(run), run.result
        if known is not None and known.result is result:
            return known
        return Facts(result, float("nan") if result is None else misfit(run, result), loss_kinds(run))

    def _overlay(self, runs: Sequence[Run], chosen: int) -> int:
        """Losses, and objects where one of them is another; the bytes that went to the screen."""
        kinds = sorted({kind for run in runs for kind in self._facts[run].kinds})
        mixed = (
            f"The losses are of different kinds, {' and '.join(kinds)}: compare their courses, not their heights." if len(kinds) > 1 else ""
        )
        many = f"The last {BESIDE} of {chosen} chosen runs are drawn." if chosen > BESIDE else ""
        said = " ".join(text for text in (mixed, many, "" if chosen else "Choose runs to compare in the list.") if text)
        svg = loss_curves(runs, str(self.x.value), bool(self.log.value))
        sent = self.curves.put(svg, *([tag("p", said)] if said else []))
        key = tuple((run, run.result if run.result is not None else run.film.moments[-1:]) for run in runs)
        if key != self._beside:
            self._beside = key
            sent += self.objects.put(self._side_by_side.draw(runs))
        return sent

    def _scrub(self) -> int:
        """The chosen moment of the chosen run; the bytes that went to the screen."""
        with self._lock:
            moments, name = self._range()
            at = min(int(self.moment.value), len(moments))
        self._course.layout.display = None if moments else "none"
        key = (moments[at - 1], moments[-1], len(moments)) if moments else ()
        if key == self._framed:
            return 0
        self._framed = key
        if not moments:
            return self.picture.put()
        moment = moments[at - 1]
        self.when.put(f"moment {at} of {len(moments)}: step {moment.step:,}, {moment.seconds:.3g} s")
        return self.picture.put(frame(moment, moments[-1], name))

    def _range(self) -> tuple[tuple[Moment, ...], str]:
        """The moments of the chosen run and its name; the slider spans them, and follows the last where it stood there."""
        self._setting = True
        try:
            options: list[tuple[str, int | None]] = [(run.name, run.number) for run in self.runs if run.film.moments]
            options = options or [("no run", None)]
            if tuple(self.film.options) != tuple(options):
                kept, known = self.film.value, [value for _, value in options]
                self.film.options = options
                self.film.value = self._newest if self._newest in known else kept if kept in known else known[-1]
                self._newest = None if self._newest in known else self._newest
            run = next((run for run in self.runs if run.number == self.film.value), None)
            moments = () if run is None else run.film.moments
            at = int(self.moment.value)
            last, before = at == int(self.moment.max), self._span[at - 1 : at] if run is self._spanned else ()
            self.moment.max = max(len(moments), 1)
            if last:
                self.moment.value = self.moment.max
            elif before and moments:
                self.moment.value = nearest(before[0], moments)
            self._spanned, self._span = run, moments
            return moments, "" if run is None else run.name
        finally:
            self._setting = False

    def _bound(self) -> None:
        """Forget the oldest runs that have ended while there are too many, and say so."""
        ended = [run for run in self.runs if run.state in ENDED]
        gone: list[Run] = []
        left = list(self.runs)
        while ended[1:] and (len(left) > MOST or held(left) - scan_bytes(left[-1].scan) > MOST_BYTES):  # that scan is in use
            gone.append(ended.pop(0))
            left.remove(gone[-1])
        if gone:
            self._dropped = f" {gone[-1].name} and those before it are forgotten: at most {MOST} runs and {MOST_BYTES >> 20} MiB are kept."
            self._forget(gone)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; the chosen objects as a picture where widgets cannot be shown."""
        return bundle_of(self, self.widget, self._still)

    def _still(self) -> dict[str, Any]:
        results = {run.name: run.result for run in self._selected() if run.result is not None}
        last = next(reversed(results.values()), None)
        if last is None or len(results) == 1:
            return bundle(last)
        try:
            return pictured(comparison(results))
        except InputError:  # they lie on different canvases
            return bundle(last)

    def _ipython_display_(self) -> None:
        """The panel, and under it a plain output for the picture that comes later and stays."""
        self._keepsake.show_below(self._repr_mimebundle_)

    def __repr__(self) -> str:
        return f"<RunsPanel: {len(self.runs)} runs>"
