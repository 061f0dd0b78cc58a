"""The Reconstruct panel: choose a method, edit its settings, run, watch, pause, stop, go on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from ptycho_nb.config import CONFIGS, Config
from ptycho_nb.errors import InputError, unknown
from ptycho_nb.history import Control, History, State
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Drawer, Keepsake, code, tag
from ptycho_nb.ui.forms import Source, show_python
from ptycho_nb.ui.panels.at_work import AtWork
from ptycho_nb.ui.panels.failures import in_a_sentence
from ptycho_nb.ui.panels.reconstruct.controls import BUSY, RESUMABLE, Controls
from ptycho_nb.ui.panels.reconstruct.methods import METHODS, Job, Outcome, in_words
from ptycho_nb.ui.panels.reconstruct.progress import OVER, ProgressFrame
from ptycho_nb.ui.panels.remains import Remains, bundle

log = logging.getLogger(__name__)

NO_SCAN = "No scan yet: choose or simulate one in the Scan panel, or give one in Python: ReconstructPanel(scan)."
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
    source : SimulationConfig or path, optional
        Where the scan comes from, for "Show Python".

    Attributes
    ----------
    result : Reconstruction or None
        Of the last run.
    failure : Exception or None
        What ended the last run, where it failed.
    state : State
    """

    def __init__(self, scan: Scan | None = None, *configs: Config, method: str = "Iterative", source: Source = None) -> None:
        if method not in METHODS:
            raise InputError(unknown("method", method, METHODS))
        names = {kind: name for name, kind in CONFIGS.items()}
        self.controls = Controls(method, {names[type(config)]: config for config in configs})
        self.progress = ProgressFrame(self.controls.numbers, self._moved)
        self.drawer = Drawer([self.progress, self.controls.loss, self.controls.preview])
        self.outcome: Outcome | None = None
        self.failure: Exception | None = None
        self._iterative: float | None = None  # seconds that a fit of this scan took
        self.state = State.IDLE
        self._source = source
        self._control = Control()
        self._claimed, self._at_work = threading.Lock(), AtWork()
        self._remains = Remains()
        self._listeners: list[Callable[[Reconstruction], None]] = []
        self._closed = False
        self.scan = scan
        self._connect()

    def _connect(self) -> None:
        c = self.controls
        c.start.on_click(lambda _: self._click())
        c.go_on.on_click(lambda _: self._click_more())
        c.pause.on_click(lambda _: self._click_pause())
        c.stop.on_click(lambda _: self.stop())
        c.method.observe(lambda _: self._edited(), "value")
        for form in c.forms.values():
            form.on_change(self._edited)
        self._edited()

    @property
    def scan(self) -> Scan | None:
        """What it runs on."""
        return self._scan

    @scan.setter
    def scan(self, scan: Scan | None) -> None:
        if self.state in BUSY:
            raise InputError("A run is under way on the present scan; stop it before you set another.")
        self._scan, self.outcome, self._iterative = scan, None, None
        self.controls.scan.put(NO_SCAN if scan is None else repr(scan).strip("<>"))
        self._say(self.state)

    @property
    def method(self) -> str:
        """The way to the object that is chosen."""
        return str(self.controls.method.value)

    @property
    def result(self) -> Reconstruction | None:
        """The object of the last run."""
        return None if self.outcome is None else self.outcome.result

    @property
    def configs(self) -> dict[str, Any]:
        """The settings of the chosen method, by section.

        Raises
        ------
        ConfigError
            A field cannot take what was entered.
        """
        return {name: self.controls.forms[name].config for name in self.controls.sections}

    @property
    def python(self) -> str:
        """The shortest Python that makes the same run."""
        return show_python(METHODS[self.method].code(self.configs), self._source)

    @property
    def _resumable(self) -> bool:
        """Whether the last run can go on."""
        return self.outcome is not None and self.outcome.method == self.method and self.outcome.result.state in RESUMABLE

    def on_end(self, listener: Callable[[Reconstruction], None]) -> None:
        """Call ``listener`` with the result of each run that gave one, in the thread of the run."""
        self._listeners.append(listener)

    def run(self) -> Reconstruction | None:
        """Run to the end; blocks. What goes wrong is said in the panel, in a sentence."""
        job = self._claim()
        if job is not None:
            self._work(job)
        return self.result

    def pause(self) -> None:
        """Hold the run after its step."""
        self._control.pause()
        self.progress.refresh()

    def resume(self) -> None:
        """Let a paused run go on."""
        self._control.resume()
        self.progress.refresh()

    def stop(self) -> None:
        """End the run after its step and keep what there is; wakes a paused run."""
        self._control.stop()
        if self.state in BUSY:
            self._say(State.STOPPING)

    def wait(self, seconds: float = LONGEST_END) -> bool:
        """Block until no run is under way; whether that came within this time."""
        return self._at_work.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        self._closed = True
        self._control.stop()
        self.wait()
        self.controls.close()

    def _click(self, more: int = 0) -> None:
        job = self._claim(more)
        if job is not None:
            threading.Thread(target=self._work, args=(job,), name="ptycho_nb run", daemon=True).start()

    def _click_more(self) -> None:
        try:
            more = int(self.controls.more.value)
        except ValueError:
            more = 0
        if 1 <= more <= 10_000:
            self._click(more)
        else:
            self.controls.problem.put(f"More epochs is {self.controls.more.value!r}; it must be a whole number in 1 to 10000.")

    def _click_pause(self) -> None:
        if self._control.paused:
            self.resume()
        else:
            self.pause()

    def _claim(self, more: int = 0) -> Job | None:
        """The next run, if none is under way and the settings allow one: only who gets it may run it."""
        if self._closed or not self._claimed.acquire(blocking=False):
            return None
        try:
            job = self._job(more)
        except InputError as error:
            self._claimed.release()
            self.controls.problem.put(str(error))
            return None
        self._at_work.begin()
        self.failure = None
        self.controls.problem.put()
        self.controls.after.put()
        self._say(State.LOADING)
        return job

    def _job(self, more: int) -> Job:
        if self._scan is None:
            raise InputError(NO_SCAN)
        configs = self.configs
        if more and not self._resumable:
            raise InputError(f"There is no run of {self.method} to go on with; press Start first.")
        self._control = Control()
        self.progress.begin()
        return Job(self.method, self._scan, configs, self.drawer, self._control, self.progress.say, self.outcome if more else None, more)

    def _work(self, job: Job) -> None:
        state = State.FAILED
        try:
            self.controls.preview.of(job.scan)
            with self.drawer.following():
                state = self._ran(job)
            if state is not State.FAILED:
                self._sum_up(job.scan)
        finally:
            self.state = state
            self._claimed.release()
            self._say(state)
            if state is not State.FAILED:
                self._hand_on()
            self._at_work.end()

    def _hand_on(self) -> None:
        """The result, to the notebook and to those who wait for it."""
        assert self.outcome is not None
        for listener in (self._remains.keep, *self._listeners):
            try:
                listener(self.outcome.result)
            except Exception:
                log.exception("The result could not be handed on.")

    def _ran(self, job: Job) -> State:
        """Run, keep what it gave; how it ended."""
        try:
            outcome = METHODS[job.method].run(job)
        except Exception as error:
            log.log(logging.INFO if isinstance(error, InputError) else logging.ERROR, "The run failed.", exc_info=True)
            self.failure = error
            self.controls.problem.put(in_a_sentence(error))
            return State.FAILED
        self.outcome = outcome
        if job.method == "Iterative" and outcome.result.state is State.DONE:
            self._iterative = outcome.result.seconds
        return outcome.result.state

    def _sum_up(self, scan: Scan) -> None:
        """The last picture, and the run in words."""
        assert self.outcome is not None
        try:
            self.controls.preview.keep(self.outcome.result)
            self.controls.after.put(tag("p", " ".join(in_words(self.outcome, scan, self._iterative))))
        except Exception:  # the object is there all the same
            log.exception("The result could not be drawn or judged.")
        history = self.outcome.history
        if history is not None and history.message:
            self.controls.problem.put(history.message)

    def _edited(self) -> None:
        self.controls.arrange()
        if not self.controls.problems:
            self.controls.code.put(code(self.python))
        self._say(self.state)

    def _moved(self, history: History) -> None:
        """The run has come to another state, by what its history says."""
        if self.state in BUSY:
            self._say(State.STOPPING if history.control.stopping else State.RUNNING if history.state in OVER else history.state)

    def _say(self, state: State) -> None:
        """Show a state in words, and what can be done in it."""
        self.state = state
        count = len(self.controls.problems)
        problems = f" · {count} problem{'s' * (count > 1)} to solve before Start" if count and state not in BUSY else ""
        self.controls.state.put(f"{str(state).capitalize()}{self.progress.part if state in BUSY else ''}{problems}")
        ready = not count and self._scan is not None and not self._closed
        self.controls.reflect(state, ready, self._resumable)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; a picture of its result where widgets cannot be shown."""
        return dict(self.controls.widget._repr_mimebundle_()) | bundle(self.result) | {"text/plain": repr(self)}

    def _ipython_display_(self) -> None:
        """The panel, and under it two plain outputs for the pictures that stay."""
        Keepsake().show(self._repr_mimebundle_())
        self._remains.show()
        self._remains.keep(self.result)

    def __repr__(self) -> str:
        return f"<ReconstructPanel: {self.method}, {'no scan' if self._scan is None else 'scan given'}>"
