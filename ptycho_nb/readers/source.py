"""What every file format comes down to: named arrays, their shapes known before any is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import ScanError
from ptycho_nb.memory import memory

SHARE = 0.25  # of the memory now free that the arrays of one file may fill
WORKING = 0.8  # of the memory now free that making a scan of them may take
NUMBERS = "biufc"


@dataclass(frozen=True)
class ArrayInfo:
    """An array in a file: its name, shape and type, and what it seems to be."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    role: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes when read, in whole numbers that cannot overflow."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers, real or complex."""
        return self.dtype.kind in NUMBERS

    @property
    def real(self) -> bool:
        """Whether it holds numbers that can be measured."""
        return self.dtype.kind in "iuf"

    @property
    def squeezed(self) -> tuple[int, ...]:
        """The shape without the axes of length one."""
        return tuple(n for n in self.shape if n != 1)


@dataclass
class Budget:
    """Bytes that one file may still take in memory."""

    left: int

    @classmethod
    def of_memory(cls, share: float = SHARE) -> Budget:
        """A share of what is free now."""
        return cls(int(share * memory().available))

    def take(self, nbytes: int, what: str) -> None:
        """Set ``nbytes`` aside for ``what``.

        Raises
        ------
        ScanError
            It is more than is left.
        """
        if nbytes > self.left:
            raise ScanError(f"{what} takes {size(nbytes)}, more than the {size(self.left)} a file may take here; crop or split it.")
        self.left -= nbytes


@dataclass(frozen=True)
class Source:
    """The arrays of one file or mapping: headers at once, contents when asked for."""

    label: str
    headers: Mapping[str, ArrayInfo]
    fetch: Callable[[str], NDArray[Any]]
    kept: dict[str, NDArray[Any]] = field(default_factory=dict)

    def read(self, name: str) -> NDArray[Any]:
        """The array called ``name``, read once.

        Raises
        ------
        ScanError
            It holds Python objects or anything else that is not numbers or text.
        """
        if name not in self.kept:
            kind = self.headers[name].dtype
            if kind.hasobject:
                raise ScanError(f"{self.label}: {quoted(name)} holds Python objects (a pickle), which could run code; save it as numbers.")
            if kind.kind not in NUMBERS + "SU":
                raise ScanError(f"{self.label}: {quoted(name)} has type {str(kind)[:40]}; only plain numbers and text are read.")
            self.kept[name] = self.fetch(name)
        return self.kept[name]


def mapping_source(arrays: Mapping[str, Any]) -> Source:
    """Arrays in memory, as a source; a dict among them becomes its JSON."""
    ready: dict[str, NDArray[Any]] = {}
    for name, value in arrays.items():
        if not isinstance(name, str):
            raise ScanError(f"The mapping has a key {str(name)[:40]!r} of type {type(name).__name__}; the names of arrays are text.")
        try:
            ready[name] = np.asarray(json.dumps(dict(value)) if isinstance(value, Mapping) else value)
        except (TypeError, ValueError, RuntimeError, RecursionError):
            raise ScanError(f"The mapping's {name[:40]!r} is no array of numbers; give numpy arrays.") from None
    headers = {name: ArrayInfo(name, array.shape, array.dtype) for name, array in ready.items()}
    return Source("The mapping", headers, ready.__getitem__)


def quoted(name: str) -> str:
    """A stranger's name in a sentence: printable, at most 40 characters, in quotes."""
    plain = "".join(c if c.isprintable() else "?" for c in name)
    return repr(plain if len(plain) <= 40 else plain[:39] + "…")


def size(nbytes: int) -> str:
    """Bytes for a person."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if nbytes < 1000 or unit == "TiB":
            return f"{nbytes:.3g} {unit}" if nbytes < 1e6 else "over a million TiB"
        nbytes = nbytes // 1024 if nbytes > 2**53 else nbytes / 1024  # type: ignore[assignment]
    return ""
