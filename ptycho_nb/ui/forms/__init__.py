"""Any config as a form, in a file and as Python."""

from __future__ import annotations

from ptycho_nb.ui.forms.control import Field, emptiness, written
from ptycho_nb.ui.forms.form import Form
from ptycho_nb.ui.forms.python import FileSource, Oriented, Source, call, constructor, oriented_source, show_python
from ptycho_nb.ui.forms.settings_file import SettingsFile

__all__ = [
    "Field",
    "FileSource",
    "Form",
    "Oriented",
    "SettingsFile",
    "Source",
    "call",
    "constructor",
    "emptiness",
    "oriented_source",
    "show_python",
    "written",
]
