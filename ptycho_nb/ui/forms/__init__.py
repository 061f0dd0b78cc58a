"""Any config as a form, in a file and as Python."""

from __future__ import annotations

from ptycho_nb.ui.forms.control import Field, emptiness, written
from ptycho_nb.ui.forms.destination import Destination
from ptycho_nb.ui.forms.form import Form
from ptycho_nb.ui.forms.origin import Origin, earlier_and_later, origin, same_origin
from ptycho_nb.ui.forms.python import FileSource, Oriented, Source, call, constructor, files_of, oriented_source, show_python
from ptycho_nb.ui.forms.settings_file import SettingsFile

__all__ = [
    "Destination",
    "Field",
    "FileSource",
    "Form",
    "Oriented",
    "Origin",
    "SettingsFile",
    "Source",
    "call",
    "constructor",
    "earlier_and_later",
    "emptiness",
    "files_of",
    "oriented_source",
    "origin",
    "same_origin",
    "show_python",
    "written",
]
