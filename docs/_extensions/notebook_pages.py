"""The notebooks as pages: copied beside the other pages before they are read, where they changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

FOLDER = "notebooks"  # of the project, and of the documentation; the copies are not kept in git


def copy(app: Sphinx, _: Config) -> None:
    """Bring the copies up to date, and take away those that have no notebook any more."""
    home, place = Path(app.srcdir).parent / FOLDER, Path(app.srcdir) / FOLDER
    place.mkdir(exist_ok=True)
    originals = {path.name: path.read_bytes() for path in home.glob("*.ipynb")}
    for path in place.glob("*.ipynb"):
        if path.name not in originals:
            path.unlink()
    for name, content in originals.items():
        page = place / name
        if not page.exists() or page.read_bytes() != content:
            page.write_bytes(content)


def setup(app: Sphinx) -> dict[str, Any]:
    """Copy once the configuration is known."""
    app.connect("config-inited", copy)
    return {"version": "1", "parallel_read_safe": True}
