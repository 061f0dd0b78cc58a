from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ptycho_nb.errors import ConfigError
from ptycho_nb.machine import borrowed_threads, device_label, pick_device, threads
from ptycho_nb.memory import ENDLESS, hand_back, memory

GiB = 2**30


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.fixture
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return root


@pytest.mark.usefixtures("sixteen_cores")
def test_threads_are_the_affinity_without_any_cgroup(tmp_path):
    assert threads(tmp_path) == 16


@pytest.mark.usefixtures("sixteen_cores")
@pytest.mark.parametrize(("line", "count"), [("250000 100000", 2), ("50000 100000", 1), ("max 100000", 16), ("3200000 100000", 16)])
def test_cgroup_2_quota_limits_threads(tmp_path, line, count):
    put(tmp_path, "proc/self/cgroup", "0::/jobs/mine\n")
    put(tmp_path, "sys/fs/cgroup/jobs/mine/cpu.max", line + "\n")
    assert threads(tmp_path) == count


@pytest.mark.usefixtures("sixteen_cores")
def test_quota_of_a_cgroup_above_counts_too(tmp_path):
    put(tmp_path, "proc/self/cgroup", "0::/jobs/mine\n")
    put(tmp_path, "sys/fs/cgroup/jobs/mine/cpu.max", "800000 100000\n")
    put(tmp_path, "sys/fs/cgroup/jobs/cpu.max", "300000 100000\n")
    assert threads(tmp_path) == 3


@pytest.mark.usefixtures("sixteen_cores")
@pytest.mark.parametrize(("quota", "count"), [("400000", 4), ("-1", 16)])
def test_cgroup_1_quota_limits_threads(tmp_path, quota, count):
    put(tmp_path, "proc/self/cgroup", "5:memory:/box\n4:cpu,cpuacct:/box\n")
    put(tmp_path, "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", quota + "\n")
    put(tmp_path, "sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n")
    assert threads(tmp_path) == count


def test_affinity_limits_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7, 9}, raising=False)
    assert threads(tmp_path) == 3


def test_threads_without_affinity_are_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert threads(tmp_path) == 5


@pytest.mark.usefixtures("sixteen_cores")
@pytest.mark.parametrize(("wish", "count"), [("3", 3), ("24", 24), ("6,2", 6), ("", 16), ("none", 16), ("0", 16)])
def test_the_user_s_own_number_of_threads_wins(tmp_path, monkeypatch, wish, count):
    monkeypatch.setenv("OMP_NUM_THREADS", wish)
    assert threads(tmp_path) == count


def test_threads_here_are_at_least_one():
    assert threads() >= 1


def test_borrowed_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()

    def fail():
        with borrowed_threads(before + 1) as count:
            assert count == before + 1
            raise RuntimeError("stop here")

    with pytest.raises(RuntimeError, match="stop here"):
        fail()
    assert torch.get_num_threads() == before


def test_runs_that_overlap_in_threads_leave_the_user_s_number_of_threads():
    """A thread that is new to torch takes the number that was set last."""
    begun, overlapped, over = threading.Event(), threading.Event(), threading.Event()
    seen: list[int] = []

    def first() -> None:
        with borrowed_threads(1):
            begun.set()
            overlapped.wait(10)
        over.set()

    def second() -> None:
        begun.wait(10)
        with borrowed_threads(1):
            overlapped.set()
            over.wait(10)

    def run(*tasks: Callable[[], None]) -> None:
        started = [threading.Thread(target=task) for task in tasks]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join(20)

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run(first, second)
        run(lambda: seen.append(torch.get_num_threads()))
    finally:
        torch.set_num_threads(before)
    assert seen == [3]


def test_auto_is_cuda_where_there_is_one_and_never_mps(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    assert pick_device("mps") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == torch.device("cuda")


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_says_so_and_the_way_out(monkeypatch, name):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"sees no .* choose 'auto' or 'cpu'"):
        pick_device(name)


def test_an_unknown_device_names_those_there_are():
    with pytest.raises(ConfigError, match="'cudda'; allowed: auto, cpu, cuda, mps"):
        pick_device("cudda")


def test_the_cpu_is_called_cpu():
    assert device_label(torch.device("cpu")) == "cpu"


def meminfo(root: Path) -> Path:
    return put(root, "proc/meminfo", f"MemTotal: {64 * GiB // 1024} kB\nMemFree: 1 kB\nMemAvailable: {40 * GiB // 1024} kB\n")


def test_memory_is_the_machine_s_without_any_cgroup(tmp_path):
    assert memory(meminfo(tmp_path)) == (40 * GiB, 64 * GiB)


def test_cgroup_2_limits_memory_and_its_file_cache_is_free(tmp_path):
    put(meminfo(tmp_path), "proc/self/cgroup", "0::/box\n")
    put(tmp_path, "sys/fs/cgroup/box/memory.max", f"{4 * GiB}\n")
    put(tmp_path, "sys/fs/cgroup/box/memory.current", f"{3 * GiB}\n")
    put(tmp_path, "sys/fs/cgroup/box/memory.stat", f"anon 5\ninactive_file {2 * GiB}\n")
    assert memory(tmp_path) == (3 * GiB, 4 * GiB)


def test_cgroup_1_limits_memory(tmp_path):
    put(meminfo(tmp_path), "proc/self/cgroup", "9:memory:/box\n")
    put(tmp_path, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", f"{8 * GiB}\n")
    put(tmp_path, "sys/fs/cgroup/memory/box/memory.usage_in_bytes", f"{9 * GiB}\n")
    put(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", f"{2**63 - 4096}\n")
    assert memory(tmp_path) == (0, 8 * GiB)


def test_a_limit_of_max_is_none(tmp_path):
    put(meminfo(tmp_path), "proc/self/cgroup", "0::/\n")
    put(tmp_path, "sys/fs/cgroup/memory.max", "max\n")
    assert memory(tmp_path).total == 64 * GiB


def test_memory_here_is_plausible():
    here = memory()
    assert 0 < here.available <= here.total < ENDLESS


def test_memory_is_handed_back_once_a_call(monkeypatch):
    asked = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=asked.append))
    hand_back()
    assert asked == [0]


@pytest.mark.parametrize("missing", [AttributeError, OSError, TypeError])
def test_a_system_without_a_call_to_hand_memory_back_is_left_alone(monkeypatch, missing):

    def library(_: None) -> None:
        raise missing

    monkeypatch.setattr(ctypes, "CDLL", library)
    hand_back()
