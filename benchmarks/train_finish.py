"""Teaches the network of ``finish.py``: simulates scans, fits them roughly, and shows it what the objects lacked.

    python train_finish.py FOLDER --scans 1400 --minutes 60 --out finish.safetensors

FOLDER keeps the rough objects, two of each scan, so that a second call goes on where the first one ended. Objects are pictures
of scikit-image and shapes of the simulator, another for amplitude and for phase; probes, paths, overlap, dose, contrast and
errors of the probe are drawn anew for each scan. The pictures of the benchmarks (astronaut, camera, coins, gravel) are left
out. The network is judged every 100 steps on scans whose number ends in 00, 25, 50 or 75, which it never learns from.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from finish import KIND, FinishingNet, Rough, trained
from measure import machine, one_thread
from scipy.ndimage import gaussian_filter
from skimage import data, io, transform
from torch import Tensor
from torch.nn import functional as F

from ptycho_nb import InputError, SimulationConfig, refine
from ptycho_nb.quick_look import unseen
from ptycho_nb.quick_look.look import recipe
from ptycho_nb.simulate.experiment import Experiment, simulate_mask, simulate_positions
from ptycho_nb.simulate.objects import OBJECTS, unit
from ptycho_nb.simulate.probes import simulate_probe
from ptycho_nb.storage import write_tensors

EPOCHS = (2, 3, 4, 6, 8, 12)  # of the rough fits
SIDE, BATCH, RATE = 128, 8, 2e-3  # px of a cut, cuts in a step, greatest step size
COARSE = 8  # px: the scale above which phase and amplitude may drift from the truth at a small price
GLOBAL = 0.25  # that price
JUDGED = 25  # every so many scans one judges
PICTURES = ("brick", "cell", "chelsea", "coffee", "grass", "horse", "hubble_deep_field", "ihc")
PICTURES += ("microaneurysms", "moon", "motorcycle_left", "page", "retina", "rocket", "text")


def photograph(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A cut of a picture, turned and scaled at random, 0 to 1."""
    found = next(Path(data.__file__).parent.glob(f"{rng.choice(PICTURES)}.*g"))
    image = io.imread(found).astype(np.float32)
    image = np.rot90(image[..., :3].mean(-1) if image.ndim == 3 else image, rng.integers(4))
    scale = max(rng.uniform(0.35, 1.0) * min(image.shape[0] / shape[0], image.shape[1] / shape[1]), 0.5)
    size = np.minimum(np.maximum(np.array(shape) * scale, 8).astype(int), image.shape)
    r, c = (rng.integers(0, whole - part + 1) for whole, part in zip(image.shape, size, strict=True))
    return unit(transform.resize(image[r : r + size[0], c : c + size[1]] / 255, shape, order=3, anti_aliasing=True).clip(0, 1))


def drawn_map(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A map for amplitude or phase, 0 to 1."""
    if rng.random() < 0.45:
        found = photograph(shape, rng)
    else:
        kind = rng.choice(["lines", "dead_leaves", "gaussian_field", "siemens_star"], p=[0.25, 0.35, 0.3, 0.1])
        found = OBJECTS[str(kind)](shape, rng)[rng.integers(2)]
    found = unit(gaussian_filter(found, rng.uniform(0.4, 2))) if rng.random() < 0.25 else found
    found = found ** rng.uniform(0.5, 2) if rng.random() < 0.3 else found
    return 1 - found if rng.random() < 0.3 else found


def drawn_object(config: SimulationConfig, rng: np.random.Generator) -> np.ndarray:
    """Transmission (H, W) of two maps, now and then the same one or none."""
    shape = (config.height, config.width)
    amplitude = drawn_map(shape, rng)
    phase = amplitude if rng.random() < 0.25 else drawn_map(shape, rng)
    amplitude = np.ones(shape) if rng.random() < 0.1 else amplitude
    phase = np.full(shape, 0.5) if rng.random() < 0.06 else phase
    modulus = config.amplitude_min + (1 - config.amplitude_min) * amplitude
    return (modulus * np.exp(1j * config.phase_range * (phase - 0.5))).astype(np.complex64)


def drawn_config(rng: np.random.Generator) -> SimulationConfig:
    """An experiment like those of a beamline or a microscope, at N = 64."""
    return SimulationConfig(
        probe=str(rng.choice(["disk", "gaussian", "zone_plate"], p=[0.2, 0.3, 0.5])),
        scan=str(rng.choice(["raster", "jittered", "spiral", "random"], p=[0.1, 0.4, 0.3, 0.2])),
        height=int(rng.integers(168, 232)),
        width=int(rng.integers(168, 232)),
        overlap=rng.uniform(0.55, 0.8),
        nphotons=10 ** rng.uniform(3.5, 7),
        probe_diameter=rng.uniform(14, 34),
        defocus=rng.choice([-1, 1], p=[0.3, 0.7]) * rng.uniform(0.3, 2),
        central_stop=rng.choice([0, rng.uniform(0.2, 0.5)]),
        astigmatism=0.15 * rng.normal(),
        coma=0.1 * rng.normal(),
        amplitude_min=rng.uniform(0.05, 0.9),
        phase_range=math.exp(rng.uniform(math.log(0.3), math.log(6))),
        probe_error=rng.choice([0, rng.uniform(-0.15, 0.15)]),
        seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class Lesson:
    """What the network sees of one rough object, what it should have been, and where that counts."""

    maps: np.ndarray  # float16 (CHANNELS, H, W)
    truth: np.ndarray  # complex64 (H, W)
    weight: np.ndarray  # bool (H, W)
    scanned: np.ndarray  # (2, 2) rows and columns: from, to

    def cut(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A square near the scanned region, turned, mirrored, conjugated and its phase moved at random."""
        corner = [
            int(np.clip(rng.integers(low - 24, max(high - SIDE + 24, low - 23)), 0, n - SIDE))
            for (low, high), n in zip(self.scanned, self.truth.shape, strict=True)
        ]
        at = tuple(slice(c, c + SIDE) for c in corner)
        maps, truth, weight = self.maps[(slice(None), *at)].astype(np.float32), self.truth[at], self.weight[at].astype(np.float32)
        turns = int(rng.integers(4))
        maps, truth, weight = np.rot90(maps, turns, (1, 2)).copy(), np.rot90(truth, turns), np.rot90(weight, turns)
        if rng.random() < 0.5:
            maps, truth, weight = maps[:, :, ::-1].copy(), truth[:, ::-1], weight[:, ::-1]
        conjugate, turn = rng.random() < 0.5, np.exp(0.3j * rng.normal())
        for first in (0, 2, 8):  # the complex ones, as real and imaginary part
            value = (maps[first] + 1j * maps[first + 1] * (-1 if conjugate else 1)) * turn
            maps[first], maps[first + 1] = value.real, value.imag
        return maps, np.ascontiguousarray(truth.conj() if conjugate else truth), np.ascontiguousarray(weight)


def lessons(number: int) -> Iterator[Lesson]:
    """Two of the scan of that number."""
    rng = np.random.default_rng(number)
    config = drawn_config(rng)
    probes, positions, mask = simulate_probe(config), simulate_positions(config), simulate_mask(config)
    scan = Experiment(config, drawn_object(config, rng), *probes, *positions, mask).record()
    for epochs in rng.choice(EPOCHS, 2, replace=False):
        found = refine(scan, config=recipe(scan, int(epochs)).replace(mend_slow_phase=False, seed=int(rng.integers(1000))))
        rough = Rough.of(scan, found, np.setdiff1d(np.arange(scan.M), unseen(scan, found)))
        inside = np.zeros(found.object.shape, bool)
        rows, columns = found.scanned
        inside[max(rows.start - 6, 0) : rows.stop + 6, max(columns.start - 6, 0) : columns.stop + 6] = True
        weight = inside & (found.coverage > 0.1 * found.coverage.max())
        scanned = np.array([[one.start, one.stop] for one in found.scanned])
        yield Lesson(rough.maps()[0].astype(np.float16), scan.truth_on(found.canvas), weight, scanned)


def prepared(folder: Path, scans: int) -> list[Path]:
    """Files of the lessons of so many scans, made where they are not there yet."""
    folder.mkdir(exist_ok=True)
    for number in range(scans):
        if not (folder / f"{number:06d}_0.npz").exists():
            try:
                for part, lesson in enumerate(lessons(number)):
                    np.savez(folder / f"{number:06d}_{part}.npz", **vars(lesson))
            except InputError:  # a probe that does not fit its window, or a scan of a position or two
                continue
        if number % 100 == 99:
            print(f"{number + 1} scans simulated", flush=True)
    return sorted(folder.glob("*.npz"))


def read(path: Path) -> Lesson:
    with np.load(path) as stored:
        return Lesson(**stored)


def batch(chosen: list[Lesson], rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    maps, truth, weight = (torch.from_numpy(np.stack(parts)) for parts in zip(*(one.cut(rng) for one in chosen), strict=True))
    return maps.to(memory_format=torch.channels_last), truth, weight


def smooth(maps: Tensor) -> Tensor:
    """Means over some COARSE pixels, (B, n, H, W)."""
    means = F.avg_pool2d(F.avg_pool2d(maps, COARSE), 3, 1, 1, count_include_pad=False)
    return F.interpolate(means, scale_factor=COARSE, mode="bilinear", align_corners=False)


def distances(maps: Tensor, added: Tensor, truth: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """RMS difference from the truth over its own RMS, (B,) each: with a gain that varies slowly, and with one gain."""
    made = torch.complex(maps[:, 2] + added[:, 0], maps[:, 3] + added[:, 1])
    shared, own = weight * made.conj() * truth, weight * made.abs().square()
    slow = smooth(torch.stack([shared.real, shared.imag, own], 1))
    local_gain = torch.complex(slow[:, 0], slow[:, 1]) / slow[:, 2].clamp(min=1e-6)
    one_gain = shared.sum((1, 2)) / own.sum((1, 2)).clamp(min=1e-6)
    whole = (weight * truth.abs().square()).sum((1, 2)).clamp(min=1e-6)
    gains = local_gain, one_gain[:, None, None]
    local, single = ((weight * (gain * made - truth).abs().square()).sum((1, 2)) / whole for gain in gains)
    return (local + 1e-5).sqrt(), (single + 1e-5).sqrt()


def judged(network: torch.nn.Module, judges: list[Lesson]) -> str:
    """Both distances after and before the network, over the judges."""
    maps, truth, weight = batch(judges, np.random.default_rng(0))
    with torch.no_grad():
        added = network(maps)
        after, before = (torch.stack(distances(maps, part, truth, weight)).mean(1) for part in (added, torch.zeros_like(added)))
    return f"judges: local {after[0]:.4f} ({before[0]:.4f} before), whole {after[1]:.4f} ({before[1]:.4f})"


def taught(network: FinishingNet, paths: list[Path], minutes: float) -> FinishingNet:
    """The network after so long: Adam with decoupled weight decay, half a cosine, and the weights' running mean."""
    judging, known = [read(p) for p in paths if not int(p.name[:6]) % JUDGED], [read(p) for p in paths if int(p.name[:6]) % JUDGED]
    print(f"{len(known)} rough objects to learn from, {len(judging)} to judge by", flush=True)
    rng, mean = np.random.default_rng(0), copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-3)
    began, step = time.monotonic(), 0
    while (progress := (time.monotonic() - began) / (60 * minutes)) < 1:
        optimiser.param_groups[0]["lr"] = RATE * min(1, step / 200 + 0.05) * 0.5 * (1 + math.cos(math.pi * progress))
        maps, truth, weight = batch([known[i] for i in rng.integers(len(known), size=BATCH)], rng)
        with torch.autocast("cpu", torch.bfloat16):
            added = network(maps)
        local, single = distances(maps, added.float(), truth, weight)
        optimiser.zero_grad()
        (local + GLOBAL * single).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 0.003 if step > 1000 else 0.02)
        if step % 100 == 0:
            print(f"step {step}, {progress:.0%}; {judged(mean, judging)}", flush=True)
    return mean


def main() -> None:
    """Simulate, teach, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="keeps the rough objects")
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=60, help="of learning")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, default=Path("finish.safetensors"))
    parser.add_argument("--quick", action="store_true", help="see that it works; writes nothing")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    torch.manual_seed(0)
    paths = prepared(arguments.folder, 6 if arguments.quick else arguments.scans)
    network = copy.deepcopy(trained(arguments.start)).train().requires_grad_(True) if arguments.start else FinishingNet()
    network = taught(network.to(memory_format=torch.channels_last), paths, 0.1 if arguments.quick else arguments.minutes)
    if not arguments.quick:
        halved = {name: t.bfloat16() if t.ndim == 4 else t for name, t in network.state_dict().items()}
        write_tensors(arguments.out, KIND, halved, {"scans": arguments.scans, "minutes": arguments.minutes})


if __name__ == "__main__":
    main()
