"""What a scan was made from, known again when it is given once more."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ptycho_nb.config import SimulationConfig
from ptycho_nb.files import StrPath
from ptycho_nb.scan import Scan
from ptycho_nb.ui.forms.python import FileSource, Oriented, Source


@dataclass(frozen=True)
class OnDisk:
    """A file as it stands now; written again, it is another.

    Attributes
    ----------
    path : str
        From the root.
    time, size : int
        When it was last changed [ns], and how long it is [bytes]; 0 where there is none.
    """

    path: str
    time: int
    size: int

    @classmethod
    def of(cls, path: StrPath) -> OnDisk:
        """That at this path, however it is spelt."""
        place = os.path.abspath(path)
        try:
            now = os.stat(place)
        except (OSError, ValueError):
            return cls(place, 0, 0)
        return cls(place, now.st_mtime_ns, now.st_size)


Origin = Scan | SimulationConfig | Oriented | OnDisk | None


def origin(given: Scan | Source) -> Origin:
    """What a scan is made from that is given so: itself, its settings, or a file as it stands now."""
    match given:
        case FileSource():
            return OnDisk.of(given.path)
        case str() | os.PathLike():
            return OnDisk.of(given)
        case _:
            return given


def same_origin(one: Origin, other: Origin) -> bool:
    """Whether both make the same scan."""
    return one.same(other) if isinstance(one, Scan) and isinstance(other, Scan) else one == other


def earlier_and_later(one: Origin, other: Origin) -> bool:
    """Whether they go by one name and differ all the same: a file written again, a scan corrected."""
    if isinstance(one, OnDisk) and isinstance(other, OnDisk):
        return one.path == other.path and one != other
    return isinstance(one, Scan) and isinstance(other, Scan) and one.name == other.name and not one.same(other)
