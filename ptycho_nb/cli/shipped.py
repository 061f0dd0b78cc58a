"""The notebooks that come with the package, and JupyterLab to open them in."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from ptycho_nb.errors import InputError
from ptycho_nb.files import write_atomic
from ptycho_nb.lessons.exercises import solved_notebook

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


def copy_notebooks(
    folder: Annotated[Path, typer.Argument(help="Where to; it is made if it does not exist.")] = Path("ptycho_nb_notebooks"),
    solutions: Annotated[
        bool, typer.Option("--solutions", help="Copy those with exercises, answers filled in, as NAME_solutions.ipynb.")
    ] = False,
) -> None:
    """Copy the notebooks that come with this version; one that you changed is left alone."""
    copies = {source: source.read_bytes() for source in notebooks()}
    if solutions:
        solved = {source.with_stem(f"{source.stem}_solutions"): solved_notebook(text.decode()) for source, text in copies.items()}
        copies = {source: text.encode() for source, text in solved.items() if text}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be made ({error.strerror}); give another one.") from None
    for source, content in copies.items():
        target = folder.absolute() / source.name
        typer.echo(f"{_copy(content, target, source)}: {target}")


def open_lab(
    folder: Annotated[Path, typer.Argument(help="Folder to open; the notebooks are copied there.")] = Path("ptycho_nb_notebooks"),
) -> int:
    """Copy the notebooks into a folder and open it in JupyterLab."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError("JupyterLab is not installed; install it with: pip install jupyterlab")
    copy_notebooks(folder)
    return subprocess.call([sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}"])


def _copy(content: bytes, target: Path, source: Path) -> str:
    """What became of it, in words."""
    if target.exists():
        return "there already" if target.read_bytes() == content else "kept as you changed it"

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    write_atomic(target, write, inputs=[source])
    return "copied"
