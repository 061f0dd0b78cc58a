"""The Reconstruct panel: choose a method, edit its settings, run, watch, pause, stop, go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from ptycho_nb.config import Config, RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Drawer, Keepsake, bundle_of, code, load_ahead, tag
from ptycho_nb.ui.forms import Source, show_python
from ptycho_nb.ui.panels.failures import guarded
from ptycho_nb.ui.panels.reconstruct.controls import BUSY, RESUMABLE, Controls
from ptycho_nb.ui.panels.reconstruct.forecast import Forecast, Question
from ptycho_nb.ui.panels.reconstruct.methods import METHODS, Job, Outcome, Part, by_section, known, runnable
from ptycho_nb.ui.panels.reconstruct.progress import ProgressFrame
from ptycho_nb.ui.panels.reconstruct.runner import Runner, Screen
from ptycho_nb.ui.panels.reconstruct.summary import Times, in_words, scan_in_words
from ptycho_nb.ui.panels.remains import Remains, bundle
from ptycho_nb.ui.panels.run import Run

NO_SCAN = "No scan yet: choose or simulate one in the Scan panel, or give one in Python: ReconstructPanel(scan)."
NO_PROGRAM = "There is no program yet: a setting has a problem."
LONGEST_END = 60.0  # s that close waits for a run to end


class ReconstructPanel:
    """Edit, start, watch, pause, resume, stop; the same for each method.

    Parameters
    ----------
    scan : Scan, optional
        What to run on; ``panel.scan = …`` later.
    method : str
        "Iterative", "Network" or "Network, then iterative".
    configs : configs
        Settings to begin with, one of a kind; the defaults where left out.
    source : Source, optional
        Where the scan comes from, for "Show Python".

    Attributes
    ----------
    state : State
    remains : Remains
        Two plain outputs for the pictures that stay in the notebook.
    """

    def __init__(self, scan: Scan | None = None, *configs: Config, method: str = "Iterative", source: Source = None) -> None:
        scan = runnable(scan)
        self.controls = Controls(known(method), by_section(configs), self._asked, self.set, self._edited)
        self.progress = ProgressFrame(self.controls.numbers)
        self.drawer = Drawer([self.progress, self.controls.loss, self.controls.preview])
        screen = Screen(self._say, self.controls.problem.put, self._begin_part, self._prepare, self._sum_up, self.controls.tell_others)
        self._runner = Runner(self.drawer, screen)
        self._forecast = Forecast(self.controls.estimate.put)
        self.remains = Remains()
        self._times = Times()
        self._source = source
        self._closed = False
        self.scan = scan
        self._connect()

    def _connect(self) -> None:
        c = self.controls
        c.start.on_click(lambda _: self._click())
        c.go_on.on_click(guarded(lambda: self._click(c.epochs_more), c.problem.put))
        c.pause.on_click(lambda _: self._click_pause())
        c.stop.on_click(lambda _: self.stop())
        c.stop_others.on_click(lambda _: self._runner.stop_others())
        c.method.observe(lambda _: self._edited(), "value")
        c.preview.on_seen(self._runner.film)
        self._runner.on_end(lambda run: self.remains.keep(run.result, run.histories))
        self._edited()

    @property
    def widget(self) -> widgets.VBox:
        """All of it."""
        return self.controls.widget

    @property
    def scan(self) -> Scan | None:
        """What it runs on."""
        return self._scan

    @scan.setter
    def scan(self, scan: Scan | None) -> None:
        scan = runnable(scan)
        with self._runner.turn:  # none begins meanwhile
            if self.busy:
                raise InputError("A run is under way on the present scan; stop it before you set another.")
            self._scan, self._runner.outcome, self._times, self.state = scan, None, Times(), State.IDLE
            self.controls.clear()
            self.progress.begin()
            self.controls.scan.put(NO_SCAN if scan is None else scan_in_words(scan))
            self._edited()

    @property
    def source(self) -> Source:
        """Where the scan comes from."""
        return self._source

    @source.setter
    def source(self, source: Source) -> None:
        self._source = source
        self._edited()

    @property
    def method(self) -> str:
        """The way to the object that is chosen."""
        return str(self.controls.method.value)

    @property
    def result(self) -> Reconstruction | None:
        """The object of the last run that gave one."""
        return None if self._runner.outcome is None else self._runner.outcome.result

    @property
    def failure(self) -> BaseException | None:
        """What ended the last run, where it failed."""
        return self._runner.failure

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._runner.busy

    @property
    def configs(self) -> dict[str, Any]:
        """The settings of the chosen method, by section; ConfigError where a field cannot take what was entered."""
        return {name: self.controls.forms[name].config for name in self.controls.sections}

    @property
    def python(self) -> str:
        """The shortest Python that makes the last run and all it went on from; with other settings, what Start begins."""
        done, configs = self._runner.outcome, self.configs
        if done is not None and (done.method, done.configs) == (self.method, configs):
            return show_python(done.code, self._source)
        return show_python(METHODS[self.method].code(configs, None, 0), self._source)

    @property
    def _resumable(self) -> bool:
        """Whether the last run can go on."""
        done = self._runner.outcome
        return done is not None and done.method == self.method and done.result.state in RESUMABLE

    def shows(self, *configs: Config, method: str | None = None) -> bool:
        """Whether these settings and this method are what it shows; InputError where ``set`` would never take them."""
        forms = [self.controls.forms[name].shows(config) for name, config in by_section(configs).items()]
        return all(forms) and (method is None or known(method) == self.method)

    def set(self, *configs: Config, method: str | None = None) -> None:
        """Show these settings, one of a kind, and this method; what is left out stays.

        Raises
        ------
        InputError
            There is no such method, a setting of a kind that it has no form for, or a run is under way.
        """
        method = known(self.method if method is None else method)
        if self.busy:
            raise InputError("A run is under way with the present settings; stop it before you set others.")
        for name, config in by_section(configs).items():
            self.controls.forms[name].set(config)
        self.controls.method.value = method

    def on_begin(self, listener: Callable[[Run], object]) -> None:
        """Call ``listener`` with each run that begins, in the thread of the run."""
        self._runner.on_begin(listener)

    def on_end(self, listener: Callable[[Run], object]) -> None:
        """Call ``listener`` with each run that has ended, whether or not it gave a result, in the thread of the run."""
        self._runner.on_end(listener)

    def run(self) -> Reconstruction | None:
        """Run to the end; blocks. None where this run gave no object: what went wrong is said in the panel, in a sentence."""
        run = self._runner.go(self._job)
        return None if run is None else run.result

    def pause(self) -> None:
        """Hold the run after its step."""
        self._runner.control.pause()
        self._runner.reflect()

    def resume(self) -> None:
        """Let a paused run go on."""
        self._runner.control.resume()
        self._runner.reflect()

    def stop(self) -> None:
        """End the run after its step and keep what there is; wakes a paused run."""
        self._runner.stop()

    def wait(self, seconds: float = LONGEST_END) -> bool:
        """Block until no run is under way; whether that came within this time."""
        return self._runner.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        self._closed = True
        self._forecast.cancel()
        self._runner.close(LONGEST_END)
        self._forecast.wait()
        self.controls.close()

    def _click(self, more: int = 0) -> None:
        self._runner.start(lambda runner: self._job(runner, more))

    def _click_pause(self) -> None:
        (self.resume if self._runner.control.paused else self.pause)()

    def _job(self, runner: Runner, more: int = 0) -> Job:
        """What the settings ask for."""
        if self._scan is None:
            raise InputError(NO_SCAN)
        configs = self.configs
        if more and not self._resumable:
            raise InputError(f"There is no run of {self.method} to go on with; press Start first.")
        self._forecast.refuse(Question(self._scan, configs))
        self._forecast.cancel()
        self.controls.freedoms.task.stop()
        self.progress.begin()
        self.controls.problem.put()
        self.controls.after.put()
        earlier = runner.outcome if more else None
        return Job(self.method, self._scan, configs, runner.hear, runner.control, runner.say, earlier, more)

    def _asked(self) -> tuple[Scan, RefinementConfig]:
        """What the check of freedoms begins from."""
        if self._scan is None or self.busy:
            raise InputError(NO_SCAN if self._scan is None else "A run is under way; try freedoms when it has ended.")
        return self._scan, self.controls.forms["refinement"].config

    def _prepare(self, run: Run, goes_on: bool) -> None:
        """The pictures of another run; a measurement of its time that is under way ends first."""
        run.source = self._source
        if not goes_on:
            self.controls.preview.of(run.scan)
            self.controls.loss.begin()
        self._forecast.wait()

    def _begin_part(self, part: Part) -> None:
        self.progress.say(part)
        if part.name:
            self.controls.loss.announce(part.name)

    def _sum_up(self, run: Run, outcome: Outcome) -> str:
        """The last picture, and the run in words."""
        self.controls.preview.keep(outcome.result)
        self._times.take(outcome)
        if outcome.history is not None and outcome.history.message:
            self.controls.problem.put(outcome.history.message)
        told = in_words(outcome, run.scan, self._times)
        self.controls.after.put(tag("p", *(f"{sentence} " for sentence in told)))
        return " ".join(told)

    def _edited(self) -> None:
        with self._runner.turn:
            self.controls.arrange()
            self._say(self.state)

    def _say(self, state: State) -> None:
        """Show a state in words, and what can be done in it."""
        self.state = state
        ready = not self.controls.problems and self._scan is not None and not self._closed
        self.controls.reflect(state, self.progress.part, ready, self._resumable)
        if state not in BUSY:
            self._foretell(ready)

    def _foretell(self, ready: bool) -> None:
        """What Start would do, in Python, and what it would take."""
        self.controls.code.put(NO_PROGRAM if self.controls.problems else code(self.python))
        self._forecast.ask(Question(self._scan, self.configs) if ready and self._scan is not None else None)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; a picture of its result where widgets cannot be shown."""
        return bundle_of(self, self.widget, lambda: bundle(self.result))

    def _ipython_display_(self) -> None:
        """The panel, and under it plain outputs for the pictures that stay."""
        shown = self._repr_mimebundle_()
        if self.result is not None:  # its picture stands below
            shown.pop("image/png", None)
        Keepsake().show(shown)
        self.remains.show()
        self.remains.keep(self.result)
        load_ahead()

    def __repr__(self) -> str:
        return f"<ReconstructPanel: {self.method}, {'no scan' if self._scan is None else 'scan given'}>"
