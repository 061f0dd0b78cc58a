"""How fast the parts are, and what the framework costs.

    python speed.py [--quick]

Stitching of 32 x 32 patches against a Fourier shift; patterns trained and inferred per CPU-second,
end to end, at N = 64 with the fast map; Lightning with the History over a bare loop of the same
step; the peak memory of a quick start. Medians of three.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import numpy as np
import torch
from measure import machine, medians, one_thread, table
from pictures_scan import PICTURES, SIDE, picture, pictures_scan
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ptycho_nb import DataConfig, InferenceConfig, ModelConfig, Scan, TrainingConfig, reconstruct, train
from ptycho_nb.dataset import loaders
from ptycho_nb.model import PtychoPINN
from ptycho_nb.patches import divide, totals
from ptycho_nb.physics import shift

PATCH, CHUNK = 32, 256  # px, patches at once
SOFTNESS = (0.7, 1.0, 1.5)  # px
QUICKSTART = """
import pathlib, resource, sys

def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # elsewhere getrusage; on Linux that one counts the parent in
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

from ptycho_nb import RefinementConfig, SimulationConfig, TrainingConfig, figures, reconstruct, refine, simulate_scan, train
scan = simulate_scan(SimulationConfig.preset("quick"))
training = train(scan, TrainingConfig.preset("quick"))
start = reconstruct(training.model, scan)
found = refine(scan, start)
figures.object_pair(found)._repr_png_()
print(peak())
"""


def softened(softness: float, side: int) -> Tensor:
    """The middle of the T scan's object, made periodic and softened by a Gaussian of so many px."""
    low = (SIDE - side) // 2
    amplitude, phase = (picture(name)[low : low + side, low : low + side] for name in PICTURES["T"])
    sharp = (0.5 + 0.5 * amplitude) * np.exp(1j * (2 * phase - 1))
    parts = [gaussian_filter(part, softness, mode="wrap") for part in (sharp.real, sharp.imag)]
    return torch.from_numpy((parts[0] + 1j * parts[1]).astype(np.complex64))


def exact_patches(canvas: Tensor, positions: Tensor) -> Tensor:
    """Patches round sub-pixel centres by a Fourier shift of the whole periodic object."""
    whole = positions.round()
    patches = torch.empty(len(positions), PATCH, PATCH, dtype=canvas.dtype)
    for i, (corner, rest) in enumerate(zip((whole.long() - PATCH // 2).tolist(), positions - whole, strict=True)):
        moved = shift(canvas, -rest.to(canvas.real.dtype))
        patches[i] = moved[corner[0] : corner[0] + PATCH, corner[1] : corner[1] + PATCH]
    return patches


def chunks(patches: Tensor, positions: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """A few patches at a time, as ``reconstruct`` streams them."""
    return zip(patches.split(CHUNK), positions.split(CHUNK), strict=True)


def by_cubic(patches: Tensor, positions: Tensor, shape: tuple[int, int], weight: Tensor) -> Tensor:
    """ptycho_nb's stitch."""
    total, cover = torch.zeros(shape, dtype=patches.dtype), torch.zeros(shape)
    for some, at in chunks(patches, positions):
        values, weights = totals(some, at, shape, weight)
        total, cover = total + values, cover + weights
    return divide(total, cover)


def by_fourier(patches: Tensor, positions: Tensor, shape: tuple[int, int], weight: Tensor) -> Tensor:
    """Patches and weights moved by a Fourier shift, then added at whole pixels."""
    total, cover = torch.zeros(shape, dtype=patches.dtype), torch.zeros(shape)
    for some, at in chunks(patches, positions):
        whole = at.round()
        rest = (at - whole).float()
        moved, weights = shift(some * weight, rest), shift(weight.expand(some.shape).to(some.dtype), rest).real
        for patch, own, (r, c) in zip(moved, weights, (whole.long() - PATCH // 2).tolist(), strict=True):
            total[r : r + PATCH, c : c + PATCH] += patch
            cover[r : r + PATCH, c : c + PATCH] += own
    return divide(total, cover)


def stitching(count: int, times: int, side: int = 256) -> list[list[str]]:
    """Patches a second of both stitches, and their relative RMS errors on ever softer objects."""
    grid = np.stack(np.meshgrid(*[np.arange(20.0, side - 20, 7)] * 2, indexing="ij"), -1).reshape(-1, 2)
    positions = torch.from_numpy(grid + np.random.default_rng(1).uniform(-1.5, 1.5, grid.shape))
    distance = np.hypot(*(np.indices((PATCH, PATCH)) - PATCH // 2))
    weight = torch.from_numpy(np.exp(-((distance / 7) ** 2))).float()
    objects = [softened(softness, side) for softness in SOFTNESS]
    patches = [exact_patches(known, positions) for known in objects]
    copies = -(-count // len(positions))
    many, there = patches[0].repeat(copies, 1, 1)[:count], positions.repeat(copies, 1)[:count]
    rows = []
    for name, stitch in (("cubic (ptycho_nb)", by_cubic), ("Fourier shift", by_fourier)):
        errors = [off(stitch(cut, positions, (side, side), weight), known) for cut, known in zip(patches, objects, strict=True)]
        rate = medians([lambda stitch=stitch: count / cpu(lambda: stitch(many, there, (side, side), weight))], times)[0]
        words = ", ".join(f"{error:.1e} at {softness:g} px" for error, softness in zip(errors, SOFTNESS, strict=True))
        rows.append([f"stitch, {name}", f"{rate:,.0f} patches/s; error {words} of softness"])
    return rows


def off(found: Tensor, known: Tensor) -> float:
    """Relative RMS difference, 24 px of the edge left out."""
    inner = (slice(24, -24), slice(24, -24))
    return float((found - known)[inner].abs().square().mean().sqrt() / known[inner].abs().square().mean().sqrt())


def cpu(call: Callable[[], Any]) -> float:
    """CPU time of a call [s]."""
    began = time.process_time()
    call()
    return time.process_time() - began


def end_to_end(scan: Scan, epochs: int, times: int, precision: str) -> list[list[str]]:
    """Patterns per CPU-second through ``train`` and ``reconstruct``, everything included."""
    training = TrainingConfig(epochs=epochs, precision=precision, accelerator="cpu")
    trained, inferred = [], []
    for _ in range(times):
        began = time.process_time()
        result = train(scan, training)
        seen = epochs * result.train_loader.sampler.size * result.model.data_config.C
        trained.append(seen / (time.process_time() - began))
        stitch = InferenceConfig(synchronise="never")
        inferred.append(scan.M / cpu(lambda result=result, stitch=stitch: reconstruct(result.model, scan, stitch)))
    rate = f"{statistics.median(trained):,.0f} trained, {statistics.median(inferred):,.0f} inferred"
    return [[f"patterns per CPU-second, global_map, {precision}", rate]]


class Stamps(L.Callback):
    """The time at the end of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def on_train_batch_end(self, *_: object) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())

    def step(self, skipped: int) -> float:
        """Mean seconds a step, the first ones left out."""
        return (self.times[-1] - self.times[skipped]) / (len(self.times) - 1 - skipped)


def by_lightning(scan: Scan, training: TrainingConfig, model: ModelConfig, skipped: int) -> float:
    """Seconds a step in ``train``, the History on."""
    stamps = Stamps()
    train(scan, training, model, DataConfig(validation_fraction=0), callbacks=[stamps])
    return stamps.step(skipped)


def by_hand(scan: Scan, training: TrainingConfig, model: ModelConfig, skipped: int) -> float:
    """Seconds a step in a plain loop over the same batches, model, optimiser and schedule."""
    data = DataConfig(validation_fraction=0)
    module = PtychoPINN.for_scan(scan, model, data, training)
    loader = loaders(scan, data, batch_size=training.batch_size, seed=training.seed).train
    module.steps = (0, training.epochs * len(loader))
    parts: Any = module.configure_optimizers()
    optimizer, scheduler = parts["optimizer"], parts["lr_scheduler"]["scheduler"]
    stamps = Stamps()
    for epoch in range(training.epochs):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            optimizer.zero_grad()
            module.misfit(batch).backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), training.gradient_clip or float("inf"))
            optimizer.step()
            scheduler.step()
            stamps.on_train_batch_end()
    return stamps.step(skipped)


def framework(scan: Scan, network: str, epochs: int, times: int) -> list[list[str]]:
    """What Lightning adds to a step, in per cent."""
    training, model = TrainingConfig(epochs=epochs, accelerator="cpu"), ModelConfig(network=network)
    skipped = 2
    calls = [lambda call=call: call(scan, training, model, skipped) for call in (by_lightning, by_hand)]
    framed, bare = medians(calls, times)
    steps = f"{1e3 * framed:.2f} over {1e3 * bare:.2f} ms a step"
    return [[f"Lightning over a bare loop, {network}", f"{100 * (framed / bare - 1):+.1f} % ({steps})"]]


def memory() -> list[list[str]]:
    """Peak memory of simulate, train, reconstruct, refine and a picture in a process of their own."""
    run = subprocess.run([sys.executable, "-c", QUICKSTART], check=True, capture_output=True, text=True)
    return [["peak memory, quick start", f"{int(run.stdout.split()[-1]) / 2**20:,.0f} MiB"]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="see that it works")
    parser.add_argument("--precision", default=TrainingConfig().precision)
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    quick = arguments.quick
    times = 1 if quick else 3
    scan = pictures_scan("T", places=14 if quick else 42)
    small = pictures_scan("T", places=16)
    rows = stitching(1024 if quick else 16384, times)
    rows += end_to_end(scan, 1 if quick else 20, times, arguments.precision)
    rows += framework(small, "global_map", 2 if quick else 40, times)
    rows += framework(small, "cnn", 1 if quick else 4, times)
    rows += memory()
    print("\n" + table(["what", "figure"], rows))


if __name__ == "__main__":
    main()
