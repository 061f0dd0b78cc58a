"""Where a file is to be written: a name that leads somewhere, and no file replaced unless it was asked for twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ptycho_nb.errors import InputError


class Destination:
    """What the name in a box leads to.

    Parameters
    ----------
    example : str
        What one may write instead of what is no name.
    tell : callable
        Told in a sentence that something is there already.
    """

    def __init__(self, example: str, tell: Callable[[str], object]) -> None:
        self._example, self._tell = example, tell
        self._asked: Path | None = None

    def path(self, name: str) -> Path:
        """Where a name leads, without the ``..`` in it.

        Raises
        ------
        InputError
            It is no name of a file, or starts at a folder that does not exist.
        """
        if "\x00" in name or os.path.basename(name) in ("", ".", "..", "~"):
            raise InputError(f"This is no file name; write one such as {self._example}.")
        try:
            path = Path(name).expanduser().absolute()
        except RuntimeError:
            raise InputError("There is no such user; write the folder in full.") from None
        except OSError:
            raise InputError("The folder that the kernel works in is gone; write the folder in full.") from None
        # the folder above a link is that of what it leads to
        return Path(os.path.realpath(path.parent), path.name) if ".." in path.parts else path

    def may_write(self, path: Path, button: str) -> bool:
        """Whether nothing is there, or it was said twice that it is to be replaced."""
        try:
            there = path.exists()
        except OSError:  # writing says why
            there = False
        if there and self._asked != path:
            self._asked = path
            self._tell(f"{path} exists. Press {button} once more to replace it.")
            return False
        self._asked = None
        return True

    def forget(self) -> None:
        """Another name was written: what was asked of the one before is forgotten."""
        self._asked = None
