"""Quick look: a rough object in two seconds, and whether it looks good."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np

import ptycho_nb
from ptycho_nb.checks import noise_r_factor
from ptycho_nb.history import Control
from ptycho_nb.metrics import r_factor
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Pane, object_images, probe_image, tag

SECONDS = 2.0
AVERAGED = 128  # patterns that the mean pattern is of
# Explained of patterns that the look did not fit, of 24 epochs or more. 35 simulated scans of 32 and 48 px without
# errors of position: 0.68 to 0.99 as recorded, at most 0.54 with axes flipped or swapped. Two measured or pictured
# ones: 0.64 and 0.95 against -0.16 and below. Of patterns that were fitted, wrong axes explained up to 1.2, in 7 of
# the 35 more than 0.65: where photons or patterns are few, noise is fitted.
ENOUGH = 0.6
HIDDEN = 1.1  # times the R of noise alone: with a mean pattern's R below this nothing can be told
FEW = 8  # epochs
HURRIED = " Few epochs fitted into the time; look again when the machine is less busy."
TIP = "About 2 s of iterative reconstruction, before any training"


@dataclass(frozen=True)
class Verdict:
    """How well a quick look explains the photons.

    Attributes
    ----------
    misfit, noise, featureless : float
        R of the quick look, of photon noise alone, and of one mean pattern everywhere, which knows no object.
    judges : int
        Patterns that they are of: those that the look did not fit.
    """

    misfit: float
    noise: float
    featureless: float
    judges: int = 1

    @classmethod
    def of(cls, result: Reconstruction, scan: Scan) -> Verdict:
        """The verdict on a quick look of a scan."""
        all_over = np.unique(np.linspace(0, scan.M - 1, min(scan.M, AVERAGED)).astype(int))
        judges = ptycho_nb.unseen(scan, result)
        judges = judges if len(judges) else all_over  # of a handful none is held out
        some, expected = scan.intensity[judges], result.predicted(judges)
        mean = np.broadcast_to(np.square(np.sqrt(scan.intensity[all_over]).mean(0)), some.shape)
        figures = r_factor(expected, some, scan.mask), noise_r_factor(expected, scan.mask), r_factor(mean, some, scan.mask)
        return cls(*figures, len(judges))

    @property
    def hidden(self) -> bool:
        """Whether noise hides what the object does to the patterns."""
        return not self.featureless >= HIDDEN * self.noise  # not a number where too few photons are expected to draw one

    @property
    def explained(self) -> float:
        """The share of what the object does to the patterns: 0 is no better than a mean pattern, 1 as good as the noise allows."""
        return (self.featureless - self.misfit) / (self.featureless - self.noise)

    @property
    def poor(self) -> bool:
        """Whether the misfit stands clearly above the noise."""
        return not np.isfinite(self.misfit) or (not self.hidden and self.explained < ENOUGH)

    @property
    def words(self) -> str:
        """In a sentence or two."""
        if not np.isfinite(self.misfit):
            return "The quick look diverged: no object explains these photons with these positions."
        of = f" of {self.judges} patterns that it did not fit" if self.judges > 1 else ""
        said = (
            f"Misfit R{of} {self.misfit:.3f}; photon noise alone gives {self.noise:.3f}, one mean pattern everywhere {self.featureless:.3f}"
        )
        if self.hidden:
            return f"{said}. Noise hides the object in single patterns, so the misfit tells little: judge by the picture."
        said += f": {min(max(self.explained, 0), 1):.0%} of what the object does is explained"
        if self.poor:
            return f"{said}. Looks poor, for it is less than {ENOUGH:.0%}: look at the checks, orientation, centre and probe."
        return f"{said}. Looks good."


class QuickLook:
    """One button for a rough object, and what came of it.

    Attributes
    ----------
    widget : widgets.VBox
    button, stop : widgets.Button
    news : Pane
        How well it explains the photons.
    result : Reconstruction or None
    verdict : Verdict or None
    """

    def __init__(self) -> None:
        self.button = widgets.Button(description="Quick look", tooltip=TIP, button_style="primary", disabled=True)
        self.stop = widgets.Button(description="Stop", tooltip="End after this step and keep what there is", disabled=True)
        self.news, self.seen = Pane(role="status", kind="news"), Pane(kind="look")
        bar = widgets.HBox([self.button, self.stop, Pane(f"{TIP}.")])
        bar.add_class("pnb-bar")
        self.widget = widgets.VBox([bar, self.news, self.seen])
        self.result: Reconstruction | None = None
        self.verdict: Verdict | None = None

    def clear(self) -> None:
        """Forget what was seen."""
        self.result = self.verdict = None
        self.news.put()
        self.seen.put()

    def run(self, scan: Scan, control: Control) -> Reconstruction:
        """Look and show; blocks."""
        result = ptycho_nb.quick_look(scan, SECONDS, control=control)
        part = ptycho_nb.looked_at(scan, result)
        self.result, self.verdict = result, Verdict.of(result, part)
        epochs = 0 if result.history is None else result.history.epochs
        ended = "stopped" if control.stopping else "done"
        of = "" if part is scan else f" over the middle {part.M} of {scan.M} patterns"
        hurried = HURRIED if self.verdict.poor and epochs < FEW and not control.stopping else ""
        took = f"Quick look {ended} after {result.seconds:.1f} s, {epochs} epochs{of}. "
        pictures = tag("div", object_images(result.object, inside=result.scanned), probe_image(result.probe), class_="pnb-pictures")
        self.news.put(tag("p", took, self.verdict.words, hurried))
        self.seen.put(pictures)
        return result
