"""Teaches the network that guesses objects: simulates scans, looks at each once, and shows it what their objects are.

    python train_guess.py FOLDER --scans 4400 --minutes 60 --out ../ptycho_nb/guess/weights.safetensors

FOLDER keeps the looks, so that a second call goes on where the first one ended. Objects are pictures
of scikit-image and shapes of the simulator, another for amplitude and for phase; probes, paths, overlap, dose, contrast and
errors of the probe are drawn anew for each scan. The pictures of the benchmarks (astronaut, camera, coins, gravel) are left
out. The network is judged every 200 steps on scans whose number ends in 00, 25, 50 or 75, which it never learns from.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from measure import machine, one_thread
from scipy.ndimage import gaussian_filter
from skimage import data, io, transform
from torch import Tensor
from torch.nn import functional as F

from ptycho_nb import InputError, SimulationConfig
from ptycho_nb.guess.coarse import CELL
from ptycho_nb.guess.glimpse import LIGHT, glimpse
from ptycho_nb.guess.guess import KIND, weights
from ptycho_nb.guess.network import GuessNet
from ptycho_nb.simulate.experiment import Experiment, simulate_mask, simulate_positions
from ptycho_nb.simulate.objects import OBJECTS, unit
from ptycho_nb.simulate.probes import simulate_probe
from ptycho_nb.storage import write_tensors

SIDE, BATCH, RATE = 48, 8, 1e-3  # cells of a cut, cuts in a step, greatest step size
WIDE = 16  # px: the scale on which a phase is slow
LEFT_OUT = 0.1  # of the patterns, as a fit leaves them out to judge by
JUDGED = 25  # every so many scans one judges
LIT = 0.1  # of the most light: what counts
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
        height=int(rng.integers(160, 352)),
        width=int(rng.integers(160, 352)),
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
    """A look at a scan, and its object on whole cells."""

    detail: np.ndarray  # float16 (2, H, W), real and imaginary part
    maps: np.ndarray  # float16 (CHANNELS, h, w)
    truth: np.ndarray  # float16 (2, H, W)

    def cut(self, rng: np.random.Generator, side: int) -> tuple[np.ndarray, ...]:
        """A square of so many cells at most, at random, zeros beyond the canvas: detail, maps, truth and where it counts."""
        first = [int(rng.integers(0, max(n - side, 0) + 1)) for n in self.maps.shape[1:]]
        cells = tuple(slice(f, f + side) for f in first)
        pixels = tuple(slice(CELL * f, CELL * (f + side)) for f in first)
        maps = self.maps[(slice(None), *cells)].astype(np.float32)
        rim = [(0, side - n) for n in maps.shape[1:]]
        wide = [(0, CELL * n) for _, n in rim]
        detail, truth = (np.pad(one[(slice(None), *pixels)].astype(np.float32), ((0, 0), *wide)) for one in (self.detail, self.truth))
        return turned(detail, np.pad(maps, ((0, 0), *rim)), truth, rng)


def turned(detail: np.ndarray, maps: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The same scan mirrored and conjugated at random; a tilt along a mirrored axis changes its sign."""
    if rng.random() < 0.5:
        detail, truth = detail.swapaxes(1, 2), truth.swapaxes(1, 2)
        maps = maps.swapaxes(1, 2)[[0, 1, 3, 2, 5, 4, 7, 6, *range(8, len(maps))]]
    maps = maps.copy()
    for axis, odd in ((1, (2, 4, 8)), (2, (3, 5, 8))):
        if rng.random() < 0.5:
            detail, truth, maps = np.flip(detail, axis), np.flip(truth, axis), np.flip(maps, axis).copy()
            maps[list(odd)] *= -1
    if rng.random() < 0.5:  # probe and object conjugated, patterns turned by 180 degrees
        sign = np.array([1, -1], dtype=np.float32)[:, None, None]
        detail, truth = detail * sign, truth * sign
        maps[[2, 3, 4, 5, 10, 11]] *= -1
    counts = np.kron(maps[LIGHT] > LIT, np.ones((CELL, CELL))).astype(np.float32)
    return tuple(np.ascontiguousarray(one) for one in (detail, maps, truth, counts))


def lesson(number: int) -> Lesson:
    """The one of the scan of that number."""
    rng = np.random.default_rng(number)
    config = drawn_config(rng)
    probes, positions, mask = simulate_probe(config), simulate_positions(config), simulate_mask(config)
    scan = Experiment(config, drawn_object(config, rng), *probes, *positions, mask).record()
    seen = glimpse(scan, np.sort(rng.permutation(scan.M)[: max(int((1 - LEFT_OUT) * scan.M), 4)]))
    truth = scan.truth_on(scan.canvas)
    rim = [(0, CELL * cells - pixels) for cells, pixels in zip(seen.maps.shape[1:], truth.shape, strict=True)]
    parts = (np.stack([one.real, one.imag]).astype(np.float16) for one in (np.pad(seen.detail, rim), np.pad(truth, rim)))
    return Lesson(next(parts), seen.maps.astype(np.float16), next(parts))


def prepared(folder: Path, scans: int) -> list[Path]:
    """Files of the lessons of so many scans, made where they are not there yet."""
    folder.mkdir(exist_ok=True)
    for number in range(scans):
        if not (folder / f"{number:06d}.npz").exists():
            try:
                np.savez(folder / f"{number:06d}.npz", **vars(lesson(number)))
            except InputError:  # a probe that does not fit its window, or a scan of a position or two
                continue
        if number % 100 == 99:
            print(f"{number + 1} scans simulated", flush=True)
    return [path for path in sorted(folder.glob("*.npz")) if int(path.stem) < scans]


def read(path: Path) -> Lesson:
    with np.load(path) as stored:
        return Lesson(**stored)


def batch(chosen: list[Lesson], rng: np.random.Generator, side: int) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*(one.cut(rng, side) for one in chosen), strict=True))


def distances(amplitude: Tensor, phase: Tensor, truth: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """RMS difference from the truth over its own RMS, and root of 1 - cos of the slow phase's error, (B,) each; up to one phase for all."""
    made, wanted = torch.polar(amplitude, phase), torch.complex(truth[:, 0], truth[:, 1])
    shared = counts * made.conj() * wanted
    turn = shared.sum((1, 2))
    turn = (turn / turn.abs().clamp(min=1e-6))[:, None, None]
    power = (counts * wanted.abs().square()).sum((1, 2)).clamp(min=1e-6)
    whole = (counts * (made * turn - wanted).abs().square()).sum((1, 2)) / power
    straight = shared * turn.conj()
    real, imaginary, light = F.avg_pool2d(torch.stack([straight.real, straight.imag, counts], 1), WIDE).unbind(1)
    away = 1 - real / (torch.complex(real, imaginary).abs() + 1e-4)
    slow = (light * away).sum((1, 2)) / light.sum((1, 2)).clamp(min=1e-6)
    return (whole + 1e-4).sqrt(), (slow + 1e-4).sqrt()


def judged(network: GuessNet, judges: list[tuple[Tensor, ...]]) -> tuple[float, float]:
    """Both distances, the mean over the judges."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = [torch.stack(distances(*network(detail, maps), *rest)) for detail, maps, *rest in judges]
    whole, slow = torch.cat(found, 1).mean(1).tolist()
    return whole, slow


def taught(network: GuessNet, paths: list[Path], minutes: float) -> GuessNet:
    """The network after so long: Adam with decoupled weight decay, half a cosine, and the weights' running mean."""
    known = [read(p) for p in paths if int(p.stem) % JUDGED]
    rng, mean = np.random.default_rng(0), copy.deepcopy(network)
    judging = [batch([read(p)], np.random.default_rng(1), 2 * SIDE) for p in paths if not int(p.stem) % JUDGED][:80]
    print(f"{len(known)} scans to learn from, {len(judging)} to judge by; before: {judged(network, judging)}", flush=True)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-3)
    began, step = time.monotonic(), 0
    while (progress := (time.monotonic() - began) / (60 * minutes)) < 1:
        optimiser.param_groups[0]["lr"] = RATE * min(1, step / 200 + 0.05) * 0.5 * (1 + math.cos(math.pi * progress))
        detail, maps, *rest = batch([known[i] for i in rng.integers(len(known), size=BATCH)], rng, SIDE)
        with torch.autocast("cpu", torch.bfloat16):
            made = network(detail, maps)
        whole, slow = distances(*made, *rest)
        optimiser.zero_grad()
        (whole + slow).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            for kept, new in zip(mean.parameters(), network.parameters(), strict=True):
                kept.lerp_(new, 0.003 if step > 1000 else 0.02)
        if step % 200 == 0:
            print(f"step {step}, {progress:.0%}; judges: whole {{:.4f}}, slow phase {{:.4f}}".format(*judged(mean, judging)), flush=True)
    return mean


def main() -> None:
    """Simulate, teach, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="keeps the looks")
    parser.add_argument("--scans", type=int, default=4400)
    parser.add_argument("--minutes", type=float, default=60, help="of learning")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, default=Path("weights.safetensors"))
    parser.add_argument("--quick", action="store_true", help="see that it works; writes nothing")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    torch.manual_seed(0)
    paths = prepared(arguments.folder, 60 if arguments.quick else arguments.scans)
    network = copy.deepcopy(weights(arguments.start)).train().requires_grad_(True) if arguments.start else GuessNet()
    network = taught(network.to(memory_format=torch.channels_last), paths, 0.1 if arguments.quick else arguments.minutes)
    if not arguments.quick:
        halved = {name: t.bfloat16() if t.ndim == 4 else t for name, t in network.state_dict().items()}
        write_tensors(arguments.out, KIND, halved, {"scans": arguments.scans, "minutes": arguments.minutes})


if __name__ == "__main__":
    main()
