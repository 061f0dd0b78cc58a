"""What this machine gives a run: threads and a device.

Containers and batch systems grant less than the machine has; what they grant is read from the
kernel's accounts, below ``root`` so that it can be tried with made-up ones.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import torch

from ptycho_nb.errors import ConfigError, unknown
from ptycho_nb.memory import ROOT, cgroups, number, read

BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # as torch calls what a processor can do: two of x86, one of ARM


def threads(root: Path = ROOT) -> int:
    """Threads to compute with: what affinity and the cgroup's quota give, at least 1; ``OMP_NUM_THREADS`` wins."""
    wish = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wish.isdigit() and int(wish) > 0:
        return int(wish)
    return max(1, min(_affinity(), int(_quota(root))))


class Shared:
    """What belongs to the whole process while runs overlap in threads: the first one takes it, the last one gives it back.

    Parameters
    ----------
    keep : callable
        Makes the context that finds the process as it is, and leaves it so.
    """

    def __init__(self, keep: Callable[[], AbstractContextManager[None]]) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._borrowers = 0
        self._kept = ExitStack()

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Ours inside."""
        with self._lock:
            if not self._borrowers:
                self._kept.enter_context(self._keep())
            self._borrowers += 1
        try:
            yield
        finally:
            with self._lock:
                self._borrowers -= 1
                if not self._borrowers:
                    self._kept.close()


@contextmanager
def borrowed_threads(count: int | None = None) -> Iterator[int]:
    """Torch computes with ``count`` threads, ``threads()`` if none, and with the user's own again afterwards.

    Torch counts by thread, and a thread that is new takes the count that was set last: runs that
    overlap leave the user's.
    """
    with THREADS.borrowed(), _kept_threads():
        torch.set_num_threads(count or threads())
        yield torch.get_num_threads()


@contextmanager
def _kept_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pick_device(name: str = "auto") -> torch.device:
    """The device called ``name``; "auto" is CUDA where there is one, else the CPU. Apple's MPS only on request.

    Raises
    ------
    ConfigError
        No device has that name, or this machine has none of it.
    """
    if name not in DEVICES:
        raise ConfigError(unknown("device", name, DEVICES))
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("Torch sees no CUDA device here; choose 'auto' or 'cpu', or install the CUDA build of torch.")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("Torch sees no Apple GPU (mps) here; choose 'auto' or 'cpu'.")
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 by itself; elsewhere torch imitates it, slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and any(torch.cpu.get_capabilities().get(name, False) for name in BFLOAT16)


def computes_in_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether a network set to that precision multiplies in bfloat16 there; ``"auto"`` does where the device does it by itself."""
    return precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))


def device_label(device: torch.device) -> str:
    """The device in words: ``"cpu"``, or ``"cuda, NVIDIA H200, 139 GiB"``."""
    if device.type != "cuda":
        return device.type
    card = torch.cuda.get_device_properties(device)
    return f"cuda, {card.name}, {card.total_memory / 2**30:.0f} GiB"


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity
        return os.cpu_count() or 1


def _quota(root: Path) -> float:
    """Cores that the tightest cgroup grants."""
    grants = [float(os.cpu_count() or 1)]
    for folder in cgroups(root, "cpu"):
        words = read(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
            grants.append(int(words[0]) / int(words[1]))
        quota, period = number(folder / "cpu.cfs_quota_us"), number(folder / "cpu.cfs_period_us")
        if quota and period:
            grants.append(quota / period)
    return max(1.0, min(grants))


THREADS = Shared(_kept_threads)
DEVICES = ("auto", "cpu", "cuda", "mps")
