"""Names and folders for what a command leaves: never over another file, never half."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ptycho_nb.errors import InputError


def fresh_file(path: Path, suffixes: Iterable[str], *, option: str | None = "--out") -> Path:
    """The absolute path of a file that does not exist yet, checked before the work begins.

    ``option`` is the one that names it; None where the name is an argument.

    Raises
    ------
    InputError
        It exists, its folder does not or cannot be written to, or it has another suffix.
    """
    allowed = list(suffixes)
    if path.suffix.lower() not in allowed:
        raise InputError(f"The result {path.name[:60]!r} must be named *{' or *'.join(allowed)}.")
    return _fresh(path, option)


def free_names(folder: Path, stem: str, suffixes: Iterable[str]) -> list[Path]:
    """The first of stem, stem_2, stem_3 … of which no file exists yet."""
    wanted = list(suffixes)
    for number in itertools.count(1):
        tail = "" if number == 1 else f"_{number}"
        paths = [folder.absolute() / f"{stem}{tail}{suffix}" for suffix in wanted]
        if not any(path.exists() for path in paths):
            return [_fresh(path, None) for path in paths]
    raise AssertionError("there is always a next number")


def fresh_folder(path: Path) -> Path:
    """The absolute path of a folder that does not exist yet, checked before the work begins."""
    return _fresh(path, "--out")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill under another name; it takes ``path`` when all is written, or vanishes."""
    filling = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}.", dir=path.parent))
    try:
        yield filling
        filling.chmod(0o755)
        filling.rename(path)
    finally:
        shutil.rmtree(filling, ignore_errors=True)


def is_writable(folder: Path) -> bool:
    """Whether a file can be made there."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _fresh(path: Path, option: str | None) -> Path:
    path = path.absolute()
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent}; make it first.")
    if path.exists():
        by = f" with {option}" if option else ""
        raise InputError(f"{path} exists and is not overwritten; give another name{by}, or move it away.")
    if not is_writable(path.parent):
        raise InputError(f"The folder {path.parent} cannot be written to; choose another one.")
    return path
