"""A finish for rough objects: a network that learns on simulated scans what they still lack.

It sees the object after a few epochs, the slow phase and the change of each pixel that the photons ask for, and how
much light there was; it is taught to come nearer the known objects of simulated scans (``train_finish.py``). Whether it
helps is asked by ``first_picture.py``.

References
----------
Adler & Öktem, Inverse Problems 33, 124007 (2017): learned steps that see the gradient of the data. Ronneberger, Fischer &
Brox, MICCAI 2015, and Shi et al., CVPR 2016 (pixel shuffle), for the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import History
from ptycho_nb.losses import FLOOR
from ptycho_nb.machine import computes_in_bfloat16, pick_device
from ptycho_nb.patches import add_each
from ptycho_nb.refinement.fit import Fit
from ptycho_nb.refinement.mend import LARGE, lacking
from ptycho_nb.refinement.start import noise_model
from ptycho_nb.refinement.underway import Run
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.storage import fill, read_tensors

BATCH = 64  # patterns looked at at once
FAINT = 0.02  # of the brightest: light below which a pixel is asked to change little
KIND = "finish"  # what the file of weights says it is
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
        The change that the photons ask for, ``pull``.
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
            asked = np.asarray(pull(run.fit, patterns).numpy()[run.space.crop])
        steps = 0 if found.history is None else len(found.history.steps)
        return cls(found.object, found.coverage, slow.phase, slow.explained, asked, max(steps / run.per_epoch, 1.0))

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
        trusted, other = (mended, plain) if self.explained > LARGE else (plain, mended)
        base, second, asked = self.object * trusted, self.object * other, PULL * self.pull * trusted
        bright = (np.log10(1 + self.coverage) - 4) / 2, self.coverage / max(float(self.coverage.max()), 1e-30)
        told = [np.full(light.shape, value) for value in (np.log2(self.epochs) / 2 - 1, np.clip(self.explained, -0.5, 1))]
        maps = [second.real, second.imag, base.real, base.imag, *bright, *told, asked.real, asked.imag]
        return np.stack(maps).astype(np.float32), base


@cache
def trained(weights: Path) -> FinishingNet:
    """The network with the weights in a file that ``train_finish.py`` wrote."""
    network = FinishingNet()
    fill(network, {name: tensor.float() for name, tensor in read_tensors(weights, KIND).tensors.items()}, weights.name)
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)


def improved(rough: Rough, network: FinishingNet) -> Complex:
    """The object (H, W) that the network makes of a rough one, in its scale and of mean phase 0; with no more than the slow phase where
    there was no light."""
    maps, base = rough.maps()
    H, W = base.shape
    padded = np.pad(maps, ((0, 0), (0, -H % MULTIPLE), (0, -W % MULTIPLE)), mode="edge")
    seen = torch.from_numpy(padded)[None].to(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=computes_in_bfloat16("auto", seen.device)):
        added = network(seen)[0, :, :H, :W].float().numpy()
    made, light = base + added[0] + 1j * added[1], rough.light
    gain = np.vdot(light * made, base) / max(float(np.sum(light * np.abs(made) ** 2)), 1e-30)
    return np.asarray(np.where(light > 0, gain * made, base) * rough.size, dtype=np.complex64)


def pull(fit: Fit, patterns: Indices) -> Tensor:
    """The change of each object pixel (H, W) that some patterns ask for, averaged by their light; nothing moves.

    sum of P* (ψ' - ψ) over sum of |P|², with ψ' the exit wave with the measured amplitudes: the update of the extended
    ptychographic iterative engine, of all patterns at once. Maiden & Rodenburg, Ultramicroscopy 109, 1256 (2009), eqs. 3-6.
    """
    total, detector = torch.zeros_like(fit.movers["object"].gradient), fit.detector
    for chosen in (part.tolist() for part in np.split(patterns, range(BATCH, len(patterns), BATCH))):
        _, probes, waves = fit.exit_waves(chosen)
        far = torch.fft.fft2(waves)
        measured = detector.measured[chosen] if detector.loss == "amplitude" else (detector.measured[chosen] + detector.floor).sqrt()
        lacking_share = measured / (detector.expected(far, chosen) + FLOOR).sqrt() - 1
        lacking_share = lacking_share if detector.mask is None else lacking_share * detector.mask
        back = torch.fft.ifft2(far * lacking_share.unsqueeze(1), norm="forward")
        corners = (fit.positions[chosen].round().long() - fit.N // 2).tolist()
        add_each([total[r : r + fit.N, c : c + fit.N] for r, c in corners], torch.view_as_real((back * probes.conj()).sum(1)))
    light = fit.coverage()
    return torch.view_as_complex(total) / (light + FAINT * light.max())


Made = dict[str, tuple[Reconstruction, float]]


def finished(scan: Scan, found: Reconstruction, fitted: Indices, judges: Indices, network: FinishingNet) -> Made:
    """A rough fit as it is, with the slow phase that its tilts ask for, and with the network's finish, and the misfit of each
    on patterns that were not fitted."""
    rough = Rough.of(scan, found, fitted)
    objects = {"nothing": found.object, "network": improved(rough, network)}
    if rough.explained > LARGE:
        objects["slow phase"] = np.asarray(found.object * np.exp(1j * rough.phase), dtype=np.complex64)
    made = {name: found.replace(object=object, optimiser={}) for name, object in objects.items()}
    loss = noise_model(scan, RefinementConfig())
    return {name: (one, one.misfit(scan, loss, judges)) for name, one in made.items()}


CHANNELS = 10
WIDTHS = (32, 64, 96)  # channels at a half, a quarter, and an eighth and less of the object's resolution
MULTIPLE = 16  # height and width are to be multiples of this


class FinishingNet(nn.Module):
    """A U-Net on squares of two by two pixels: three times coarser and back, residual blocks on the way.

    Fully convolutional: it takes objects of any size.

    References
    ----------
    Ronneberger, Fischer & Brox, MICCAI 2015; Shi et al., CVPR 2016 (pixel shuffle).
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c = WIDTHS
        self.down = nn.ModuleList([Block(4 * CHANNELS, a), Block(a, b), Block(b, c), Block(c, c)])
        self.up = nn.ModuleList([Block(c + c, c), Block(c + b, b), Block(b + a, a)])
        self.last = nn.Conv2d(a, 8, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # before it has learned it adds nothing
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        x, seen = F.pixel_unshuffle(maps, 2), []
        for level, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if level else x)
            seen.append(x)
        for block, same_scale in zip(self.up, seen[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2), same_scale], 1))
        return F.pixel_shuffle(self.last(x), 2)


class Block(nn.Module):
    """Two convolutions beside a path of one."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(into, out, 3, padding=1), nn.Conv2d(out, out, 3, padding=1)
        self.beside = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.beside(x) + self.second(F.gelu(self.first(x))))
