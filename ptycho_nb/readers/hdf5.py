"""The gate for HDF5 files: only those that ptycho_nb wrote, known by a seal before HDF5 opens them.

The HDF5 library follows links to other files and can loop without end on damaged ones. A
file written here begins with a user block of 512 bytes that holds a mark and the SHA-256 of
the rest; any HDF5 program skips it. A file without the mark, or changed since, is refused
before the library sees it. Inside, only hard links to plain numeric datasets are read, each in one
piece and unpacked: chunks and filters have indices that can loop and streams that can swell.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import ScanError
from ptycho_nb.readers.source import NUMBERS, ArrayInfo, Budget, Source, quoted, size

BLOCK = 512
MARK = b"ptycho_nb-hdf5 1 sha256 "
FORMAT = "ptycho_nb"  # value of the root attribute "format"
CHUNK = 4 * 2**20
MEMBERS = 1000
BROKEN = (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, MemoryError, OverflowError)


@contextmanager
def hdf5_source(stream: BinaryIO, label: str, budget: Budget) -> Iterator[Source]:
    """The datasets of a file that ``write_hdf5`` made.

    Raises
    ------
    ScanError
        The file is not one of ptycho_nb's own, has changed since, or holds more than plain
        numeric datasets.
    """
    _check_seal(stream, label)
    try:
        with h5py.File(stream, "r") as file:
            headers = _headers(file, label)
            yield Source(label, headers, lambda name: _content(file, headers[name], label, budget))
    except ScanError:
        raise
    except BROKEN as error:
        raise ScanError(f"{label} cannot be read as HDF5; write it again with save_scan or copy it again.") from error


def write_hdf5(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Numeric arrays, and text as its UTF-8 bytes, as datasets of a sealed HDF5 file.

    ``stream`` must be seekable and readable.
    """
    with h5py.File(stream, "w", userblock_size=BLOCK, track_order=False) as file:
        file.attrs["format"] = np.bytes_(FORMAT)
        for name, array in arrays.items():
            values = np.frombuffer(str(array).encode(), np.uint8) if array.dtype.kind == "U" else array
            file.create_dataset(name, data=values)
    seal = MARK + _digest(stream).encode() + b"\n"
    stream.seek(0)
    stream.write(seal.ljust(BLOCK, b"\0"))


def _digest(stream: BinaryIO) -> str:
    """SHA-256 of all behind the user block."""
    stream.seek(BLOCK)
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _check_seal(stream: BinaryIO, label: str) -> None:
    stream.seek(0)
    block = stream.read(BLOCK)
    if not block.startswith(MARK):
        raise ScanError(f"{label} is no HDF5 file of ptycho_nb; CXI, NeXus and other HDF5 are not read yet: save the arrays as NPZ.")
    if block[len(MARK) :].split(b"\n")[0].decode("ascii", "replace") != _digest(stream):
        raise ScanError(f"{label} has changed or was cut since ptycho_nb wrote it; copy it again or write it again.")
    stream.seek(0)


def _headers(file: h5py.File, label: str) -> dict[str, ArrayInfo]:
    if not h5py.h5a.exists(file.id, b"format"):
        raise ScanError(f"{label} has no format attribute; write it with save_scan.")
    names = [n.decode("utf-8", "replace") for n in itertools.islice(file.id, MEMBERS + 1)]
    if len(names) > MEMBERS or not all(n.isprintable() and len(n) <= 100 for n in names):
        raise ScanError(f"{label} holds more than {MEMBERS} members or names that cannot be shown; write it again with save_scan.")
    return {name: _info(file, name, label) for name in names}


def _info(file: h5py.File, name: str, label: str) -> ArrayInfo:
    """A dataset's header, when it is plain: a hard link, in one piece in this file, numbers."""
    link = file.id.links.get_info(name.encode())
    if link.type != h5py.h5l.TYPE_HARD or h5py.h5o.get_info(file.id, name.encode()).type != h5py.h5o.TYPE_DATASET:
        raise ScanError(f"{label}: {quoted(name)} is a link or a group; only plain datasets are read.")
    dataset = h5py.h5d.open(file.id, name.encode())
    plan = dataset.get_create_plist()
    if plan.get_layout() != h5py.h5d.CONTIGUOUS or plan.get_external_count():
        raise ScanError(f"{label}: {quoted(name)} is packed, in pieces or in another file; only plain datasets are read.")
    if dataset.get_type().get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.COMPOUND, h5py.h5t.ENUM):
        raise ScanError(f"{label}: {quoted(name)} is neither numbers nor text; only plain numeric datasets are read.")
    dtype = dataset.dtype
    if dtype.kind not in NUMBERS:
        raise ScanError(f"{label}: {quoted(name)} has type {str(dtype)[:40]}; only plain numeric datasets are read.")
    info = ArrayInfo(name, tuple(dataset.shape), dtype)
    if dataset.get_storage_size() != info.nbytes:
        raise ScanError(f"{label}: {quoted(name)} claims {size(info.nbytes)} and holds {size(dataset.get_storage_size())}; it is damaged.")
    return info


def _content(file: h5py.File, info: ArrayInfo, label: str, budget: Budget) -> NDArray[Any]:
    budget.take(info.nbytes, f"{label}: {quoted(info.name)}")
    values: NDArray[Any] = np.empty(info.shape, info.dtype)
    try:
        if values.size:
            file[info.name].read_direct(values)
    except BROKEN as error:
        raise ScanError(f"{label}: {quoted(info.name)} is damaged; copy the file again.") from error
    return values
