"""The panel: settings on one side, what they give on the other, and a try on request."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.lessons.design import Bench, Design, design, design_picture
from ptycho_nb.ui.drawing import Fold, Pane, bundle_of, close_all, code, pictured, tag
from ptycho_nb.ui.forms import constructor
from ptycho_nb.ui.lessons.designer.controls import Settings
from ptycho_nb.ui.lessons.designer.pictures import (
    facts_markup,
    findings_markup,
    footprints,
    light_shot,
    pattern_shots,
    probe_markup,
)
from ptycho_nb.ui.lessons.designer.trials import EPOCHS, Trials
from ptycho_nb.ui.lessons.look import heading
from ptycho_nb.ui.panels.watch import Watch
from ptycho_nb.ui.viewer import Viewer

HEIGHT = 240  # px of an image on the screen
INTRODUCTION = "Plan a scan before it is measured: move a setting, and predict what changes. Nothing is fitted until you ask."
PROGRAM = """from ptycho_nb import SimulationConfig, refine, simulate_scan
from ptycho_nb.figures import truth_comparison
from ptycho_nb.lessons.design import design, design_picture
from ptycho_nb.quick_look.look import recipe

config = {config}
plan = design(config)
print(plan)
design_picture(plan)

scan = simulate_scan(config)
result = refine(scan, config=recipe(scan, {epochs}))
truth_comparison(result, scan)
"""


class ExperimentDesigner:
    """Settings of a scan, and at once where its light falls, how it is sampled and what the detector counts.

    Parameters
    ----------
    config : SimulationConfig, optional
        What it shows at first; settings that have no control here stay as given.

    Attributes
    ----------
    widget : widgets.VBox
    settings : Settings
        The controls.
    plan : Design or None
        What is shown; None where the very first settings make no scan.
    trials : Trials
        What was tried by "What would I get?".
    problem, findings, numbers : Pane
        Why the settings make no scan; what looks wrong with the plan; the plan in numbers.
    """

    def __init__(self, config: SimulationConfig | None = None) -> None:
        config = config or SimulationConfig()
        if not isinstance(config, SimulationConfig):
            raise InputError(f"An experiment is designed from a SimulationConfig, not from a {type(config).__name__}.")
        self.plan: Design | None = None
        self._bench = Bench()
        self.settings = Settings(config, self._edited)
        self.trials = Trials(lambda: self.settings.config)
        self.problem = Pane(role="alert", kind="problem")
        self.findings, self.numbers = Pane(role="status", kind="findings"), Pane(kind="facts")
        self.probe, self.code = Pane(kind="pattern"), Pane(kind="code")
        self.map, self.patterns = Viewer(height=HEIGHT, modes=("pan",)), Viewer(height=HEIGHT, modes=("pan",))
        self.widget = self._built()
        self._watch = Watch(self._draw, self.problem.put)
        self._watch.begin()

    def _built(self) -> widgets.VBox:
        seen = widgets.HBox([self.map, self.probe])
        seen.add_class("pnb-footprint")
        shown = widgets.VBox([self.problem, self.findings, seen, self.patterns, self.numbers])
        work = widgets.HBox([self.settings.widget, shown])
        work.add_class("pnb-designer")
        extras = Fold([self.code], titles=("Show Python",), selected_index=None)
        head = heading("Experiment designer", INTRODUCTION)
        whole = widgets.VBox([*head, work, Pane(tag("h3", "What would I get?")), self.trials.widget, extras])
        whole.add_class("pnb-panel")
        return whole

    @property
    def config(self) -> SimulationConfig:
        """What the controls say."""
        return self.settings.config

    @property
    def python(self) -> str:
        """The same as a program."""
        return PROGRAM.format(config=constructor(self.config), epochs=EPOCHS)

    def set(self, config: SimulationConfig) -> None:
        """Show these settings."""
        self.settings.set(config)

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until all is drawn and no try is under way; whether that came within this time."""
        return self._watch.wait(seconds) and self.trials.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        self.trials.close()
        self._watch.close()
        close_all(self.widget)

    def _edited(self) -> None:
        self._watch.wake()

    def _draw(self) -> None:
        """The plan of the settings as they are; its checks last, and only where nothing has changed meanwhile."""
        config = self._set_up()
        if config is None:
            return
        assert self.plan is not None
        plan = self.plan
        self.numbers.put(facts_markup(plan))
        fell, _ = plan.light
        self.map.marks, self.map.pixel_size = footprints(plan), config.pixel_size
        self.map.put([light_shot(plan)], shape=fell.shape, keep_region=True)
        self.patterns.put(pattern_shots(plan), shape=plan.expected.shape)
        self.probe.put(probe_markup(plan))
        self.code.put(code(self.python))
        self.trials.look_again(config)
        if self.config == config:
            self.findings.put(findings_markup(plan))

    def _set_up(self) -> SimulationConfig | None:
        """Make the plan; None, and a sentence, where the settings make no scan."""
        try:
            config = self.config
            self.plan = design(config, self._bench)
        except (ConfigError, InputError) as error:
            self.problem.put(f"{error} What is shown is of the settings before." if self.plan else str(error))
            self.trials.possible(False)
            return None
        self.problem.put()
        self.trials.possible(True)
        return config

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; a picture of the plan where widgets cannot be shown."""
        return bundle_of(self, self.widget, lambda: {} if self.plan is None else pictured(design_picture(self.plan)))

    def _ipython_display_(self) -> None:
        """The panel, and under it a plain output for the picture of the last try, which stays."""
        self.trials.kept.show_below(self._repr_mimebundle_)

    def __repr__(self) -> str:
        if self.plan is None:
            return "<ExperimentDesigner: no scan>"
        return f"<ExperimentDesigner: {self.plan.M} patterns, overlap {100 * self.plan.overlap:.0f} %>"
