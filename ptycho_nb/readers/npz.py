"""The gate for NPZ files: every claim is checked before memory is given, and no pickle is opened."""

from __future__ import annotations

import bz2
import io
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ptycho_nb.errors import ScanError
from ptycho_nb.readers.source import ArrayInfo, Budget, Source, quoted, size

MEMBERS = 1000
CHUNK = 2**20
HEADER = 12 + 10_000  # bytes of an array that its header may take: magic, length, and what numpy reads
DEFLATE_MOST = 1032  # to one: RFC 1951 codes 258 bytes in two bits at best
UNPACKED = 512 * 2**20, 1000  # a .bz2 may give this many bytes, or this many times its own size
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    SyntaxError,
    OverflowError,
    RuntimeError,  # RecursionError, NotImplementedError
    MemoryError,
)


class _Sips:
    """A file that gives a megabyte at once and no more, so that a directory of members is no larger."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, count: int = -1) -> bytes:
        """The next bytes.

        Raises
        ------
        ScanError
            More than a megabyte is asked for.
        """
        most = CHUNK + 2**16
        if count > most:
            raise ScanError(f"its list of members is longer than {size(CHUNK)}; an NPZ file of a scan has 1 to {MEMBERS}.")
        return self.stream.read(count if count >= 0 else most)


@contextmanager
def npz_source(stream: BinaryIO, label: str, budget: Budget) -> Iterator[Source]:
    """The arrays of an NPZ file: names and headers now, contents on demand.

    Raises
    ------
    ScanError
        The file is cut, damaged, encrypted, packed in another way than stored or deflated, has
        a name twice or one that leaves the file, or claims what it cannot hold.
    """
    try:
        archive = zipfile.ZipFile(_Sips(stream))
        members = _members(archive, stream.seek(0, io.SEEK_END))
        headers = {name: _info(archive, member, name) for name, member in members.items()}
    except ScanError as error:
        raise ScanError(f"{label}: {error}") from None
    except BROKEN as error:
        raise ScanError(f"{label} is damaged, cut short or no NPZ file; copy it again or write it with numpy.savez.") from error
    yield Source(label, headers, lambda name: _content(archive, members[name], label, headers[name], budget))


@contextmanager
def bz2_source(stream: BinaryIO, label: str, budget: Budget) -> Iterator[Source]:
    """The arrays of an NPZ file inside bzip2, unpacked into memory up to a bound."""
    most = min(budget.left // 2, max(UNPACKED[0], UNPACKED[1] * stream.seek(0, io.SEEK_END)))
    stream.seek(0)
    unpacked = io.BytesIO()
    try:
        with bz2.BZ2File(stream) as packed:
            while chunk := packed.read(CHUNK):
                unpacked.write(chunk)
                if bytes(unpacked.getbuffer()[:2]) != b"PK":
                    raise ScanError(f"{label} unpacks to something else than an NPZ file; give the file that holds the arrays.")
                if unpacked.tell() > most:
                    raise ScanError(f"{label} unpacks to more than {size(most)}; unpack it yourself if you trust it.")
    except ScanError:
        raise
    except BROKEN as error:
        raise ScanError(f"{label} is damaged, cut short or no bzip2 file; copy it again.") from error
    budget.take(unpacked.tell(), label)
    with npz_source(unpacked, label, budget) as source:
        yield source


def write_npz(stream: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Arrays packed into an NPZ file."""
    np.savez_compressed(stream, allow_pickle=False, **arrays)


def _members(archive: zipfile.ZipFile, length: int) -> dict[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    if not 0 < len(listed) <= MEMBERS:
        raise ScanError(f"it holds {len(listed)} members; an NPZ file of a scan has 1 to {MEMBERS}.")
    members: dict[str, zipfile.ZipInfo] = {}
    for member in listed:
        name = member.orig_filename.removesuffix(".npy")
        if not name.isprintable() or len(name) > 100 or "\\" in name or name.startswith("/") or ".." in name.split("/"):
            raise ScanError(f"it has a member named {quoted(name)}; names are plain and stay inside the file: use numpy.savez.")
        if name in members:
            raise ScanError(f"it holds {quoted(name)} twice; keep one.")
        if member.flag_bits & 0x1:
            raise ScanError(f"its member {quoted(name)} is encrypted; save it without a password.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ScanError(f"its member {quoted(name)} is packed by method {member.compress_type}; use numpy.savez or savez_compressed.")
        _check_claim(member, name, length)
        if member.orig_filename.endswith(".npy"):
            members[name] = member
    return members


def _check_claim(member: zipfile.ZipInfo, name: str, length: int) -> None:
    """A member lies inside the file, and what it says it unpacks to can come out of its bytes."""
    stored = member.compress_type == zipfile.ZIP_STORED
    most = member.compress_size if stored else DEFLATE_MOST * member.compress_size + DEFLATE_MOST
    inside = member.header_offset >= 0 and member.header_offset + member.compress_size <= length
    if not inside or member.file_size > most:
        raise ScanError(f"{quoted(name)} claims {size(member.file_size)}, which its bytes cannot hold; the file is damaged.")


def _info(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> ArrayInfo:
    with archive.open(member) as stream:
        shape, _, dtype, start = _header(stream)
    if any(n < 0 for n in shape) or len(shape) > 16 or (dtype.itemsize == 0 and math.prod(shape) > 1):
        raise ScanError(f"{quoted(name)} claims the shape {str(shape)[:40]}; lengths are not negative, axes at most 16.")
    claimed = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and claimed != member.file_size - start:
        held = size(member.file_size - start)
        raise ScanError(f"{quoted(name)} claims {size(claimed)} by its shape but holds {held}; the file is damaged.")
    return ArrayInfo(name, shape, dtype)


def _header(packed: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, column order, type and length of the header, by numpy's own reader.

    The reader believes the header's length before it looks at it, so it is given no more bytes
    than a header may have.
    """
    stream = io.BytesIO(packed.read(HEADER))
    version = npy.read_magic(stream)
    if version not in HEADERS:
        raise ScanError(f"it holds an array of NPY format {version[0]}.{version[1]}; formats 1.0 and 2.0 are read.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy remarks on files of Python 2
        shape, by_columns, dtype = HEADERS[version](stream)
    return tuple(int(n) for n in shape), bool(by_columns), dtype, stream.tell()


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, label: str, info: ArrayInfo, budget: Budget) -> NDArray[Any]:
    budget.take(info.nbytes, f"{label}: {quoted(info.name)}")
    try:
        with archive.open(member) as stream:
            _, by_columns, _, start = _header(stream)
        with archive.open(member) as stream:
            stream.read(start)
            values = np.empty(math.prod(info.shape), info.dtype)
            _fill(stream, values.view(np.uint8) if info.nbytes else values[:0])
        shaped = values.reshape(info.shape[::-1]).T if by_columns else values.reshape(info.shape)
    except BROKEN as error:
        raise ScanError(f"{label}: {quoted(info.name)} is damaged or cut short; copy the file again.") from error
    return shaped


def _fill(stream: IO[bytes], target: NDArray[Any]) -> None:
    """Bytes into ``target``, to the member's end, where its checksum is compared."""
    at = 0
    while at < len(target):
        chunk = stream.read(min(CHUNK, len(target) - at))
        if not chunk:
            raise EOFError
        target[at : at + len(chunk)] = np.frombuffer(chunk, np.uint8)
        at += len(chunk)
    if stream.read(1):
        raise EOFError


HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
