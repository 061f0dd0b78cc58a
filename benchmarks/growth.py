"""How time and memory grow with the patterns M, their width N and the group size C: linearly?

    python growth.py [--full] [--quick]

Each size runs in a program of its own, one thread: a simulated scan, three epochs of the iterative fit, two
of the network's training, one inference with the stitch. Times are CPU seconds of an epoch, set-up
left out; memory is the peak beyond what the program held before (Linux only). An exponent of 1 is
linear growth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from measure import Value, machine, one_thread, table

from ptycho_nb import (
    DataConfig,
    History,
    RefinementConfig,
    Scan,
    SimulationConfig,
    TrainingConfig,
    reconstruct,
    refine,
    simulate_scan,
    train,
)

MIB = 2**20
PARTS = ("iterative", "network", "inference")
CONSTANTS = ["part", "time a pattern and epoch", "time of an epoch besides", "memory a pattern", "memory besides"]
FIT_EPOCHS, NETWORK_EPOCHS = 3, 2


@dataclass(frozen=True)
class Size:
    """One scan and grouping."""

    M: int
    N: int = 64
    gridsize: int = 4

    @property
    def C(self) -> int:
        """Patterns in a group."""
        return self.gridsize**2


def sizes(full: bool, quick: bool) -> dict[str, list[Size]]:
    """The scans of each question, the smallest first."""
    if quick:
        return {"M": [Size(100), Size(200)], "N": [Size(100, N=32), Size(100)], "C": [Size(100, gridsize=1), Size(100)]}
    patterns = [1_000, 3_000, 10_000] + ([30_000, 100_000] if full else [])
    widths = [Size(1_000, N=N) for N in (64, 128, 256)]
    return {"M": [Size(M) for M in patterns], "N": widths, "C": [Size(1_000, gridsize=g) for g in (1, 2, 3, 4)]}


def scan_of(size: Size) -> Scan:
    """About M patterns at 80 % overlap, the probe in proportion to its window; the first M of them."""
    diameter = 24 * size.N / 64
    across = int(np.ceil(np.sqrt(size.M))) * 0.2 * diameter + size.N + 0.5 * diameter
    config = SimulationConfig(object="gaussian_field", N=size.N, height=int(across), width=int(across), overlap=0.8)
    scan = simulate_scan(config.replace(probe_diameter=diameter))
    return scan.select(np.arange(min(size.M, scan.M)))


def measured(size: Size) -> dict[str, float]:
    """Seconds of an epoch and peak bytes of each part, in this process."""
    scan = scan_of(size)
    found: dict[str, float] = {"M": scan.M, "scan bytes": scan.intensity.nbytes}
    fit, clock = RefinementConfig(epochs=FIT_EPOCHS, accelerator="cpu"), Clock()
    _, found["iterative bytes"] = peak(lambda: refine(scan, config=fit, listener=clock))
    found["iterative s"] = clock.epoch
    training, groups, clock = TrainingConfig(epochs=NETWORK_EPOCHS, accelerator="cpu"), DataConfig(gridsize=size.gridsize), Clock()
    trained, found["network bytes"] = peak(lambda clock=clock: train(scan, training, data=groups, listener=clock))
    found["network s"] = clock.epoch
    began = time.process_time()
    _, found["inference bytes"] = peak(lambda: reconstruct(trained.model, scan))
    found["inference s"] = time.process_time() - began
    return found


class Clock:
    """A listener that notes the CPU time at the end of each epoch."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, history: History) -> None:
        if history.epochs > len(self.times):
            self.times.append(time.process_time())

    @property
    def epoch(self) -> float:
        """CPU seconds of an epoch, the first left out."""
        return (self.times[-1] - self.times[0]) / (len(self.times) - 1)


def peak(call: Callable[[], Value]) -> tuple[Value, float]:
    """What a call gives, and how far it took this process's memory above what it held before; NaN where the system does not tell."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not (status.exists() and os.access(reset, os.W_OK)):
        return call(), float("nan")

    def held(name: str) -> int:
        return 1024 * int(status.read_text().split(f"{name}:")[1].split()[0])

    reset.write_text("5")  # the peak starts again from here
    before = held("VmRSS")
    return call(), float(held("VmHWM") - before)


def apart(size: Size) -> dict[str, float]:
    """``measured`` in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps(asdict(size))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def exponent(sizes: list[float], values: list[float]) -> float:
    """The slope in log-log scale, least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def rows(question: str, known: dict[Size, dict[str, float]]) -> list[list[object]]:
    """A row a size, and a last one with the exponents."""
    lines: list[list[object]] = []
    for size, found in known.items():
        line: list[object] = [found["M"], size.N, size.C]
        line += [f"{1e6 * found[f'{part} s'] / found['M']:,.0f}" for part in PARTS]
        line += [f"{found[f'{part} bytes'] / MIB:,.0f}" for part in PARTS]
        lines.append([*line, f"{found['scan bytes'] / MIB:,.0f}"])
    along = [{"M": found["M"], "N": size.N, "C": size.C}[question] for size, found in known.items()]
    powers = [exponent(along, [found[f"{part} {unit}"] for found in known.values()]) for unit in ("s", "bytes") for part in PARTS]
    return [*lines, [f"exponent in {question}", "", "", *(f"{power:.2f}" for power in powers), ""]]


def constants(known: dict[Size, dict[str, float]]) -> list[list[object]]:
    """Along M: what a pattern costs, and what is there before the first, by least squares."""
    patterns = [found["M"] for found in known.values()]
    lines: list[list[object]] = []
    for part in PARTS:
        seconds, start = np.polyfit(patterns, [found[f"{part} s"] for found in known.values()], 1)
        held, base = np.polyfit(patterns, [found[f"{part} bytes"] for found in known.values()], 1)
        lines.append([part, f"{1e6 * seconds:,.0f} µs", f"{start:+.2f} s", f"{held / 1024:,.1f} KiB", f"{base / MIB:+,.0f} MiB"])
    return lines


def main() -> None:
    """Print a table for each question, and the constants along M."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="up to 100,000 patterns: about half an hour and 16 GiB")
    parser.add_argument("--quick", action="store_true", help="see that it works")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    one_thread()
    if arguments.one:
        print(json.dumps(measured(Size(**json.loads(arguments.one)))))
        return
    print(machine())
    head = ["M", "N", "C", *(f"{part} [µs a pattern]" for part in PARTS), *(f"{part} [MiB]" for part in PARTS), "scan [MiB]"]
    cache: dict[Size, dict[str, float]] = {}
    for question, asked in sizes(arguments.full, arguments.quick).items():
        for size in asked:
            cache[size] = cache.get(size) or apart(size)
        known = {size: cache[size] for size in asked}
        print(f"\nBy {question}\n\n{table(head, rows(question, known))}")
        if question == "M":
            print(f"\n{table(CONSTANTS, constants(known))}", flush=True)


if __name__ == "__main__":
    main()
