"""What the benchmarks share: one thread, medians, Markdown tables, a training that fits a time."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import lightning
import numpy as np
import torch

from ptycho_nb import Control, DataConfig, History, ModelConfig, Reconstruction, Scan, Training, TrainingConfig, train
from ptycho_nb.metrics import Region, Scores, compare_objects

Value = TypeVar("Value")
PACE = 24  # steps that tell how long a step takes


def one_thread() -> None:
    """Start the program again with one thread for every library, unless it has one already."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    if any(os.environ.get(name) != "1" for name in names):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **dict.fromkeys(names, "1")})


def machine() -> str:
    """What the figures were measured on, in a line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{cpu}, {torch.get_num_threads()} thread, torch {torch.__version__}, lightning {lightning.__version__}{load}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def timed(call: Callable[[], Value]) -> tuple[float, Value]:
    """Wall time [s] of a call, and what it gave."""
    began = time.perf_counter()
    value = call()
    return time.perf_counter() - began, value


def medians(calls: Sequence[Callable[[], float]], times: int) -> list[float]:
    """The median of what each call gives; the calls take turns, so that a busy spell meets all of them."""
    rounds = [[call() for call in calls] for _ in range(times)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


def train_for(scan: Scan, seconds: float, training: TrainingConfig, model: ModelConfig, data: DataConfig) -> Training:
    """A training whose epochs are chosen so that the whole of it takes about so long, and never longer."""
    control, times = Control(), [time.perf_counter()]

    def pace(history: History) -> None:
        times.append(time.perf_counter())
        if len(history.steps) >= PACE or times[-1] - times[0] > 0.3 * seconds:
            control.stop()

    trial = train(scan, training.replace(epochs=PACE), model, data, listener=pace, control=control)
    steps = np.diff(times[1:]) if len(times) > 2 else np.diff(times)
    epoch = 1.05 * float(np.median(steps)) * len(trial.train_loader)  # validation, about a twentieth
    epochs = max(1, int((0.95 * seconds - (times[1] - times[0])) / epoch))
    return train(scan, training.replace(epochs=epochs, time_limit=seconds), model, data)


def triple(found: Reconstruction, scan: Scan, region: Region | None = None) -> tuple[str, str, str]:
    """Amplitude SSIM, phase SSIM and phase MAE [rad] against the truth, over the scanned region."""
    scores: Scores = compare_objects(found.object, scan.truth, region or found.scanned)
    return f"{scores.amplitude.ssim:.3f}", f"{scores.phase.ssim:.3f}", f"{scores.phase.mae:.3f}"
