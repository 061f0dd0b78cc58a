"""The finish of a quick look: a network that learned on simulated scans what a rough object still lacks.

It sees the object after a few epochs, the slow phase and the change of each pixel that the photons ask for, and how
much light there was; it was taught to come nearer the known objects of simulated scans (``benchmarks/train_finish.py``).
What it makes is taken only where it explains best the patterns that the look did not fit.

References
----------
Adler & Öktem, Inverse Problems 33, 124007 (2017): learned steps that see the gradient of the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import History
from ptycho_nb.machine import borrowed_threads, computes_in_bfloat16, pick_device
from ptycho_nb.quick_look.unet import MULTIPLE, FinishingNet
from ptycho_nb.refinement.mend import EXPLAINS, lacking
from ptycho_nb.refinement.start import noise_model
from ptycho_nb.refinement.underway import Run
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.storage import fill, read_tensors

WEIGHTS = Path(__file__).with_name("finish.safetensors")
KIND = "finish"  # what the file of weights says it is
WIDTH, MOST_EPOCHS = 64, 12  # of the looks that it learned from: patterns [px], and epochs at most
MOST_PIXELS = 4_000_000  # of a canvas: beyond it positions are likely in another unit, and the maps take gigabytes
LIT = 0.02  # of the brightest coverage: below it nothing is changed
PULL = -5.0  # times which the change asked for is shown to the network: it is small beside the object

Indices = NDArray[np.int64]
Complex = NDArray[np.complex64]


@dataclass(frozen=True)
class Rough:
    """A rough object and what is known of its faults.

    Attributes
    ----------
    object : complex64, shape (H, W)
    coverage : float32, shape (H, W)
        Photons on each object pixel.
    phase : float32, shape (H, W)
        The slow phase that the patterns' tilts ask for [rad].
    explained : float
        How far it is to be believed, as ``SlowPhase.explained``.
    pull : complex64, shape (H, W)
        The change that the photons ask for, ``Fit.pull``.
    epochs : float
        Passes over the patterns that made it.
    """

    object: Complex
    coverage: NDArray[np.float32]
    phase: NDArray[np.float32]
    explained: float
    pull: Complex
    epochs: float

    @classmethod
    def of(cls, scan: Scan, found: Reconstruction, patterns: Indices) -> Rough:
        """An iterative fit as some patterns of its scan, by index, see it."""
        config = RefinementConfig(**found.settings["refinement"])
        with torch.no_grad():
            run = Run(scan, found, config, History(), pick_device("cpu"), None)
            slow = lacking(scan, found, patterns, run.fit.detector.seen(), run.fit.expected)
            pull = np.asarray(run.fit.pull(patterns).numpy()[run.space.crop])
        steps = 0 if found.history is None else len(found.history.steps)
        return cls(found.object, found.coverage, slow.phase, slow.explained, pull, max(steps / run.per_epoch, 1.0))

    @property
    def light(self) -> NDArray[np.float32]:
        """The coverage where there is enough to speak of, zero elsewhere."""
        return self.coverage * (self.coverage > LIT * self.coverage.max())

    @property
    def size(self) -> float:
        """RMS of the object where there is light."""
        return max(float(np.sqrt(np.sum(self.light * np.abs(self.object) ** 2) / max(float(self.light.sum()), 1e-30))), 1e-9)

    def maps(self) -> tuple[NDArray[np.float32], NDArray[np.complexfloating]]:
        """What the network sees, (CHANNELS, H, W), and the object that it adds to, (H, W), of mean phase 0 and RMS 1.

        The object comes as it is and with the slow phase; the one to believe is added to.
        """
        light, slow = self.light, np.exp(1j * self.phase)
        plain, mended = (turn * np.exp(-1j * np.angle(np.sum(light * self.object * turn))) / self.size for turn in (1.0, slow))
        trusted, other = (mended, plain) if self.explained > EXPLAINS else (plain, mended)
        base, second, asked = self.object * trusted, self.object * other, PULL * self.pull * trusted
        bright = (np.log10(1 + self.coverage) - 4) / 2, self.coverage / max(float(self.coverage.max()), 1e-30)
        told = [np.full(light.shape, value) for value in (np.log2(self.epochs) / 2 - 1, np.clip(self.explained, -0.5, 1))]
        maps = [second.real, second.imag, base.real, base.imag, *bright, *told, asked.real, asked.imag]
        return np.stack(maps).astype(np.float32), base


@cache
def trained() -> FinishingNet:
    """The network with the weights that come with the package; no random number is drawn for it."""
    with torch.device("meta"):
        network = FinishingNet()
    network = network.to_empty(device="cpu")
    fill(network, {name: tensor.float() for name, tensor in read_tensors(WEIGHTS, KIND).tensors.items()}, WEIGHTS.name)
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def improved(rough: Rough) -> Complex:
    """The object (H, W) that the network makes of a rough one, in its scale and of mean phase 0; with no more than the slow phase where
    there was no light."""
    maps, base = rough.maps()
    H, W = base.shape
    padded = np.pad(maps, ((0, 0), (0, -H % MULTIPLE), (0, -W % MULTIPLE)), mode="edge")
    seen = torch.from_numpy(padded)[None].to(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=computes_in_bfloat16("auto", seen.device)):
        added = trained()(seen)[0, :, :H, :W].float().numpy()
    made, light = base + added[0] + 1j * added[1], rough.light
    gain = np.vdot(light * made, base) / max(float(np.sum(light * np.abs(made) ** 2)), 1e-30)
    return np.asarray(np.where(light > 0, gain * made, base) * rough.size, dtype=np.complex64)


def suits(scan: Scan, epochs: int) -> bool:
    """Whether the network has seen looks like this one: patterns as wide, as few epochs, and a canvas that is no accident."""
    H, W = scan.canvas.shape
    return scan.N == WIDTH and epochs <= MOST_EPOCHS and H * W <= MOST_PIXELS


def finished(scan: Scan, found: Reconstruction, fitted: Indices, judges: Indices) -> Reconstruction:
    """A rough fit as it is, with the slow phase that its tilts ask for, or with the network's finish: what explains the
    patterns best that were not fitted. ``settings["finish"]`` tells which, and the misfits."""
    with borrowed_threads(1):
        rough = Rough.of(scan, found, fitted)
        objects = {"nothing": found.object}
        if rough.explained > EXPLAINS:
            objects["slow phase"] = np.asarray(found.object * np.exp(1j * rough.phase), dtype=np.complex64)
        objects["network"] = improved(rough)
        loss = noise_model(scan, RefinementConfig())
        misfits = {name: found.replace(object=object).misfit(scan, loss, judges) for name, object in objects.items()}
    taken = min(misfits, key=lambda name: misfits[name] if np.isfinite(misfits[name]) else np.inf)
    told = {"taken": taken, "held_out": misfits}
    return found.replace(object=objects[taken], optimiser={}, settings={**found.settings, "finish": told})
