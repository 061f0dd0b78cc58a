"""How fast the parts are, and what the framework costs.

    python speed.py [--quick]

Stitching of 32 x 32 patches against a Fourier shift; patterns trained and inferred per CPU-second,
end to end, at N = 64 with the fast map; Lightning with the History over a bare loop of the same
step; the peak memory of a quick start. Medians of three.
"""

from __future__ import annotations

import argparse
import resource
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
from pictures_scan import pictures_scan
from torch import Tensor

from ptycho_nb import DataConfig, InferenceConfig, ModelConfig, Scan, TrainingConfig, reconstruct, train
from ptycho_nb.dataset import loaders
from ptycho_nb.model import PtychoPINN
from ptycho_nb.patches import divide, totals
from ptycho_nb.physics import shift

PATCH, CHUNK = 32, 256  # px, patches at once
QUICKSTART = """
import resource
from ptycho_nb import RefinementConfig, SimulationConfig, TrainingConfig, figures, reconstruct, refine, simulate_scan, train
scan = simulate_scan(SimulationConfig.preset("quick"))
training = train(scan, TrainingConfig.preset("quick"))
start = reconstruct(training.model, scan)
found = refine(scan, start)
figures.object_pair(found)._repr_png_()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def smooth_object(side: int, cutoff: float = 0.2) -> Tensor:
    """A periodic object without detail beyond ``cutoff`` cycles/px, amplitude about 0.5 to 1, phase about ±1 rad."""
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    spectrum = np.exp(-((f / cutoff) ** 2) * 4) / np.maximum(f, 0.01)
    maps = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) * spectrum).real for _ in range(2)]
    amplitude, phase = (m / m.std() for m in maps)
    return torch.from_numpy(((0.75 + 0.08 * amplitude) * np.exp(0.35j * phase)).astype(np.complex64))


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


def stitching(count: int, times: int) -> list[list[str]]:
    """Patches a second and relative RMS error of both stitches."""
    side = 256
    canvas = smooth_object(side)
    grid = np.stack(np.meshgrid(*[np.arange(20.0, side - 20, 7)] * 2, indexing="ij"), -1).reshape(-1, 2)
    positions = torch.from_numpy(grid + np.random.default_rng(1).uniform(-1.5, 1.5, grid.shape))
    patches = exact_patches(canvas, positions)
    distance = np.hypot(*(np.indices((PATCH, PATCH)) - PATCH // 2))
    weight = torch.from_numpy(np.exp(-((distance / 7) ** 2))).float()
    many, there = patches.repeat(-(-count // len(patches)), 1, 1)[:count], positions.repeat(-(-count // len(patches)), 1)[:count]
    inner = (slice(24, side - 24),) * 2
    rows = []
    for name, stitch in (("cubic (ptycho_nb)", by_cubic), ("Fourier shift", by_fourier)):
        found = stitch(patches, positions, (side, side), weight)
        error = float((found - canvas)[inner].abs().square().mean().sqrt() / canvas[inner].abs().square().mean().sqrt())
        rate = medians([lambda stitch=stitch: count / cpu(lambda: stitch(many, there, (side, side), weight))], times)[0]
        rows.append([f"stitch, {name}", f"{rate:,.0f} patches/s, error {error:.1e}"])
    return rows


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
        trained.append(len(result.history.steps) * training.batch_size / (time.process_time() - began))
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
    return [[f"Lightning over a bare loop, {network}", f"{100 * (framed / bare - 1):+.1f} % ({1e3 * framed:.2f} over {1e3 * bare:.2f} ms a step)"]]


def memory() -> list[list[str]]:
    """Peak memory of simulate, train, reconstruct, refine and a picture in a process of their own."""
    run = subprocess.run([sys.executable, "-c", QUICKSTART], check=True, capture_output=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return [["peak memory, quick start", f"{int(run.stdout.split()[-1]) * unit / 2**20:,.0f} MiB (this program: {own / 2**20:,.0f} MiB)"]]


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
