"""Both methods as they grow, side by side at the same time of work."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from ptycho_nb.figures.colours import limits, phase_scale
from ptycho_nb.history import History, Preview
from ptycho_nb.quantities import figures
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Cost, Frame, Markup, Pane, coloured, picture, shrunk, tag
from ptycho_nb.ui.lessons.duel.contest import METHODS, Contest, Mark, inside

WIDEST = 256  # px of a picture
WAITING = "waits for its turn"
TRUE = "Known object"


class Scales:
    """Limits and colours that all pictures of one scan share: those of the known object, or of each picture itself."""

    def __init__(self, scan: Scan) -> None:
        self.truth: NDArray[Any] | None = None
        if scan.truth is not None:
            self.truth = _centred(shrunk(scan.truth[inside(Preview(scan.truth, (0, 0), scan.probe), scan)], WIDEST))

    def pictures(self, seen: NDArray[Any], words: str) -> Markup:
        """Amplitude and phase of the scanned region of an object (h, w), its mean phase taken off."""
        now = _centred(shrunk(seen, WIDEST))
        judge = now if self.truth is None else self.truth
        gray = limits(np.abs(judge))
        name, norm, _ = phase_scale(np.angle(judge))
        amplitude = picture(coloured(np.abs(now), gray, "gray"), f"amplitude {_ends(gray)}", f"{words}: object amplitude")
        phase = picture(coloured(np.angle(now), norm, name), f"phase {_ends(norm)} rad", f"{words}: object phase")
        return tag("div", amplitude, phase, class_="pnb-pictures")


def _centred(seen: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(seen * np.exp(-1j * np.angle(seen.sum())))


def _ends(norm: Normalize) -> str:
    return f"{figures(float(norm.vmin or 0))} to {figures(float(norm.vmax or 0))}"


class Screen(Frame):
    """Two columns of pictures, beside the known object, at one time of work; it follows the contest or shows a time that is chosen.

    Attributes
    ----------
    widget : widgets.VBox
    time : widgets.ToggleButtons
        The time shown; its buttons are there once there are marks.
    state : Pane
        How far the contest is.
    """

    period = 0.3

    def __init__(self) -> None:
        self.state = Pane(role="status", kind="state")
        self.time = widgets.ToggleButtons(options=[], description="Both after", style={"button_width": "58px"})
        self.time.tooltip = "After how much time of work both objects are shown"
        self.columns = {name: Pane(kind="row") for name in (*METHODS, TRUE)}
        row = widgets.HBox(list(self.columns.values()))
        row.add_class("pnb-duel")
        self.widget = widgets.VBox([self.time, row])
        self.widget.layout.display = "none"
        self._contest: Contest | None = None
        self._scales: Scales | None = None
        self._drawn: dict[str, Mark | None] = {}
        self.time.observe(lambda _: self._chosen(), "value")

    def begin(self, contest: Contest) -> None:
        """Draw this contest from now on."""
        self._contest, self._scales, self._drawn = None, Scales(contest.part), {}
        self.time.options = [(f"{t:g} s", t) for t in contest.times]
        for name in METHODS:
            self._waits(name)
        known = self._scales.truth
        self.columns[TRUE].put(*(() if known is None else (tag("h4", TRUE), self._scales.pictures(known, TRUE))))
        self._contest = contest
        self.widget.layout.display = None

    def draw(self, history: History) -> Cost | None:
        """What is new: the state in words, and the last mark beside the other method's at the same time."""
        contest = self._contest
        if contest is None or not contest.sides:
            return None
        side = list(contest.sides.values())[-1]
        steps = len(side.run.histories[-1][1].steps) if side.run.histories else 0
        said = f"{side.name} works: {min(side.worked, contest.seconds):.1f} of {contest.seconds:g} s, {steps} steps"
        sent = self.state.put(said)
        if side.marks:
            self.time.value = contest.nearest(side.marks[-1].seconds)
        return Cost(bytes=sent + self._show())

    def draw_last(self, history: History) -> None:
        """The end is shown by ``finish``."""

    def finish(self) -> None:
        """Both at the last time that both have."""
        contest = self._contest
        if contest is None or not any(side.marks for side in contest.sides.values()):
            return
        self.time.value = contest.common
        self._show()

    def _chosen(self) -> None:
        self._show()

    def _show(self) -> int:
        """Each column at the time chosen, where it changed."""
        contest, scales = self._contest, self._scales
        if contest is None or scales is None or self.time.value is None:
            return 0
        sent = 0
        for name, side in list(contest.sides.items()):
            mark = contest.shown(side, float(self.time.value))
            if mark is None or self._drawn.get(name) is mark:
                continue
            self._drawn[name] = mark
            title = f"{name} after {mark.seconds:.3g} s"
            seen = mark.seen.object[inside(mark.seen, contest.part)]
            sent += self.columns[name].put(tag("h4", title), scales.pictures(seen, title))
        return sent

    def _waits(self, name: str) -> None:
        self.columns[name].put(tag("h4", name), tag("p", WAITING))

    def switch_off(self) -> None:
        self.state.put("The live pictures failed and are off; the contest goes on. The log has the reason.")
