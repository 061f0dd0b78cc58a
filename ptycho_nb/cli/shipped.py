"""The notebooks that come with the package, and JupyterLab to open them in."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from ptycho_nb.errors import InputError
from ptycho_nb.files import write_atomic

PACKAGE = Path(__file__).parent.parent
PLACES = (PACKAGE / "notebooks", PACKAGE.parent / "notebooks")  # in a wheel, in a checkout


def notebooks() -> list[Path]:
    """The notebooks that ship with this version.

    Raises
    ------
    InputError
        The installation has none.
    """
    for place in PLACES:
        if found := sorted(place.glob("*.ipynb")):
            return found
    raise InputError("This installation of ptycho_nb carries no notebooks; install it again from its wheel or its checkout.")


def copy_notebooks(folder: Path) -> list[tuple[Path, str]]:
    """Copy each notebook into ``folder``; one that was changed there is left alone.

    Returns
    -------
    list of (path, str)
        Each notebook and what became of it: "copied", "there already" or "kept as you changed it".
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}); give another one.") from None
    return [(folder / source.name, _copy(source, folder / source.name)) for source in notebooks()]


def open_lab(folder: Path) -> int:
    """JupyterLab on ``folder``, with the notebooks in it; returns its exit code when it is closed.

    Raises
    ------
    InputError
        JupyterLab is not installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed; install it with: pip install 'ptycho-nb[lab]' or pip install jupyterlab")
    return subprocess.call([sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"])


def _copy(source: Path, target: Path) -> str:
    text = source.read_bytes()
    if target.exists():
        return "there already" if target.read_bytes() == text else "kept as you changed it"

    def write(stream: BinaryIO) -> None:
        stream.write(text)

    write_atomic(target, write, inputs=[source])
    return "copied"
