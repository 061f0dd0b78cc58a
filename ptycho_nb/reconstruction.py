"""From a trained network to the object: patches of all patterns, one phase, one streamed stitch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from ptycho_nb.config import InferenceConfig
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.history import State
from ptycho_nb.machine import borrowed_threads, pick_device
from ptycho_nb.model import PtychoPINN
from ptycho_nb.network import FLAT, centre
from ptycho_nb.patches import EMPTY, divide, illumination, totals
from ptycho_nb.physics import intensity
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.synchronise import patch_phases

TOLERATED = 1.05  # times the plain stitch's misfit: measured gains in phase come with up to 1.02
JUDGES = 256  # patterns, evenly over the scan, that decide whether synchronised phases are kept

Parts = Iterable[tuple[slice, Tensor]]  # which patterns, and their patches (B, width, width)


def reconstruct(model: PtychoPINN, scan: Scan, inference: InferenceConfig | None = None) -> Reconstruction:
    """The object that the network sees in the patterns of a scan, and the scan's probe.

    Patches are predicted a batch at a time, on the training's device or what there is instead, and
    added to one canvas, so that memory grows with the object and not with the patches; only a
    synchronisation of phases keeps them all at once. Patterns are brought to the mean brightness of
    those the model was trained on, so that a scan of another dose will do. Where no patch speaks the
    object is flat. A scan whose axes are recorded another way is turned first: ``scan.oriented(...)``.

    Parameters
    ----------
    model : PtychoPINN
        Trained, on this scan or one like it.
    scan : Scan
    inference : InferenceConfig, optional
        The model's own if none.

    Raises
    ------
    InputError
        The patterns have another width than the model's.
    """
    if scan.N != model.facts.N:
        raise InputError(f"The model takes patterns of width {model.facts.N}, the scan has {scan.N}; crop the scan or train on it.")
    began = time.monotonic()
    config = inference or model.inference_config
    training = model.training
    model.eval()
    try:
        with borrowed_threads(), _moved(model, _device(model.training_config.accelerator)), torch.inference_mode():
            best = _accepted(_Stitching(model, scan, config), config.synchronise)
    finally:
        model.train(training)
    settings = {**model.settings(), "inference": config.model_dump(mode="json")}
    return best.replace(seconds=time.monotonic() - began, settings=settings)


def _device(name: str) -> torch.device:
    """The device that a model was trained on, or what there is on a machine without it."""
    try:
        return pick_device(name)
    except ConfigError:
        return pick_device()


@contextmanager
def _moved(model: PtychoPINN, device: torch.device) -> Iterator[None]:
    """The model on a device, and afterwards where it was: a Trainer leaves it on the CPU."""
    before = model.device
    model.to(device)
    try:
        yield
    finally:
        model.to(before)


def _accepted(stitching: _Stitching, synchronise: str) -> Reconstruction:
    """The stitch as it is or with synchronised phases: as asked, or synchronised unless the photons say it did harm.

    Good patches of different phases cancel where they are averaged, which blurs the object and
    hardly changes the misfit; poor ones are only made worse, and that shows in it.
    """
    if synchronise == "never":
        return stitching.plain(stitching.patches())
    parts = list(stitching.patches())
    other = stitching.synchronised(parts)
    if synchronise == "always":
        return other
    plain, scan = stitching.plain(parts), stitching.scan
    judges = np.unique(np.linspace(0, scan.M - 1, min(JUDGES, scan.M)).astype(int))
    misfits = [one.misfit(scan, "amplitude", judges) for one in (plain, other)]
    return other if misfits[1] < TOLERATED * misfits[0] else plain


class _Stitching:
    """The patches of one scan, on their way to an object."""

    def __init__(self, model: PtychoPINN, scan: Scan, config: InferenceConfig) -> None:
        self.model, self.scan, self.batch = model, scan, config.batch_size
        self.photons, self.gain = scan.photons, _gain(model, scan)
        self.width = model.facts.width
        self.weight = centre(model.patch_weight, self.width).cpu()
        self.positions = torch.from_numpy(scan.positions - scan.canvas.origin)

    def patches(self) -> Iterator[tuple[slice, Tensor]]:
        """Predicted a batch at a time."""
        for first in range(0, self.scan.M, self.batch):
            some = slice(first, first + self.batch)
            measured = torch.from_numpy(self.scan.intensity[some]).to(self.model.device)
            patches = self.model(measured.unsqueeze(1), self.photons).squeeze(1)
            yield some, self.gain * centre(patches, self.width).cpu()

    def synchronised(self, parts: Parts) -> Reconstruction:
        """Patches brought to one phase, then averaged."""
        patches = torch.cat([p for _, p in parts]).numpy()
        phases = torch.from_numpy(patch_phases(patches, self.scan.positions, self.weight.numpy()))
        return self.plain((some, p * phases[some, None, None]) for some, p in parts)

    def plain(self, parts: Parts) -> Reconstruction:
        """Patches averaged as they are."""
        scan, shape = self.scan, self.scan.canvas.shape
        total, weights = torch.zeros(shape, dtype=torch.complex64), torch.zeros(shape)
        for some, patches in parts:
            values, cover = totals(patches, self.positions[some], shape, self.weight)
            total += values
            weights += cover
        return Reconstruction(
            object=_flat_elsewhere(divide(total, weights), weights).numpy(),
            coverage=illumination(torch.from_numpy(scan.probe), self.positions, shape).numpy(),
            probe=scan.probe,
            positions=scan.positions,
            origin=scan.canvas.origin,
            pixel_size=scan.pixel_size,
            method="Network",
            state=State.DONE,
            name=scan.name,
        )


def _gain(model: PtychoPINN, scan: Scan) -> float:
    """The object's amplitude over what the network says of it, which sees every scan at one mean brightness.

    The share of the probe's photons that a pattern holds is the object's doing, so the gain is the
    root of this share over that of the training's scan.
    """
    brought, before = (float(intensity(probe.cpu()).sum()) for probe in (torch.from_numpy(scan.probe), model.probe))
    return math.sqrt(scan.photons / brought / (model.facts.photons / before))


def _flat_elsewhere(found: Tensor, weights: Tensor) -> Tensor:
    """FLAT with the mean phase of what was found where no patch speaks: zero would be opaque."""
    seen = weights > EMPTY * weights.max()
    mean = found[seen].mean()
    return torch.where(seen, found, FLAT * mean / mean.abs().clamp(min=1e-12))
