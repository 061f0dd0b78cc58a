"""What would I get: the planned scan recorded and reconstructed in a few seconds, beside the known object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np

from ptycho_nb.config import SimulationConfig
from ptycho_nb.figures import truth_comparison
from ptycho_nb.history import Control
from ptycho_nb.metrics import Scores, align, compare_aligned
from ptycho_nb.quick_look.look import middle, recipe
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan
from ptycho_nb.ui.drawing import Keepsake, Markup, Pane, inlined, pictured, tag
from ptycho_nb.ui.forms import written
from ptycho_nb.ui.panels.object.quality import half_period
from ptycho_nb.ui.panels.scan.look import Verdict
from ptycho_nb.ui.panels.task import Task

EPOCHS = 20  # the same for each try: lines of the table are to tell the settings, not how busy the machine was
MOST = 1000 * 64**2  # detector pixels of the patterns that are fitted; of a larger scan its middle: about two seconds of one core
KEPT = 8  # trials in the table
OFFER = (
    f"Records the planned scan and fits it in {EPOCHS} epochs, some seconds; a longer run gives more. Each try becomes a line to compare."
)
EARLIER = "The settings have changed since: the picture is of the last try in the table."
HEADINGS = ("Try", "What was set", "Patterns", "Amplitude SSIM", "Phase SSIM", "Phase MAE [rad]", "Half-period")
COLUMNS = "SSIM is 1 for the truth itself; half-period: the finest detail that agrees with the truth (Fourier ring correlation above 0.5)."


@dataclass(frozen=True, eq=False)
class Trial:
    """One try.

    Attributes
    ----------
    config : SimulationConfig
    scan : Scan
        As recorded.
    result : Reconstruction
    scores : Scores
        Against the known object.
    verdict : Verdict
        How well it explains the photons.
    """

    config: SimulationConfig
    scan: Scan
    result: Reconstruction
    scores: Scores
    verdict: Verdict

    @classmethod
    def of(cls, config: SimulationConfig, control: Control) -> Trial:
        """Record, fit and judge; blocks."""
        scan = simulate_scan(config)
        assert scan.truth is not None
        most = MOST // scan.N**2
        part = scan if most >= scan.M else scan.select(middle(scan, most))
        result = refine(part, config=recipe(part, EPOCHS), control=control)
        scores = compare_aligned(align(result.object, scan.truth, result.scanned))
        return cls(config, scan, result, scores, Verdict.of(result, part))

    @property
    def words(self) -> str:
        """How well it explains the photons, and how near the object is: the one does not follow from the other."""
        found, known = self.verdict, self.scores
        if not np.isfinite(found.misfit):
            return found.words
        of = f" of {found.judges} patterns that it did not fit" if found.judges > 1 else ""
        return (
            f"Misfit R{of} {found.misfit:.3f}, where photon noise alone gives {found.noise:.3f}. Against the known object: "
            f"SSIM {known.amplitude.ssim:.3f} in amplitude and {known.phase.ssim:.3f} in phase."
        )

    def row(self, number: int, before: SimulationConfig) -> Markup:
        """A line of the table: what was set apart from the try before, and how good it is."""
        now, then = self.config.model_dump(), before.model_dump()
        changed = [f"{name}={written(now[name])}" for name in now if now[name] != then[name]] or ["as before"]
        cells = (
            ", ".join(changed) if number > 1 else _first(self.config),
            f"{len(self.result.positions)}" + ("" if len(self.result.positions) == self.scan.M else f" of {self.scan.M}"),
            f"{self.scores.amplitude.ssim:.3f}",
            f"{self.scores.phase.ssim:.3f}",
            f"{self.scores.phase.mae:.3f}",
            half_period(self.scores.frc50, self.scan.pixel_size),
        )
        return tag("tr", tag("th", str(number), scope="row"), *(tag("td", cell) for cell in cells))


def _first(config: SimulationConfig) -> str:
    return ", ".join(f"{name}={written(value)}" for name, value in config.changes().items()) or "all at their defaults"


class Trials:
    """The button, what came of it, and a line for each try.

    Attributes
    ----------
    widget : widgets.VBox
    button, stop : widgets.Button
    tries : list of Trial
        The newest last.
    kept : Keepsake
        The picture of the last, for a saved notebook.
    """

    def __init__(self, config: Callable[[], SimulationConfig]) -> None:
        self._config = config
        self.button = widgets.Button(description="What would I get?", tooltip=OFFER, button_style="primary", layout={"width": "auto"})
        self.stop = widgets.Button(description="Stop", tooltip="End after this step and keep what there is", disabled=True)
        self.news, self.problem = Pane(OFFER, role="status", kind="news"), Pane(role="alert", kind="problem")
        self.table, self.picture = Pane(kind="table"), Pane(kind="look")
        bar = widgets.HBox([self.button, self.stop])
        bar.add_class("pnb-bar")
        self.widget = widgets.VBox([bar, self.news, self.problem, self.table, self.picture])
        self.kept = Keepsake()
        self.tries: list[Trial] = []
        self._count = 0
        self._possible = True
        self._task = Task(self.problem.put, self._changed)
        self.button.on_click(lambda _: self._task.start(self._work))
        self.stop.on_click(lambda _: self._task.stop())

    def possible(self, possible: bool) -> None:
        """Whether the settings make a scan."""
        self._possible = possible
        self._task.reflect()

    def look_again(self, config: SimulationConfig) -> None:
        """Say whether the picture is of these settings, unless another is on its way."""
        if not self._task.busy:
            self._compare(config)

    def _compare(self, config: SimulationConfig) -> None:
        if self.tries:
            self.news.put(self._told(self.tries[-1]) if self.tries[-1].config == config else EARLIER)

    def run(self) -> None:
        """Try the settings now; blocks."""
        self._task.run(self._work)

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until no try is under way; whether that came within this time."""
        return self._task.wait(seconds)

    def close(self) -> None:
        """Stop, and take no more."""
        self._task.close()

    def _changed(self, busy: bool) -> None:
        self.button.disabled, self.stop.disabled = busy or not self._possible, not busy

    def _work(self, control: Control) -> None:
        self.problem.put()
        self.news.put("Recording the scan and fitting it …")
        try:
            trial = Trial.of(self._config(), control)
        except Exception:
            self.news.put(OFFER)
            raise
        self._count += 1
        self.tries = [*self.tries, trial][-KEPT:]
        self.news.put(self._told(trial))
        self.table.put(self._tabled())
        drawn = truth_comparison(trial.result, trial.scan)
        scores = f"SSIM of the amplitude {trial.scores.amplitude.ssim:.3f}, of the phase {trial.scores.phase.ssim:.3f}"
        words = f"Try {self._count}: object beside the truth and their difference; {scores}"
        self.picture.put(inlined(drawn, words))
        self.kept.keep(lambda: pictured(drawn))
        self._compare(self._config())

    def _told(self, trial: Trial) -> Markup:
        epochs = 0 if trial.result.history is None else trial.result.history.epochs
        part = "" if len(trial.result.positions) == trial.scan.M else f" over the middle {len(trial.result.positions)} patterns"
        return tag("p", f"Fitted for {trial.result.seconds:.1f} s, {epochs} epochs{part}. {trial.words}")

    def _tabled(self) -> Markup:
        first = self._count - len(self.tries) + 1
        before = [self.tries[0].config, *(trial.config for trial in self.tries)]
        head = tag("tr", *(tag("th", word, scope="col") for word in HEADINGS))
        rows = [trial.row(first + i, before[i]) for i, trial in enumerate(self.tries)]
        return tag("table", tag("caption", COLUMNS), head, *rows)
