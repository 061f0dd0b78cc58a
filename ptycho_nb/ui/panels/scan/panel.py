"""The Scan panel: choose a file or simulate, see what was read, look quickly."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

import ptycho_nb
from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError, ScanError
from ptycho_nb.figures import scan_picture
from ptycho_nb.files import StrPath, shown
from ptycho_nb.history import Control
from ptycho_nb.orientation import Orientation
from ptycho_nb.readers import load_scan
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Keepsake, bundle_of, code, pictured
from ptycho_nb.ui.forms import FileSource, Source, oriented_source, show_python
from ptycho_nb.ui.panels.failures import guarded
from ptycho_nb.ui.panels.scan.controls import PARTLY, Controls
from ptycho_nb.ui.panels.scan.mapping import Arrays, advised
from ptycho_nb.ui.panels.scan.orientation import turn
from ptycho_nb.ui.panels.task import Task

log = logging.getLogger(__name__)

Given = Scan | SimulationConfig | StrPath
BUSY = "The panel is still at work; press Stop or wait until it is done, then try again."
PATIENCE = 3.0  # s that a new scan waits for the end of a quick look


class ScanPanel:
    """Choose a file or simulate; see what was read, what looks wrong, and a rough object.

    Parameters
    ----------
    source : Scan, SimulationConfig or path, optional
        What to show at first; a path is loaded and a scan simulated beside a free kernel.

    Attributes
    ----------
    widget : widgets.VBox
    scan : Scan or None
    source : SimulationConfig, FileSource, Oriented, path or None
        Where the scan comes from, for ``show_python``.
    """

    def __init__(self, source: Given | None = None) -> None:
        self.controls = Controls()
        self.widget: widgets.VBox = self.controls.widget
        self.scan: Scan | None = None
        self.source: Source = None
        self.recorded: tuple[Scan, Source] | None = None  # before its positions were turned
        self._used = Orientation()
        self._keepsake = Keepsake()
        self._listeners: list[Callable[[], None]] = []
        self._task = Task(self.controls.problem.put, self._work_began_or_ended)
        self._stoppable = False
        self._connect()
        self._reflect()
        if source is not None:
            self.open(source)

    def _connect(self) -> None:
        c = self.controls
        clicks = (
            (c.browser.open, self._open_chosen),
            (c.browser.fields, self._map_chosen),
            (c.mapping.load, self._load_mapped),
            (c.simulate, self._simulate),
            (c.look.button, self._look),
            (c.look.stop, self.stop),
            (c.orientation.button, self._rank),
            (c.orientation.use, self._orient),
        )
        for button, action in clicks:
            button.on_click(guarded(action, self.controls.problem.put))

    @property
    def glance(self) -> Reconstruction | None:
        """The rough object of the quick look."""
        return self.controls.look.result

    @property
    def busy(self) -> bool:
        """Whether it loads, draws or looks."""
        return self._task.busy

    @property
    def python(self) -> str:
        """The shortest Python that gives the same scan."""
        return show_python([], self.source)

    def on_scan(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when a new scan is there, in the thread that brought it."""
        self._listeners.append(listener)

    def open(self, source: Given) -> None:
        """Show this scan, or load or simulate it, beside a free kernel; a quick look under way is stopped.

        Raises
        ------
        InputError
            It is none of them.
        """
        if isinstance(source, Scan):
            work = self._showing(source)
        elif isinstance(source, SimulationConfig):
            work = self._simulating(source)
        elif isinstance(source, str | os.PathLike):
            work = self._loading(source, {})
        else:
            raise InputError(f"A scan panel shows a Scan, a SimulationConfig or a path, not a {type(source).__name__}.")
        self.stop()
        self._task.wait(PATIENCE)
        if isinstance(source, Scan) and not self.busy:
            self._take(source, None)
        self._begin(work)

    def stop(self) -> None:
        """End a quick look or an orientation check after its step."""
        self._task.stop()

    def wait(self, seconds: float = 60.0) -> bool:
        """Block until nothing is under way; whether that came within this time."""
        return self._task.wait(seconds)

    def close(self) -> None:
        """Stop, and leave no widget and no thread behind."""
        self._task.close()
        self._listeners.clear()
        self.controls.close()

    def _begin(self, work: Callable[[Control], object], *, stoppable: bool = False) -> None:
        def begun(control: Control) -> None:
            self._stoppable = stoppable
            self._reflect(busy=True)
            work(control)

        if not self._task.start(begun):
            self.controls.problem.put(BUSY)

    def _open_chosen(self) -> None:
        browser = self.controls.browser
        if browser.enter():
            self.controls.problem.put()
        else:
            self._begin(self._loading(browser.chosen, {}))

    def _map_chosen(self) -> None:
        path = self.controls.browser.chosen
        self._begin(lambda _: self.controls.mapping.show(path, Arrays.of(path)))

    def _load_mapped(self) -> None:
        path, arguments = self.controls.mapping.path, self.controls.mapping.arguments
        if path is not None:
            self._begin(self._loading(path, arguments))

    def _simulate(self) -> None:
        self._begin(self._simulating(self.controls.form.config))

    def _loading(self, path: StrPath, arguments: dict[str, Any]) -> Callable[[Control], None]:
        def work(control: Control) -> None:
            self.controls.state.put(f"Loading {shown(path)} …")
            try:
                scan = load_scan(path, **arguments)
            except ScanError as error:
                self._refused(path, error, mapped=bool(arguments))
                return
            self.controls.browser.remember(path)
            self.controls.mapping.fold()
            self._take(scan, FileSource(path, arguments) if arguments else path)
            self._draw(scan)

        return work

    def _refused(self, path: StrPath, error: ScanError, *, mapped: bool) -> None:
        """Say why, and let a person say what the arrays are, where the file can be read at all."""
        log.info("The file was refused.", exc_info=error)
        sentence, _, listing = str(error).partition("\n")
        try:
            self.controls.mapping.show(path, Arrays.of(path))
        except ScanError:
            self.controls.problem.put(sentence)
        else:
            self.controls.problem.put(advised(sentence, bool(listing)) if listing or not mapped else sentence)

    def _simulating(self, config: SimulationConfig) -> Callable[[Control], None]:
        def work(_: Control) -> None:
            self.controls.state.put("Simulating …")
            scan = ptycho_nb.simulate_scan(config)
            self._take(scan, config)
            self._draw(scan)

        return work

    def _showing(self, scan: Scan) -> Callable[[Control], None]:
        return lambda _: self._draw(scan)

    def _take(self, scan: Scan, source: Source, *, used: Orientation | None = None) -> None:
        """A new scan is there: forget what was seen of the one before, and tell who waits."""
        c = self.controls
        if used is None:
            self.recorded = scan, source
            c.orientation.clear()
        self._used = used or Orientation()
        c.orientation.tell(self._used)
        c.look.clear()
        c.patterns.clear()
        self.source, self.scan = source, scan
        c.show(scan, source)
        c.code.put(code(self.python))
        for listener in list(self._listeners):
            try:
                listener()
            except Exception:
                log.exception("The scan could not be handed on.")

    def _draw(self, scan: Scan) -> None:
        """Words, checks and pictures of a scan; a failure leaves the scan."""
        self.controls.state.put("Judging and drawing …")
        failed = False
        for draw in self.controls.drawings(scan):
            try:
                draw()
            except Exception:
                log.exception("The scan could not be drawn or judged.")
                failed = True
        if failed:
            self.controls.problem.put(PARTLY)
        self._keepsake.keep(self._still)

    def _look(self) -> None:
        scan = self._needed()

        def work(control: Control) -> None:
            self.controls.state.put("Looking: iterative reconstruction, about 2 s …")
            self.controls.look.run(scan, control)
            verdict = self.controls.look.verdict
            self.controls.orientation.offer(self.controls.orientation.offered or (verdict is not None and verdict.poor))

        self._begin(work, stoppable=True)

    def _rank(self) -> None:
        self._needed()
        recorded, used = self.recorded, self._used
        assert recorded is not None

        def work(control: Control) -> None:
            self.controls.state.put("Checking the orientation: a short fit each way, a few seconds …")
            self.controls.orientation.run(recorded[0], used, control)

        self._begin(work, stoppable=True)

    def _orient(self) -> None:
        """Turn the positions as they were recorded the way the person chose."""
        self._needed()
        assert self.recorded is not None
        (scan, source), way = self.recorded, self.controls.orientation.chosen
        flags = turn(way)

        def work(_: Control) -> None:
            turned = scan.oriented(**flags)
            self._take(turned, oriented_source(source, flags), used=way)
            self._draw(turned)

        self._begin(work)

    def _needed(self) -> Scan:
        if self.scan is None:
            raise InputError("No scan yet: open a file or simulate one first.")
        return self.scan

    def _work_began_or_ended(self, busy: bool) -> None:
        if busy:
            self.controls.problem.put()
        self._stoppable = self._stoppable and busy
        self._reflect(busy=busy)

    def _reflect(self, *, busy: bool = False) -> None:
        self.controls.reflect(self.scan, busy=busy, stoppable=self._stoppable)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """The panel; a picture of its scan where widgets cannot be shown."""
        return bundle_of(self, self.widget, self._still)

    def _still(self) -> dict[str, Any]:
        return {} if self.scan is None else pictured(scan_picture(self.scan))

    def _ipython_display_(self) -> None:
        """The panel, and under it a plain output for the picture that comes later and stays."""
        self._keepsake.show_below(self._repr_mimebundle_)

    def __repr__(self) -> str:
        return f"<ScanPanel: {'no scan' if self.scan is None else 'scan given'}>"
