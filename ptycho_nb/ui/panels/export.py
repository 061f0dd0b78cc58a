"""Out of the notebook: pictures in print sizes, data, a methods text, a report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets

import ptycho_nb
from ptycho_nb.errors import InputError
from ptycho_nb.exports import CONTENTS, PICTURES, RESOLUTIONS, WIDTHS, proposed_name, save_arrays, save_picture, save_tiff, suffix
from ptycho_nb.files import StrPath
from ptycho_nb.history import Control
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import STYLE, Pane, bundle_of, close_all, tag
from ptycho_nb.ui.forms import Destination
from ptycho_nb.ui.panels.copying import CopyButton
from ptycho_nb.ui.panels.task import LONGEST_END, Task
from ptycho_nb.views import View

REPORT = ".html"
FORMATS = {".png": "PNG", ".pdf": "PDF", ".tif": "TIFF, 32 bit", ".npz": "NPZ", ".h5": "HDF5"}
COLUMNS = dict(zip(WIDTHS, ("one column", "two columns"), strict=True))
WORKING, COPIED = "Working …", "The methods text is on the clipboard."
BY_HAND = "This browser does not let the page copy: select the text below and copy it by hand."
NARROW = {"description_width": "initial"}


@dataclass(frozen=True, eq=False)
class Subject:
    """What is exported.

    Attributes
    ----------
    result : Reconstruction
    view : View
        Of it, as it is shown.
    scan : Scan or None
        What it was made from.
    python : str
        The program that makes the same run, for the report.
    inputs : tuple of paths
        Files that it was made from; they are never overwritten.
    """

    result: Reconstruction
    view: View
    scan: Scan | None = None
    python: str = ""
    inputs: tuple[StrPath, ...] = ()


class ExportBar:
    """What to save, in which format and size, under which name; a methods text and a report.

    Parameters
    ----------
    subject : callable
        Gives what is to be exported now; an InputError of it is shown as it is.
    settle : callable
        Waits until what was chosen last is on the screen; called before something is written, beside the kernel. An
        InputError of it is shown as it is.

    Attributes
    ----------
    widget : widgets.VBox
    text : widgets.Textarea
        The methods text, once it was asked for.
    """

    def __init__(self, subject: Callable[[], Subject], settle: Callable[[], object] = lambda: None) -> None:
        self._subject, self._settle = subject, settle
        self._make_choices()
        self._make_actions()
        self.news, self.problem = Pane(role="status", kind="news"), Pane(role="alert", kind="problem")
        self.widget = self._built()
        self._task = Task(self._fail, self._reflect)
        self._destination = Destination("object.png, or leave the box empty", self.news.put)
        self._proposed = ""
        self._result: Reconstruction | None = None  # the last one seen, which the name is made of
        self._connect()

    def _make_choices(self) -> None:
        """What to save, how."""
        self.what = widgets.Dropdown(
            options=[(entry.words, name) for name, entry in CONTENTS.items()], description="Export", tooltip="What is saved", style=NARROW
        )
        self.format = widgets.Dropdown(description="Format", tooltip="Kind of the file", style=NARROW, layout={"width": "170px"})
        self.width = widgets.Dropdown(
            options=[(f"{mm:g} mm, {words}", mm) for mm, words in COLUMNS.items()],
            description="Width",
            tooltip="Width of the whole picture on paper",
            style=NARROW,
            layout={"width": "max-content"},
        )
        self.dpi = widgets.Dropdown(
            options=[(f"{dots} dpi", dots) for dots in RESOLUTIONS],
            description="Resolution",
            tooltip="Dots per inch; of the images in a PDF",
            style=NARROW,
            layout={"width": "170px"},
        )

    def _make_actions(self) -> None:
        """Under which name, and what to press."""
        self.name = widgets.Text(
            description="File",
            tooltip="Name of the file, with a folder if you like",
            placeholder="by itself named after scan and method",
            style=NARROW,
            layout={"width": "auto", "flex": "1 1 320px"},
            continuous_update=False,
        )
        self.save = widgets.Button(
            description="Save", tooltip="Write this file; one that exists only on a second press", button_style="primary"
        )
        self.report = widgets.Button(
            description="Report", tooltip="Write one HTML page with pictures, numbers, settings and text of this run"
        )
        self.copy = CopyButton("Copy methods text", "A paragraph for a paper, made from this run", self._ask_for_text, self._tell_copied)
        self.text = widgets.Textarea(
            description="Methods text",
            tooltip="To be read, changed and copied",
            rows=9,
            style=NARROW,
            layout={"width": "auto", "display": "none"},
        )

    def _built(self) -> widgets.VBox:
        choices = widgets.HBox([self.what, self.format, self.width, self.dpi])
        actions = widgets.HBox([self.name, self.save, self.copy, self.report])
        for bar in (choices, actions):
            bar.add_class("pnb-bar")
        whole = widgets.VBox([Pane(STYLE, kind="style"), choices, actions, self.news, self.problem, self.text])
        whole.add_class("pnb-panel")
        return whole

    def _connect(self) -> None:
        self.what.observe(lambda _: self._choose(), "value")
        self.format.observe(lambda _: self._name(), "value")
        self.name.observe(lambda _: self._typed(), "value")
        self.save.on_click(lambda _: self._start(self._save))
        self.report.on_click(lambda _: self._start(self._report))
        self._choose()
        self.refresh()

    def refresh(self) -> None:
        """Propose a name for what is there now, unless one was written by hand."""
        try:
            result, told = self._subject().result, ""
        except InputError as error:
            result, told = None, str(error)
        if not self.busy and (told or result is not self._result):  # else what was saved of it, or is being saved, stays told
            self.news.put(told)
        self._result = result
        self._name()

    @property
    def busy(self) -> bool:
        """Whether something is being written."""
        return self._task.busy

    def wait(self, seconds: float = LONGEST_END) -> bool:
        """Block until nothing is being written; whether that came within this time."""
        return self._task.wait(seconds)

    def close(self) -> None:
        """Leave no widget and no thread behind."""
        self._task.close()
        close_all(self.widget)

    def _choose(self) -> None:
        """Offer the formats of what is to be saved."""
        suffixes = CONTENTS[self.what.value].suffixes
        kept = self.format.value if self.format.value in suffixes else suffixes[0]
        self.format.options = [(FORMATS[ending], ending) for ending in suffixes]
        self.format.value = kept
        self._name()

    def _name(self) -> None:
        """The controls that the format needs, and a name that fits it."""
        for control in (self.width, self.dpi):
            control.disabled = self.format.value not in PICTURES
        written = self.name.value.strip()
        if written in ("", self._proposed):
            self._propose()
        elif Path(written).suffix.lower() in FORMATS.keys() - {self.format.value}:
            self.name.value = str(Path(written).with_suffix(self.format.value))

    def _propose(self) -> None:
        if self._result is not None:
            self._proposed = self.name.value = proposed_name(self._result, self.what.value, self.format.value)

    def _typed(self) -> None:
        """An ending that the content can be saved with chooses the format; what was asked of another name is forgotten."""
        self._destination.forget()
        ending = Path(self.name.value.strip()).suffix.lower()
        if ending in CONTENTS[self.what.value].suffixes:
            self.format.value = ending

    def _start(self, work: Callable[[Subject], object]) -> None:
        """Do this beside the kernel, with what there is now."""

        def do(_: Control) -> None:
            self._settle()
            subject = self._subject()
            self._result = subject.result
            if self.name.value.strip() in ("", self._proposed):
                self._propose()
            work(subject)

        self._task.start(do)

    def _save(self, subject: Subject) -> None:
        path, what, inputs = self._path(self.name.value.strip()), self.what.value, subject.inputs
        suffix(path, (self.format.value,))
        if not self._destination.may_write(path, "Save"):
            return
        if self.format.value in PICTURES:
            saved = save_picture(path, subject.view, what, width=self.width.value, dpi=self.dpi.value, inputs=inputs)
        elif self.format.value == ".tif":
            saved = save_tiff(path, subject.view, *CONTENTS[what].parts, inputs=inputs)
        else:
            saved = save_arrays(path, subject.result, inputs=inputs)
        self._tell_saved(saved)

    def _report(self, subject: Subject) -> None:
        folder = self._path(self.name.value.strip() or "report").parent
        path = folder / proposed_name(subject.result, "report", REPORT)
        if self._destination.may_write(path, "Report"):
            python, inputs = subject.python, subject.inputs
            self._tell_saved(ptycho_nb.write_report(path, subject.result, subject.scan, subject.view, python=python, inputs=inputs))

    def _path(self, name: str) -> Path:
        """Where a name leads, with the ending of the format where it has none."""
        path = self._destination.path(name)
        return path if path.suffix.lower() in FORMATS else path.with_name(path.name + self.format.value)

    def _tell_saved(self, path: Path) -> None:
        self.news.put("Saved: ", tag("code", str(path)))

    def _ask_for_text(self) -> None:
        self._start(self._give_text)

    def _give_text(self, subject: Subject) -> None:
        self.text.value = ptycho_nb.methods_text(subject.result, subject.scan)
        self.text.layout.display = None
        self.news.put("The methods text of this run:")
        self.copy.give(self.text.value)

    def _tell_copied(self, copied: bool) -> None:
        self.news.put(COPIED if copied else BY_HAND)

    def _fail(self, sentence: str) -> None:
        self.news.put()
        self.problem.put(sentence)

    def _reflect(self, busy: bool) -> None:
        for button in (self.save, self.report, self.copy):
            button.disabled = busy
        if busy:
            self.problem.put()
            self.news.put(WORKING)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return bundle_of(self, self.widget)

    def __repr__(self) -> str:
        return f"<ExportBar: {CONTENTS[self.what.value].words} as {FORMATS[self.format.value]}>"
