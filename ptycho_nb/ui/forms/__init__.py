"""Any config as a form, in a file and as Python."""

from __future__ import annotations

from ptycho_nb.ui.forms.control import Field, written
from ptycho_nb.ui.forms.form import Form
from ptycho_nb.ui.forms.python import Source, call, constructor, show_python
from ptycho_nb.ui.forms.settings_file import SettingsFile

__all__ = ["Field", "Form", "SettingsFile", "Source", "call", "constructor", "show_python", "written"]
