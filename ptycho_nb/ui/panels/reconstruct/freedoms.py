"""Which freedoms of the fit help on this scan: asked by a button, ranked, and taken over by another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import ipywidgets as widgets

import ptycho_nb
from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, History
from ptycho_nb.quantities import figures
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Markup, Pane, tag
from ptycho_nb.ui.panels.task import Task

WHY = (
    "More freedom always fits the data better, noise included. So each freedom is tried in a fit that leaves out a twentieth of the "
    "detector pixels, others in each pattern, and judged on those: it takes about nine fits. Nothing is set until you press Use the best."
)


class FreedomCheck:
    """A button to try freedoms, what came of it, and a button that sets them.

    Parameters
    ----------
    wanted : callable
        The scan and the settings to begin from; raises InputError where there are none.
    use : callable
        Told the settings to take.

    Attributes
    ----------
    widget : widgets.VBox
    button, stop, take : widgets.Button
    ranking : list of Freedom
    """

    def __init__(self, wanted: Callable[[], tuple[Scan, RefinementConfig]], use: Callable[[RefinementConfig], object]) -> None:
        self._wanted, self._use = wanted, use
        self.button = _button("Try freedoms", "Fit with one freedom more at a time and judge each on pixels kept out")
        self.stop = _button("Stop", "End the fit under way and try no further ones")
        self.take = _button("Use the best", "Set the fit to the settings of the first row")
        bar = widgets.HBox([self.button, self.stop, self.take])
        bar.add_class("pnb-bar")
        self.said, self.table, self.problem = Pane(role="status"), Pane(kind="ranking"), Pane(role="alert", kind="problem")
        self.widget = widgets.VBox([Pane(tag("p", WHY)), bar, self.problem, self.said, self.table])
        self.task = Task(self.problem.put, self._changed)
        self.ranking: list[ptycho_nb.Freedom] = []
        self._scan: Scan | None = None  # what the ranking is of
        self._turn = threading.Lock()  # held while a ranking is shown or forgotten
        self.task.reflect()
        self.button.on_click(lambda _: self.task.start(self._do))
        self.stop.on_click(lambda _: self.task.stop())
        self.take.on_click(lambda _: self._take())

    def run(self) -> list[ptycho_nb.Freedom]:
        """Try them now; blocks."""
        self.task.run(self._do)
        return self.ranking

    def clear(self) -> None:
        """Forget the ranking: it was of another scan."""
        self.task.stop()
        self._show(None)
        self.task.reflect()

    def _do(self, control: Control) -> None:
        self.problem.put()
        scan, config = self._wanted()
        self._show(scan)
        seen: list[History] = []

        def told(history: History) -> None:
            if not seen or seen[-1] is not history:
                seen.append(history)
                self._tell(scan, f"Fit {len(seen)} of at most {len(ptycho_nb.FREEDOMS) + 2} …")

        ranking = ptycho_nb.rank_freedoms(scan, config, listener=told, control=control)
        self._tell(scan, _verdict(ranking, control.stopping), ranking)

    def _show(self, scan: Scan | None) -> None:
        """Begin with nothing, on this scan."""
        with self._turn:
            self._scan, self.ranking = scan, []
            self.said.put()
            self.table.put()

    def _tell(self, scan: Scan, words: str, ranking: Sequence[ptycho_nb.Freedom] = ()) -> None:
        """Show what came of this scan, unless another was set meanwhile."""
        with self._turn:
            if self._scan is scan:
                self.ranking = list(ranking)
                self.said.put(words)
                self.table.put(_table(ranking) if ranking else "")

    def _take(self) -> None:
        self.problem.put()
        try:
            self._use(self.ranking[0].config)
        except InputError as error:
            self.problem.put(str(error))
            return
        self.said.put("The settings of the fit are those of the first row; Start runs it on all pixels.")

    def _changed(self, busy: bool) -> None:
        self.button.disabled, self.stop.disabled = busy, not busy
        self.take.disabled = busy or not self.ranking or self.ranking[0].plain or not self.ranking[0].helps


def _table(ranking: Sequence[ptycho_nb.Freedom]) -> Markup:
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Freedom", "Misfit on held-out pixels", "Change", "Verdict", "Seconds")))
    rows = []
    for one in ranking:
        change = "" if one.plain else f"{figures(-100 * one.gain, 2)} ± {figures(100 * one.error, 1)} %"
        verdict = "" if one.plain else "helps" if one.helps else "does not help"
        cells = (one.name, figures(one.misfit, 4), change, verdict, f"{one.seconds:.1f}")
        rows.append(tag("tr", *(tag("td", cell) for cell in cells)))
    return tag("table", tag("caption", "One freedom more at a time, the lowest misfit first"), head, *rows, class_="pnb-facts")


def _verdict(ranking: Sequence[ptycho_nb.Freedom], stopped: bool) -> str:
    stop = "Stopped: what is not in the table was not tried. " if stopped else ""
    helping = [one.name for one in ranking if one.helps and one.single]
    if stopped and not helping:
        return f"{stop}Of those tried, none helps."
    if not helping:
        return f"{stop}None of these helps: the fit as set has the freedom that the data ask for."
    return f"{stop}What helps: {', '.join(helping)}. The first row predicts the held-out pixels best."


def _button(name: str, tip: str) -> widgets.Button:
    return widgets.Button(description=name, tooltip=tip, layout={"width": "auto"})
