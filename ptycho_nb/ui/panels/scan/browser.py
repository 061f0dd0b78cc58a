"""The folders of the server and the scan files in them, a box for a path, and the files of this kernel."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from ptycho_nb.errors import InputError
from ptycho_nb.files import StrPath
from ptycho_nb.readers import READERS
from ptycho_nb.readers.source import size
from ptycho_nb.ui.drawing import Pane, tag
from ptycho_nb.ui.panels.watch import Watch

MOST = 500  # entries shown of one folder
REMEMBERED = 10  # files
UP = "↑ the folder above"
PERIOD = 3.0  # s between two looks at the folder while its list can be seen
NAMED = 3  # new files that are told by name

Options = list[tuple[str, str]]  # what the list shows, and the path it stands for

_recent: list[str] = []  # paths of the files opened in this kernel, the last one first


class Browser:
    """Chooses a file on the machine that the kernel runs on; files that come or go do so in the list too.

    Attributes
    ----------
    widget : widgets.VBox
    folder : Path
        That is shown.
    open, fields : widgets.Button
        "Open" and "Map fields"; what they do is the panel's.
    """

    def __init__(self) -> None:
        wide = {"description_width": "4.5em"}
        self.where = Pane(kind="where")
        self.entries = widgets.Select(rows=9, description="Files", tooltip="Choose with the arrow keys, then press Open", style=wide)
        self.recent = widgets.Dropdown(description="Recent", tooltip="Files opened in this kernel", style=wide)
        self.path = widgets.Text(
            description="Path", placeholder="scan.npz", tooltip="A file or a folder on the server", continuous_update=False, style=wide
        )
        self.open = widgets.Button(description="Open", tooltip="Load this file, or enter this folder", button_style="primary")
        self.fields = widgets.Button(description="Map fields", tooltip="Choose by hand what each array of this file is")
        self.news, self.problem = Pane(role="status", kind="news"), Pane(role="alert", kind="problem")
        for box in (self.entries, self.recent, self.path):
            box.layout.width, box.layout.max_width = "560px", "98%"
        bar = widgets.HBox([self.open, self.fields])
        bar.add_class("pnb-bar")
        self.widget = widgets.VBox([self.where, self.entries, self.recent, self.path, bar, self.news, self.problem])
        self._chosen, self._written = "", ""
        self.folder = Path(_home())
        self._lock, self._quiet = threading.RLock(), False
        self._seen = False
        self.widget._view_count = 0  # from now on the page tells how many there are of it
        self.widget.observe(lambda _: self.watch(self._seen), "_view_count")
        self._watch = Watch(self._look_again, lambda _: None)
        self.entries.observe(self._picked, "value")
        self.recent.observe(self._picked, "value")
        self.show(self.folder)
        self._show_recent()

    @property
    def chosen(self) -> str:
        """The path in the box.

        Raises
        ------
        InputError
            There is none.
        """
        written = self.path.value
        written = self._chosen if written == self._written else written.strip()  # the screen cannot show every name
        if not written:
            raise InputError("No file is chosen; pick one from the list or write its path, such as scan.npz.")
        return os.path.expanduser(written)

    def enter(self) -> bool:
        """Show the chosen folder; False where a file is chosen.

        Raises
        ------
        InputError
            Nothing is chosen.
        """
        path = self.chosen
        if not os.path.isdir(path):
            return False
        self.show(path)
        return True

    def show(self, folder: StrPath) -> None:
        """Show this folder; one that cannot be read is told, and the one before stays."""
        home = Path(os.path.abspath(folder))
        try:
            options, told = _listed(home)
        except OSError as error:
            reason = (error.strerror or "it cannot be read").lower()
            self.problem.put(f"{home.name or home}: {reason}; choose another folder.")
            return
        with self._lock:
            self.folder = home
            self._offer(self.entries, options)
            self.where.put("Folder ", tag("b", printable(str(home))))
            self.problem.put()
            self.news.put(" ".join(told))
            self._write("")

    def refresh(self) -> None:
        """Show what has come into the folder and what has gone; what was chosen stays chosen."""
        home = self.folder
        try:
            options, told = _listed(home)
        except OSError:  # gone for the moment, or for good: who opens something is told
            return
        with self._lock:
            before = list(self.entries.options)
            if home != self.folder or before == options:
                return
            known = {path for _, path in before}
            self._offer(self.entries, options, kept=self.entries.value)
            self.news.put(" ".join([*told, *_arrived([path for _, path in options if path not in known])]))

    def watch(self, seen: bool) -> None:
        """Refresh the list by itself from now on while it can be seen, or no more; one that is on no page cannot."""
        self._seen = seen
        if seen and self.widget._view_count:
            self._watch.wake()

    def close(self) -> None:
        """Watch no more; the widgets are the panel's."""
        self._watch.close()

    def _look_again(self) -> float | None:
        if not (self._seen and self.widget._view_count):
            return None
        self.refresh()
        return PERIOD

    def remember(self, path: StrPath) -> None:
        """Put a file that was opened among the recent ones."""
        whole = os.path.abspath(path)
        _recent[:] = [whole, *(other for other in _recent if other != whole)][:REMEMBERED]
        self._show_recent()

    def _show_recent(self) -> None:
        self._offer(self.recent, [("choose one", ""), *((printable(_short(path)), path) for path in _recent)])
        self.recent.layout.display = None if _recent else "none"

    def _offer(self, box: Any, options: Options, kept: str | None = None) -> None:
        """New options in one message, none of them picked but this one, where it is still among them."""
        with self._lock, box.hold_sync():
            self._quiet = True
            try:
                box.options = options
                box.index = next((i for i, (_, path) in enumerate(options) if path == kept), 0 if box is self.recent else None)
            finally:
                self._quiet = False

    def _picked(self, change: dict[str, Any]) -> None:
        with self._lock:  # a pick waits for the end of a refresh, and is none of its doings
            if not self._quiet and change["new"]:
                self._write(change["new"])

    def _write(self, path: str) -> None:
        """Put a path in the box, as the screen can show it."""
        self._chosen = _short(path) if path else ""
        self._written = printable(self._chosen)
        self.path.value = self._written


def _home() -> str:
    """The kernel's own folder; the user's where that was taken away."""
    try:
        return os.getcwd()
    except OSError:
        return os.path.expanduser("~")


def printable(text: str) -> str:
    """A name that the screen can show: what it cannot is a question mark."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _short(path: str) -> str:
    """The path from the kernel's own folder, where it lies in it."""
    home = os.path.join(_home(), "")
    return path[len(home) :] if path.startswith(home) and path != home else path


def _contents(home: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files that there is a reader for; hidden ones are left out."""
    folders, files = [], []
    with os.scandir(home) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                folders.append(entry.name)
            elif entry.name.lower().endswith(tuple(READERS)):
                files.append(entry.name)
    return sorted(folders, key=str.casefold), sorted(files, key=str.casefold)


def _listed(home: Path) -> tuple[Options, list[str]]:
    """What the list of a folder shows, and what is to be said of it."""
    folders, files = _contents(home)
    up = [(UP, str(home.parent))] if home.parent != home else []
    seen, room = folders[:MOST], max(0, MOST - len(folders))
    into = [(f"{printable(name)}/", str(home / name)) for name in seen]
    return [*up, *into, *((_line(home / name), str(home / name)) for name in files[:room])], _told(len(files), len(folders) + len(files))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _line(path: Path) -> str:
    try:
        return f"{printable(path.name)}  ({size(path.stat().st_size)})"
    except OSError:
        return printable(path.name)


def _told(files: int, entries: int) -> list[str]:
    said = [] if files else [f"No scan in this folder; ptycho_nb reads {', '.join(READERS)}."]
    return said + ([f"{entries - MOST} more entries are not shown; write the path of one."] if entries > MOST else [])


def _arrived(paths: list[str]) -> list[str]:
    """What has come into the folder, in words."""
    names = [printable(os.path.basename(path)) for path in paths]
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return [f"New in this folder: {', '.join([*names[:NAMED], *more])}."] if names else []
