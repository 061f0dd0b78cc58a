"""How good an object is: errors against a known one, the detail it agrees to, and what looks wrong with it."""

from __future__ import annotations

import time

import ipywidgets as widgets
import numpy as np

import ptycho_nb
from ptycho_nb.checks import RECONSTRUCTION_CHECKS, checks
from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.figures import truth_comparison
from ptycho_nb.history import Control, History
from ptycho_nb.metrics import NYQUIST, ImageScores, RingCorrelation, Threshold, align, compare_aligned, frc, half_bit
from ptycho_nb.quantities import length
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Line, Markup, Pane, curves_svg, inlined, joined, tag
from ptycho_nb.ui.panels.findings import listed
from ptycho_nb.ui.panels.object.section import Entry, Nothing, Section, Shown
from ptycho_nb.ui.panels.task import Task

NO_SCAN = "The scan of this result is not known here; give both: panel.show(result, scan)."
NO_TRUTH = "The scan has no known object to compare with; simulate_scan makes scans that have one."
OFFER = "Two fits of half of the patterns each: the detail on which they agree. Together they take about as long as one fit."
FITTED_FIRST = "Phase, scale, ramp and shift, which the data leave free, are fitted first. The result itself is judged, not its twin."
WELL = "None of them was found: nothing looks wrong."
LOOKED_FOR = {
    "diverged": "divergence",
    "misfit": "a misfit far above the noise",
    "unlearned": "patterns that the network has not learned",
    "window": "a probe at the rim of its window",
    "holes": "holes that got no light",
    "vortices": "vortices of the phase",
    "bound": "positions at their greatest shift",
}
TELLING = 0.4  # s between two words on how far a fit is


class TruthSection(Section):
    """Errors of amplitude and phase against the known object, and both beside their differences."""

    title = "Against the truth"
    slow = True

    def of(self, shown: Shown) -> tuple[object, ...]:
        return (shown.entry,)

    def draw(self, shown: Shown) -> None:
        result, scan = shown.result, known(shown)
        scores = compare_aligned(align(result.object, scan.truth_on(result.canvas), result.scanned))
        resolution = half_period(scores.frc50, result.pixel_size)
        self.pane.put(
            _scores(scores.amplitude, scores.phase),
            tag("p", f"Detail shared with the truth: half-period {resolution}.", class_="pnb-numbers"),
            tag("p", FITTED_FIRST),
            inlined(truth_comparison(result, scan), f"{result.method} beside the known object, and the differences"),
        )


class ResolutionSection(Section):
    """Fourier ring correlation against the truth, and between two fits of half of the data.

    Attributes
    ----------
    start, halt : widgets.Button
    task : Task
        The fits of half of the data.
    halves : HalfData or None
        Of the scan that is shown.
    """

    title = "Resolution"
    slow = True

    def __init__(self) -> None:
        self.start = widgets.Button(description="Half-data FRC", tooltip="Fit each half of the patterns and compare the two objects")
        self.halt = widgets.Button(description="Stop", tooltip="End the fits of half of the data", disabled=True)
        self.news, self.found = Pane(OFFER, role="status", kind="news"), Pane(kind="section")
        bar = widgets.HBox([self.start, self.halt, self.news])
        bar.add_class("pnb-bar")
        super().__init__([bar])
        self.widget.children = (*self.widget.children, self.found)
        self.halves: ptycho_nb.HalfData | None = None
        self._entry: Entry | None = None  # that the section was opened on last
        self.task = Task(self.problem.put, self._changed)
        self.start.on_click(lambda _: self._begin())
        self.halt.on_click(lambda _: self.task.stop())

    def of(self, shown: Shown) -> tuple[object, ...]:
        return (shown.entry,)

    def draw(self, shown: Shown) -> None:
        before, self._entry = self._entry, shown.entry
        if before is None or before.scan is not shown.scan:
            self.task.stop()
            self.halves = None
            self.found.put()
            self.news.put(OFFER if shown.scan is not None else NO_SCAN)
        self.start.disabled = self.task.busy or shown.scan is None
        if shown.scan is None or shown.scan.truth is None:
            self.pane.put()
            return
        result = shown.result
        pair = align(result.object, shown.scan.truth_on(result.canvas), result.scanned)
        self.pane.put(rings(frc(pair.object, pair.truth), 0.5, "0.5", result.pixel_size, "the truth"))

    def let_go(self, shown: Shown) -> None:
        super().let_go(shown)
        entry = self._entry
        if entry is not None and all(entry.result is not other.result for other in shown.entries):
            self.task.stop()
            self._entry = self.halves = None

    def _begin(self) -> None:
        entry = self._entry
        if entry is None or entry.scan is None:
            self.problem.put(NO_SCAN)
            return
        self.problem.put()
        scan = entry.scan
        self.task.start(lambda control: self._work(scan, entry, control))

    def _work(self, scan: Scan, entry: Entry, control: Control) -> None:
        config = settings(entry.result)
        self.news.put("Fitting each half of the patterns …")
        try:
            found = ptycho_nb.half_data(scan, config, listener=_Telling(self.news, config.epochs), control=control)
        except InputError:
            if not control.stopping:
                raise
            self.news.put(f"Stopped. {OFFER}")
            return
        if self._entry is None or self._entry.scan is not scan:
            self.news.put(OFFER)  # of another scan that is looked at by now
            return
        self.halves = found
        early = "Stopped early. " if control.stopping else ""
        self.news.put(f"{early}{found.words} Fitted with the settings of {entry.name}.")
        self.found.put(rings(found.rings, half_bit, "half-bit", scan.pixel_size, "the other half of the data"))

    def _changed(self, busy: bool) -> None:
        self.start.disabled, self.halt.disabled = busy, not busy
        if not busy and self.problem.value:
            self.news.put(OFFER)

    def stop(self) -> None:
        self.task.close()


class _Telling:
    """Says now and then how far the two fits are."""

    def __init__(self, news: Pane, epochs: int | None) -> None:
        self._news, self._epochs, self._due = news, epochs, 0.0
        self._seen: list[History] = []

    def __call__(self, history: History) -> None:
        if not any(h is history for h in self._seen):
            self._seen.append(history)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + TELLING
            last = "" if self._epochs is None else f" of {self._epochs}"
            self._news.put(f"Fitting half {min(len(self._seen), 2)} of 2: epoch {history.epochs}{last}.")


class ChecksSection(Section):
    """What looks wrong with the result, in words, and what to try.

    Attributes
    ----------
    made, count : int
        Checks, and those that have something to say.
    """

    title = "Checks"
    slow = True
    made = count = 0

    @property
    def heading(self) -> str:
        """The title with what was found."""
        return f"{self.title}: {self.made} made, {self.count or 'nothing'} found"

    def of(self, shown: Shown) -> tuple[object, ...]:
        return (shown.entry,)

    def draw(self, shown: Shown) -> None:
        found = checks(shown.result, shown.scan)
        judged = [name for name in RECONSTRUCTION_CHECKS if name not in ("misfit", "unlearned") or shown.scan is not None]
        self.made, self.count = len(judged), len(found)
        without = "" if shown.scan is not None else tag("p", f"The misfit is not judged. {NO_SCAN}")
        looked = tag("p", f"Looked for: {', '.join(LOOKED_FOR[name] for name in judged)}.")
        self.pane.put(looked, listed(found) if found else tag("p", WELL), without)


def known(shown: Shown) -> Scan:
    """The scan with its known object.

    Raises
    ------
    InputError
        There is none.
    """
    if shown.scan is None:
        raise Nothing(NO_SCAN)
    if shown.scan.truth is None:
        raise Nothing(NO_TRUTH)
    return shown.scan


def settings(result: Reconstruction) -> RefinementConfig:
    """How to fit from flat as a result was fitted; the defaults where it was not fitted, or long ago by settings of another version.

    The epochs are all that an iterative fit took, those before it went on too; those of a fit
    that began with a network's object say nothing of a flat start and are left to the scan.
    """
    stored, history = result.settings.get("refinement"), result.history
    try:
        config = RefinementConfig(**stored) if isinstance(stored, dict) else RefinementConfig()
    except ConfigError:
        return RefinementConfig()
    if result.method != "Iterative":
        return config.replace(epochs=None)
    return config.replace(epochs=history.epochs) if history is not None and history.epochs else config


def half_period(crossing: float, pixel_size: float | None) -> str:
    """The half-period of a crossing in px and, where the pixel size is known, in metres."""
    pixels = 0.5 / crossing
    metric = "" if pixel_size is None else f" = {length(pixels * pixel_size)}"
    limit = ", the limit of the pixels" if crossing == NYQUIST else ""
    return f"{pixels:.2f} px{metric}{limit}"


def rings(found: RingCorrelation, threshold: Threshold, name: str, pixel_size: float | None, other: str) -> Markup:
    """The correlation by frequency with its threshold, and where they cross in words."""
    crossing = found.crossing(threshold)
    told = f"Fourier ring correlation with {other}, at the {name} threshold: half-period {half_period(crossing, pixel_size)}."
    frequency = found.frequency[1:]
    lines = [
        Line("correlation", frequency, found.correlation[1:], ""),
        Line(f"{name} threshold", frequency, np.array(found.threshold(threshold)[1:]), ""),
    ]
    curve = curves_svg(lines, x="spatial frequency [cycles/px]", y="correlation", words=told, reach=(0, 1))
    return joined(tag("p", told, class_="pnb-numbers"), tag("div", tag("div", curve), class_="pnb-curves"))


def _scores(amplitude: ImageScores, phase: ImageScores) -> Markup:
    """A table of the errors."""
    rows = (
        ("SSIM", f"{amplitude.ssim:.4f}", f"{phase.ssim:.4f}"),
        ("MS-SSIM", f"{amplitude.ms_ssim:.4f}", f"{phase.ms_ssim:.4f}"),
        ("PSNR", f"{amplitude.psnr:.1f} dB", f"{phase.psnr:.1f} dB"),
        ("Mean absolute error", f"{amplitude.mae:.4f}", f"{phase.mae:.4f} rad"),
    )
    head = tag("tr", *(tag("th", word, scope="col") for word in ("Over the scanned region", "Amplitude", "Phase")))
    body = [tag("tr", tag("th", name, scope="row"), *(tag("td", value) for value in values)) for name, *values in rows]
    return tag("table", head, *body, class_="pnb-facts")
