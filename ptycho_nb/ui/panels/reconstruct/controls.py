"""The Reconstruct panel's widgets: what stands where, and which button can be pressed when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ipywidgets as widgets

from ptycho_nb.config import Config, RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.quantities import several
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import STYLE, Fold, LossFrame, OwnKeys, Pane, PreviewFrame, close_all, tag
from ptycho_nb.ui.forms import SettingsFile
from ptycho_nb.ui.panels.reconstruct.forms import TITLES, Forms
from ptycho_nb.ui.panels.reconstruct.freedoms import FreedomCheck
from ptycho_nb.ui.panels.reconstruct.methods import METHODS
from ptycho_nb.ui.panels.run import Run

FOLDED = ("model", "data", "inference")  # below the training, one opened at a time
TWICE = "Device and time limit are set for each part: the training and the fit."
MOST_MORE = 10_000  # epochs
BUSY = (State.LOADING, State.RUNNING, State.PAUSING, State.PAUSED, State.STOPPING)
PAUSABLE = (State.RUNNING, State.PAUSING, State.PAUSED)
RESUMABLE = (State.DONE, State.STOPPED)


class Controls:
    """Every widget of the panel, and their state.

    Attributes
    ----------
    widget : widgets.VBox
        All of them.
    forms : mapping of str to Form
        By section; made as they are asked for.
    """

    def __init__(
        self,
        method: str,
        configs: Mapping[str, Config],
        wanted: Callable[[], tuple[Scan, RefinementConfig]],
        use: Callable[[RefinementConfig], object],
        edited: Callable[[], None],
    ) -> None:
        self.forms = Forms(configs, edited)
        self.method = widgets.RadioButtons(
            options=[(f"{name}: {way.line}", name) for name, way in METHODS.items()],
            value=method,
            tooltip="The way to the object",
            layout={"width": "auto"},
        )
        self.scan, self.state = Pane(kind="scan"), Pane(role="status", kind="state")
        self.problem, self.numbers, self.after = Pane(role="alert", kind="problem"), Pane(kind="numbers"), Pane(kind="after")
        self.estimate, self.twice = Pane(role="status", kind="estimate"), Pane(TWICE, kind="text")
        self.code, self.file = Pane(kind="code"), SettingsFile(self.forms)
        self.start = _button("Start", "Run on this scan with these settings", "primary")
        self.pause = _button("Pause", "Hold the run after this step; press again to go on")
        self.stop = _button("Stop and keep", "End the run after this step and keep what there is")
        self.go_on = _button("Continue", "Go on from where the last run ended, for so many more epochs")
        self.others, self.stop_others = Pane(role="status"), _button("Stop it", "End the runs of other panels and keep what there is")
        self._elsewhere = widgets.HBox([self.others, self.stop_others])
        self.more = widgets.Text(
            "10",
            description="for more epochs",
            tooltip="How many epochs Continue runs",
            layout={"width": "170px"},
            style={"description_width": "initial"},
            continuous_update=False,
        )
        self.loss, self.preview = LossFrame(), PreviewFrame()
        self.freedoms = FreedomCheck(wanted, use)
        self._asks = Fold([self.freedoms.widget], titles=("What the data ask for",), selected_index=None)
        folded = [self.forms.places[name].widget for name in FOLDED]
        self._folded = Fold(folded, titles=[TITLES[name] for name in FOLDED], selected_index=None)
        self._network = widgets.VBox([self.forms.places["training"].widget, self._folded])
        self._fit = widgets.VBox([self.forms.places["refinement"].widget, self._asks])
        self.widget = self._built()
        self.widget.add_class("pnb-panel")
        self.arrange()

    def _built(self) -> widgets.VBox:
        buttons = widgets.HBox([self.start, self.pause, self.stop, self.go_on, self.more])
        buttons.add_class("pnb-bar")
        extras = Fold([self.code, self.file.widget], titles=("Show Python", "Settings file"), selected_index=None)
        live = widgets.HBox([self.loss.widget, self.preview.pane])
        live.add_class("pnb-live")
        self._elsewhere.add_class("pnb-bar")
        news = [self._elsewhere, self.state, self.problem, self.numbers]
        settings = widgets.HBox([self._network, self._fit])
        settings.add_class("pnb-settings")
        run = widgets.VBox([self.estimate, buttons, *news, live, self.after])  # the summary comes last and moves no picture
        work = widgets.HBox([widgets.VBox([self.twice, settings, extras]), run])
        work.add_class("pnb-work")
        self.method.add_class("pnb-method")
        return widgets.VBox([Pane(STYLE, kind="style"), OwnKeys(), Pane(tag("h3", "Reconstruct")), self.scan, self.method, work])

    @property
    def sections(self) -> tuple[str, ...]:
        """The settings that the chosen method takes."""
        return METHODS[self.method.value].sections

    @property
    def problems(self) -> dict[str, str]:
        """A sentence for each field of the chosen method that cannot take what was entered."""
        told = self.forms.problems
        return {f"{name}.{field}": text for name in self.sections for field, text in told[name].items()}

    def arrange(self) -> None:
        """Show the settings of the chosen method and no others, and which folds hide a problem."""
        for name in self.sections:
            _ = self.forms[name]  # there from now on
        told = self.forms.problems
        for number, name in enumerate(FOLDED):
            self._folded.count_problems(number, len(told[name]))
        self._network.layout.display = None if "training" in self.sections else "none"
        self._fit.layout.display = None if "refinement" in self.sections else "none"
        self.twice.layout.display = None if len(self.shown) == len(TITLES) else "none"

    @property
    def shown(self) -> set[str]:
        """The sections whose settings can be seen."""
        parts = {self._network: ("training", *FOLDED), self._fit: ("refinement",)}
        return {name for part, names in parts.items() if part.layout.display != "none" for name in names}

    @property
    def epochs_more(self) -> int:
        """How many epochs Continue is to run.

        Raises
        ------
        InputError
            What was entered is no such number.
        """
        try:
            more = int(self.more.value)
        except ValueError:
            more = 0
        if not 1 <= more <= MOST_MORE:
            raise InputError(f"More epochs is {self.more.value[:40]!r}; it must be a whole number in 1 to {MOST_MORE}.")
        return more

    @property
    def _unsolved(self) -> str:
        """How many problems keep Start waiting, and the first of them."""
        if not (problems := self.problems):
            return ""
        where, first = next(iter(problems.items()))
        return f" · {several(len(problems), 'problem')} to solve before Start. {TITLES[where.partition('.')[0]]}: {first}"

    def reflect(self, state: State, doing: str, ready: bool, resumable: bool) -> None:
        """Say the state in words, and which buttons and fields can be used in it."""
        busy = state in BUSY
        self.state.put(f"{str(state).capitalize()}{doing if busy else self._unsolved}")
        self.start.disabled = busy or not ready
        self.pause.disabled = state not in PAUSABLE
        self.pause.description = "Resume" if state in (State.PAUSING, State.PAUSED) else "Pause"
        self.stop.disabled = not busy or state is State.STOPPING
        self.go_on.disabled = self.more.disabled = busy or not ready or not resumable
        self.method.disabled = self.file.disabled = busy
        self.forms.disable(busy)

    def tell_others(self, runs: Sequence[Run]) -> None:
        """Say which runs of other panels are under way, with the button that ends them."""
        self.others.put(f"In another panel: {'; '.join(f'{run.name} on {run.scan.name}' for run in runs)}." if runs else "")
        self._elsewhere.layout.display = None if runs else "none"

    def clear(self) -> None:
        """Forget what was shown of another scan."""
        self.loss.begin()
        self.preview.clear()
        self.freedoms.clear()
        self.problem.put()
        self.after.put()

    def close(self) -> None:
        """Take every widget away."""
        self.freedoms.task.close()
        self.forms.close()
        close_all(self.widget)


def _button(name: str, tip: str, style: str = "") -> widgets.Button:
    return widgets.Button(description=name, tooltip=tip, button_style=style, layout={"width": "auto"})
