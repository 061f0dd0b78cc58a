"""Files in and out: an input is a plain file, an output is whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from ptycho_nb.errors import InputError

RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10))}  # devices on Windows
READING = os.O_RDONLY | (os.O_NONBLOCK if os.name == "posix" else 0x8000)  # 0x8000: O_BINARY of Windows
LONGEST_NAME = 200  # bytes; file systems take 255

StrPath = str | os.PathLike[str]


def shown(path: StrPath) -> str:
    """The name of a file for a sentence: no folder, no control characters, at most 60 characters."""
    name = "".join(c if c.isprintable() else "?" for c in Path(path).name)
    return name if len(name) <= 60 else f"{name[:40]}…{name[-19:]}"


def file_name(text: str) -> str:
    """A file name that every system takes, near to ``text``: for names that come from data."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in text).strip("._")
    short = kept.encode()[:80].decode(errors="ignore") or "unnamed"
    return f"_{short}" if _reserved(short) else short


def open_input(path: StrPath, kind: type[InputError] = InputError) -> BinaryIO:
    """A plain file, open for reading; pipes and devices, which may never end, are refused.

    Raises
    ------
    InputError
        Of the class ``kind``: no such file, a folder, no plain file, or not readable.
    """
    try:
        number = os.open(path, READING)
    except FileNotFoundError:
        raise kind(f"There is no file {shown(path)} in {_folder(path)}; check the name and the folder.") from None
    except (OSError, ValueError) as error:
        raise kind(f"{shown(path)} cannot be opened ({_reason(error)}); give a readable file.") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise kind(f"{shown(path)} is a folder, a pipe or a device; give a plain file.")
    return os.fdopen(number, "rb")


def write_atomic(path: StrPath, write: Callable[[BinaryIO], None], *, inputs: Iterable[StrPath] = ()) -> None:
    """A file that is whole or not there, also when the machine stops in between.

    The bytes go to a temporary file in the same folder, are forced to the disk, and take the
    name in one step. Whatever goes wrong, the temporary file is removed and what was there stays.

    Parameters
    ----------
    path : path
        The file; one that exists is replaced.
    write : callable
        Writes to the open file it is given, which it may also seek and read.
    inputs : paths
        Files the result was made from, never to be overwritten.

    Raises
    ------
    InputError
        The name or the folder cannot be used, the disk is full, or ``path`` is one of ``inputs``.
    """
    target = Path(path)
    _check_target(target, inputs)
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb+") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise InputError(f"{shown(target)} cannot be written ({_reason(error)}); choose another folder or free some space.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _check_target(target: Path, inputs: Iterable[StrPath]) -> None:
    name = target.name
    if not name or name in (".", "..") or not name.isprintable() or "\\" in name:
        raise InputError(f"{shown(target)!r} is no file name; it must have printable characters and no slash at its end.")
    if len(name.encode(errors="replace")) > LONGEST_NAME:
        raise InputError(f"The file name {shown(target)} is {len(name)} characters long; it must take at most {LONGEST_NAME} bytes.")
    if _reserved(name):
        raise InputError(f"{shown(target)} is a device on some systems; choose another file name.")
    try:
        taken = [p for p in inputs if _same(Path(p), target)]
        if target.exists() and not target.is_file():
            raise InputError(f"{shown(target)} is a folder or a device; give the name of a file.")
        if not target.parent.is_dir():
            raise InputError(f"There is no folder {_folder(target)} for {shown(target)}; make it first.")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shown(target)} cannot be written ({_reason(error)}); choose another folder.") from None
    if taken:
        raise InputError(f"{shown(target)} is the file that was read; an input is never overwritten: choose another name.")


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _reserved(name: str) -> bool:
    return name.split(".")[0].strip().upper() in RESERVED


def _folder(path: StrPath) -> str:
    """The folder of a file for a sentence, from the root on, or its last 58 characters."""
    folder = str(Path(path).parent)
    with contextlib.suppress(OSError):  # the kernel's own folder is gone
        folder = os.path.abspath(folder)
    printable = "".join(c if c.isprintable() else "?" for c in folder)
    return printable if len(printable) <= 60 else f"…{printable[-58:]}"


def _reason(error: Exception) -> str:
    """What the system says, without the path."""
    if isinstance(error, OSError) and error.errno:
        return "disk full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else (error.strerror or "error").lower()
    return "not a valid path" if isinstance(error, ValueError) else str(error)[:60] or type(error).__name__


def _sync_folder(folder: Path) -> None:
    """The new name itself, on the disk; systems other than POSIX cannot open a folder."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
