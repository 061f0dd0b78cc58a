"""The files that ptycho_nb writes: every array by its name, the rest as JSON; the round trip is exact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import InputError, ScanError
from ptycho_nb.files import StrPath, shown, write_atomic
from ptycho_nb.readers.hdf5 import write_hdf5
from ptycho_nb.readers.npz import write_npz
from ptycho_nb.readers.source import Source
from ptycho_nb.scan import ATTRIBUTES, Scan

VERSION = 1
META = "meta"  # the array that holds the JSON
SCAN = "ptycho_nb-scan"
PLAIN = ("pixel_size", "name", "notes", "metadata")  # attributes of a scan that are no arrays
LONGEST_TEXT = 1000  # characters of the name and of a note
LONGEST = 4 * 2**20  # bytes of JSON


def save_arrays(
    path: StrPath, form: str, *, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any], inputs: Iterable[StrPath] = ()
) -> None:
    """Arrays and JSON-like values written to ``path`` (.npz or .h5) in one step, marked as ``form``.

    Raises
    ------
    InputError
        The suffix is unknown, a value is not JSON-like, or the file cannot be written.
    """
    suffix = next((s for s in WRITERS if str(path).lower().endswith(s)), None)
    if suffix is None:
        raise InputError(f"{shown(path)}: results are written as {', '.join(WRITERS)}; choose one of these suffixes.")
    try:
        text = json.dumps({"format": form, "version": VERSION, **plain})
    except (TypeError, ValueError, RecursionError):
        raise InputError(f"{shown(path)} cannot be written: its metadata hold more than text, numbers, lists and dicts.") from None
    ready = {**arrays, META: np.array(text)}

    def write(stream: BinaryIO) -> None:
        WRITERS[suffix](stream, ready)

    write_atomic(path, write, inputs=inputs)


def own_values(source: Source) -> dict[str, Any] | None:
    """The JSON of a file that ptycho_nb wrote, its ``format`` among it; None for any other file.

    Raises
    ------
    ScanError
        A newer ptycho_nb wrote it.
    """
    info = source.headers.get(META)
    if info is None or info.dtype.kind not in "Uu" or info.nbytes > 4 * LONGEST:
        return None
    stored = source.read(META)
    try:
        values = json.loads(stored.tobytes().decode() if stored.dtype.kind == "u" else str(stored))
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not str(values.get("format")).startswith("ptycho_nb-"):
        return None
    version = values.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise ScanError(f"{source.label} is of version {str(version)[:20]}, this ptycho_nb reads up to {VERSION}; update ptycho_nb.")
    return values


def save_scan(path: StrPath, scan: Scan, *, inputs: Iterable[StrPath] = ()) -> None:
    """A scan written to ``path``, .npz or .h5; ``load_scan`` gives back every bit of it.

    Raises
    ------
    InputError
        The file cannot be written, or is one of ``inputs``.
    """
    if max(len(text) for text in (scan.name, *scan.notes)) > LONGEST_TEXT:
        raise InputError(f"{shown(path)} cannot be written: the scan's name or a note is longer than {LONGEST_TEXT} characters.")
    values = {name: scan.__dict__[name] for name in ATTRIBUTES}
    arrays = {name: value for name, value in values.items() if name not in PLAIN and value is not None}
    save_arrays(path, SCAN, arrays=arrays, plain={name: values[name] for name in PLAIN}, inputs=inputs)


def own_scan(source: Source, values: Mapping[str, Any]) -> Scan:
    """The scan of a file that ``save_scan`` wrote.

    Raises
    ------
    ScanError
        It holds another thing than a scan, or not all of one.
    """
    if values["format"] != SCAN:
        raise ScanError(f"{source.label} holds a {str(values['format'])[:40]}, not a scan; load it with the class that saved it.")
    plain = {key: values.get(key) for key in PLAIN}
    texts = [plain["name"], *plain["notes"]] if isinstance(plain["notes"], list) else [None]
    lacking = [key for key in ("intensity", "positions", "probe") if key not in source.headers]
    lacking += [] if all(isinstance(text, str) and len(text) <= LONGEST_TEXT for text in texts) else ["name or notes"]
    lacking += [] if isinstance(plain["metadata"], dict) else ["metadata"]
    lacking += [] if isinstance(plain["pixel_size"], float | int | None) else ["pixel size"]
    if lacking:
        raise ScanError(f"{source.label} lacks {lacking[0]}, or it is of another kind; save the scan again.")
    arrays: dict[str, Any] = {key: source.read(key) for key in ATTRIBUTES if key in source.headers and key not in PLAIN}
    return Scan(**arrays, **plain | {"notes": tuple(texts[1:])})


WRITERS: dict[str, Callable[[BinaryIO, Mapping[str, NDArray[Any]]], None]] = {".npz": write_npz, ".h5": write_hdf5, ".hdf5": write_hdf5}
