"""The Pattern panel: pick a position, see what was measured there and what the result makes of it."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets

from ptycho_nb.figures import patterns, scan_picture
from ptycho_nb.history import Control
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import STYLE, Keepsake, OwnKeys, Pane, bundle_of, close_all, pictured, tag
from ptycho_nb.ui.panels.patterns.pictures import Ground, pattern_shots
from ptycho_nb.ui.panels.patterns.ranking import Ranking, in_numbers, misfit_curve, ranking
from ptycho_nb.ui.panels.task import Task
from ptycho_nb.ui.panels.watch import Watch
from ptycho_nb.ui.viewer import Viewer

NO_SCAN = "No scan yet: choose or simulate one in the Scan panel, or give one in Python: PatternPanel(scan)."
NO_RESULT = (
    "No result yet: after a run the predicted pattern, the residual, the object under the probe "
    "and the patterns that are explained worst stand here too."
)
WRONG = "The result is of another scan and is left out; give the scan it was made from."
CHOOSE, NONE = "choose", -1  # of the worst fits
DIGITS = 20  # of a number that a person means; Python refuses to read thousands
PERIOD = 0.5  # s between two looks at the judging
HEIGHT = 240  # px of an image on the screen


class PatternPanel:
    """Pick a position by number, among the worst fits or on the map; see its pattern and the object under it.

    Parameters
    ----------
    scan : Scan, optional
        What was measured; ``show(scan, result)`` later.
    result : Reconstruction, optional
        Of that scan.

    Attributes
    ----------
    widget : widgets.VBox
    scan : Scan or None
    result : Reconstruction or None
    ranking : Ranking or None
        The misfit of every pattern, once it is known.
    """

    def __init__(self, scan: Scan | None = None, result: Reconstruction | None = None) -> None:
        self.scan: Scan | None = None
        self.result: Reconstruction | None = None
        self.ranking: Ranking | None = None
        self._ground: Ground | None = None
        self._number = 0
        self._judging: Reconstruction | None = None  # what the misfits are, or were last, computed of
        self._unjudged = ""  # why they are not known
        self._keepsake = Keepsake()
        self._laid: tuple[object, ...] = ()  # scan and result of the map on the screen
        self._drawn: tuple[object, ...] = ()  # what else is on it
        self._lock, self._setting = threading.RLock(), False
        self._make()
        self._task = Task(self._fail, lambda _: None)
        self._watch = Watch(self._draw, self.problem.put)
        self._connect()
        self._take(scan, result)
        self._watch.begin()

    def _make(self) -> None:
        self.news, self.problem = Pane(role="status", kind="text"), Pane(role="alert", kind="problem")
        wide = {"description_width": "initial"}
        self.slider = widgets.IntSlider(
            0, 0, 0, description="Pattern", readout=False, continuous_update=True, tooltip="Which pattern; arrow keys too"
        )
        self.box = widgets.Text(
            "0", description="Number", tooltip="The pattern's number, counted from 0", continuous_update=False, style=wide
        )
        self.box.layout.width = "9.5em"
        self.before = widgets.Button(description="Previous", tooltip="The pattern before this one")
        self.after = widgets.Button(description="Next", tooltip="The pattern after this one")
        self.worst = widgets.Dropdown(
            options=[(CHOOSE, NONE)], description="Worst fits", tooltip="Patterns with the greatest misfit R", style=wide
        )
        self.numbers, self.curve, self.patch = Pane(role="status", kind="numbers"), Pane(kind="curve"), Pane(kind="patch")
        self.patterns, self.map = Viewer(height=HEIGHT, modes=("pan",)), Viewer(height=HEIGHT, modes=("pan", "point"))
        self.map.mode = "point"
        self.hint = Pane()
        self.before.layout.width = self.after.layout.width = "7em"
        bar = widgets.HBox([self.before, self.slider, self.after, self.box, self.worst])
        bar.add_class("pnb-bar")
        under = widgets.HBox([self.patch, self.curve])
        under.add_class("pnb-live")
        self._parts = widgets.VBox([bar, self.problem, self.numbers, self.patterns, self.hint, self.map, under])
        self.widget = widgets.VBox([Pane(STYLE, kind="style"), OwnKeys(), Pane(tag("h3", "Patterns")), self.news, self._parts])
        self.widget.add_class("pnb-panel")

    def _connect(self) -> None:
        self.slider.observe(lambda change: self._picked(change["new"]), "value")
        self.worst.observe(lambda change: self._picked(self._number if change["new"] == NONE else change["new"]), "value")
        self.box.observe(lambda _: self._typed(), "value")
        self.before.on_click(lambda _: self._picked(self._number - 1))
        self.after.on_click(lambda _: self._picked(self._number + 1))
        self.map.on_point(self._pointed)

    def show(self, scan: Scan | None, result: Reconstruction | None = None) -> None:
        """Show this scan, and what the result makes of it; returns at once, from any thread.

        A result of another scan is left out, and the panel says so.
        """
        self._take(scan, result)
        self._watch.wake()

    def _take(self, scan: Scan | None, result: Reconstruction | None) -> None:
        with self._lock:
            fits = scan is not None and result is not None and result.matches(scan)
            self.problem.put("" if fits or result is None else WRONG)
            if (scan, result) != (self.scan, self.result):
                self._task.stop()
                if scan is None or self.scan is None or scan.M != self.scan.M:
                    self._number = 0 if scan is None else scan.middle
                self.scan, self.result, self.ranking = scan, result if fits else None, None
                self._judging, self._unjudged = None, ""

    def pick(self, number: int) -> None:
        """Show this pattern, counted from 0; the nearest there is."""
        self._picked(number)

    @property
    def number(self) -> int:
        """The pattern that is shown."""
        return self._number

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until all is drawn and judged; whether that came within this time."""
        return self._watch.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        self._task.close()
        self._watch.close()
        close_all(self.widget)

    def _picked(self, number: int) -> None:
        """Another pattern was asked for."""
        with self._lock:
            if self._setting or self.scan is None:
                return
            self._number = min(max(int(number), 0), self.scan.M - 1)
            self.problem.put(self._unjudged)
            self._reflect()
        self.map.point = ()  # the circle stands there, and the same place may be picked again
        self._watch.wake()

    def _pointed(self, place: tuple[float, ...]) -> None:
        ground = self._ground
        if ground is not None and len(place) == 2:
            self._picked(ground.nearest((place[0], place[1])))

    def _typed(self) -> None:
        with self._lock:
            scan, setting = self.scan, self._setting
        if setting or scan is None:
            return
        text = str(self.box.value).strip()
        if text.isdecimal() and len(text) < DIGITS and int(text) < scan.M:
            self._picked(int(text))
        else:
            self.problem.put(f"Pattern is {text[:40]!r}; it must be a whole number in 0 to {scan.M - 1}.")

    def _reflect(self) -> None:
        """Every control says which pattern is shown."""
        last = 0 if self.scan is None else self.scan.M - 1
        self._setting = True
        try:
            self.slider.max = last
            self.slider.value = self._number
            self.box.value = str(self._number)
            self.before.disabled, self.after.disabled = self._number == 0, self._number == last
            self._offer()
        finally:
            self._setting = False

    def _offer(self) -> None:
        """The worst fits, this one chosen where it is among them."""
        ranked = self.ranking
        numbers = [] if ranked is None else ranked.worst
        options = [(CHOOSE, NONE), *((f"pattern {n}: R {ranked.misfits[n]:.3g}", n) for n in numbers if ranked is not None)]
        if tuple(self.worst.options) != tuple(options):
            self.worst.options = options
        self.worst.value = self._number if self._number in numbers else NONE
        self.worst.layout.display = None if numbers else "none"

    def _draw(self) -> float | None:
        """Draw what was asked for last; when to look again while the patterns are being judged [s]."""
        with self._lock:
            scan, result, number, ranked, unjudged = self.scan, self.result, self._number, self.ranking, self._unjudged
        self._parts.layout.display = "none" if scan is None else None
        if scan is None:
            self.news.put(NO_SCAN)
            return None
        new = self._laid != (scan, result)
        if new:
            self._lay(scan, result)
        if self._drawn != (scan, result, number, ranked, unjudged):
            self._pattern(scan, result, number, ranked)
            self._drawn = scan, result, number, ranked, unjudged
        if new:
            self._keepsake.keep(self._still)
        return PERIOD if self._judging_goes_on(scan, result) else None

    def _lay(self, scan: Scan, result: Reconstruction | None) -> None:
        """The map, once for each scan and result."""
        ground = Ground.of(scan, result)
        self.news.put(NO_RESULT if result is None else f"{result.method} on {scan.name}.")
        masked = int((~scan.mask).sum())
        hidden = f" {masked:,} of {scan.N**2:,} detector pixels are masked: not used, and drawn in beige." if masked else ""
        self.hint.put(f"The map: click on it to take the nearest position; the circle holds 90 % of the probe's energy.{hidden}")
        self.curve.put()
        with self._lock:
            self._ground, self._laid = ground, (scan, result)
            self.map.point, self.map.marks = (), []
            self.map.pixel_size, self.map.fixed = ground.pixel_size, ground.places
            self.map.put(ground.shots, shape=ground.shape, keep_region=False)
            self._reflect()

    def _pattern(self, scan: Scan, result: Reconstruction | None, number: int, ranked: Ranking | None) -> None:
        ground = self._ground
        assert ground is not None
        expected = None if result is None else result.predicted([number])[0]
        self.patterns.put(pattern_shots(scan, number, expected), shape=(scan.N, scan.N))
        self.map.marks = ground.footprint(number)
        self.patch.put(tag("div", ground.patch(number, scan.N), class_="pnb-pictures"))
        self.numbers.put(tag("p", in_numbers(scan, number, expected, self._standing(number, ranked)), class_="pnb-numbers"))
        if ranked is not None:
            self.curve.put(misfit_curve(ranked, number) if ranked.worst else "")

    def _standing(self, number: int, ranked: Ranking | None) -> str:
        """Where the pattern stands among all, as far as that is known."""
        if ranked is not None:
            return ranked.standing(number)
        return "; the other patterns could not be judged" if self._unjudged else "; the other patterns are being judged"

    def _judging_goes_on(self, scan: Scan, result: Reconstruction | None) -> bool:
        """See to it that every pattern is judged; True while that is not so."""
        with self._lock:
            if result is None or self.result is not result or self.ranking is not None:
                return False
            if self._judging is not result and self._task.start(lambda control: self._judge(scan, result, control)):
                self._judging = result
            return self._judging is not result or self._task.busy  # the one before may have ended just now

    def _fail(self, sentence: str) -> None:
        """The judging failed."""
        with self._lock:
            if self._judging is None or self._judging is not self.result:
                return  # of a result that is no longer shown
            self._unjudged = sentence
            self.problem.put(sentence)
            self.curve.put()
        self._watch.wake()

    def _judge(self, scan: Scan, result: Reconstruction, control: Control) -> None:
        ranked = ranking(scan, result, control, lambda done: self.curve.put(f"Judged {done:,} of {scan.M:,} patterns."))
        with self._lock:
            if self.result is not result or ranked is None:
                return
            self.ranking = ranked
            self._reflect()
        self._watch.wake()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; the pattern as a picture where widgets cannot be shown."""
        return bundle_of(self, self.widget, self._still)

    def _still(self) -> dict[str, Any]:
        with self._lock:
            scan, result, number = self.scan, self.result, self._number
        if scan is None:
            return {}
        return pictured(scan_picture(scan) if result is None else patterns(scan, result, [number]))

    def _ipython_display_(self) -> None:
        """The panel, and under it a plain output for the picture that comes later and stays."""
        self._keepsake.show_below(self._repr_mimebundle_)

    def __repr__(self) -> str:
        if self.scan is None:
            return "<PatternPanel: no scan>"
        return f"<PatternPanel: {'scan' if self.result is None else 'scan and result'}, pattern {self._number}>"
