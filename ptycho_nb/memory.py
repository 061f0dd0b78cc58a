"""Main memory of this machine, as the kernel's accounts tell it.

Containers and batch systems grant less than the machine has; the accounts are read below
``root`` so that they can be tried with made-up ones.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path("/")
UNTOLD = 4 * 2**30  # bytes, where the system does not tell
ENDLESS = 1 << 60  # cgroup v1 writes "no limit" as a number near 2**63


class Memory(NamedTuple):
    """Bytes of main memory; what the cgroup grants counts, not what the machine has."""

    available: int
    total: int


def memory(root: Path = ROOT) -> Memory:
    """Main memory, and what is left of it."""
    info = _meminfo(root)
    total, available = info.get("MemTotal", UNTOLD), info.get("MemAvailable", UNTOLD)
    for limit, used in _memory_limits(root):
        total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(available, total)


def hand_back() -> None:
    """Give memory that was freed back to the system, where the C library can: glibc keeps a third more than is in use."""
    with suppress(AttributeError, OSError, TypeError):  # other systems have no such call
        ctypes.CDLL(None).malloc_trim(0)


def _memory_limits(root: Path) -> Iterator[tuple[int, int]]:
    """(limit, used without the file cache) in bytes of each cgroup that sets one."""
    for folder in cgroups(root, "memory"):
        for limit_name, used_name in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            limit = number(folder / limit_name)
            if limit and limit < ENDLESS:
                yield limit, max(0, (number(folder / used_name) or 0) - _cache(folder))


def _cache(folder: Path) -> int:
    """Bytes of files the kernel may drop at once."""
    rows = dict(line.split()[:2] for line in read(folder / "memory.stat").splitlines() if len(line.split()) == 2)
    return int(rows.get("total_inactive_file", rows.get("inactive_file", "0")))


def cgroups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's cgroup and all above it, version 2 and version 1."""
    mounts = root / "sys/fs/cgroup"
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        base = mounts / controller if controllers else mounts
        inside = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for depth in range(len(inside), -1, -1):
            yield base.joinpath(*inside[:depth])


def _meminfo(root: Path) -> dict[str, int]:
    rows = (line.split() for line in read(root / "proc/meminfo").splitlines())
    found = {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) >= 2 and row[1].isdigit()}
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["MemTotal"] = found["MemAvailable"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return found


def number(path: Path) -> int | None:
    """The positive whole number in a file; None for a file that is missing or says "max" or -1."""
    word = read(path).strip()
    return int(word) if word.isdigit() else None


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
