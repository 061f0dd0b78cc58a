"""From a trained network to the object: patches of all patterns, one phase, one streamed stitch."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ptycho_nb.config import InferenceConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import State
from ptycho_nb.machine import borrowed_threads
from ptycho_nb.model import PtychoPINN
from ptycho_nb.network import centre
from ptycho_nb.patches import divide, totals
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.synchronise import patch_phases

JUDGES = 256  # patterns, evenly over the scan, that decide whether synchronised phases are kept


def reconstruct(model: PtychoPINN, scan: Scan, inference: InferenceConfig | None = None) -> Reconstruction:
    """The object that the network sees in the patterns of a scan, and the scan's probe.

    Patches are predicted a batch at a time and added to one canvas, so that memory grows
    with the object and not with the patches; only a synchronisation of phases keeps them
    all at once.

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
    oriented = scan.oriented(transpose=config.transpose, flip_rows=config.flip_rows, flip_columns=config.flip_columns)
    training = model.training
    model.eval()
    try:
        with borrowed_threads(), torch.inference_mode():
            stitching = _Stitching(model, oriented, config)
            best = _accepted(stitching, oriented, config)
    finally:
        model.train(training)
    settings = {**model.settings(), "inference": config.model_dump(mode="json")}
    return best.replace(seconds=time.monotonic() - began, settings=settings)


def _accepted(stitching: _Stitching, scan: Scan, config: InferenceConfig) -> Reconstruction:
    """The stitch as it is or with synchronised phases: as asked, or the one that explains the photons better."""
    if config.synchronise == "always":
        return stitching.synchronised()
    plain = stitching.plain()
    if config.synchronise == "never":
        return plain
    other = stitching.synchronised()
    judges = np.unique(np.linspace(0, scan.M - 1, min(JUDGES, scan.M)).astype(int))
    misfits = [one.misfit(scan, "amplitude", judges) for one in (plain, other)]
    return other if misfits[1] < misfits[0] else plain


class _Stitching:
    """The patches of one scan, on their way to an object."""

    def __init__(self, model: PtychoPINN, scan: Scan, config: InferenceConfig) -> None:
        self.model, self.scan, self.config = model, scan, config
        self.width = model.facts.width
        self.weight = centre(model.patch_weight, self.width)
        if config.weight == "uniform":
            self.weight = (self.weight > 0).to(self.weight.dtype)
        self.positions = torch.from_numpy(scan.positions - scan.canvas.origin)

    def patches(self) -> Iterator[tuple[slice, Tensor]]:
        """Which patterns, and their patches (B, width, width)."""
        for first in range(0, self.scan.M, self.config.batch_size):
            some = slice(first, first + self.config.batch_size)
            measured = torch.from_numpy(self.scan.intensity[some]).to(self.model.device)
            yield some, centre(self.model(measured.unsqueeze(1)).squeeze(1), self.width)

    def plain(self) -> Reconstruction:
        """Patches averaged as they are."""
        return self._stitch(self.patches())

    def synchronised(self) -> Reconstruction:
        """Patches brought to one phase first."""
        parts = list(self.patches())
        patches = torch.cat([p for _, p in parts]).cpu().numpy()
        phases = torch.from_numpy(patch_phases(patches, self.scan.positions, self.weight.cpu().numpy()))
        return self._stitch((some, p * phases[some, None, None].to(p.device)) for some, p in parts)

    def _stitch(self, parts: Iterator[tuple[slice, Tensor]]) -> Reconstruction:
        shape = self.scan.canvas.shape
        total = torch.zeros(shape, dtype=torch.complex64)
        coverage = torch.zeros(shape)
        weight = self.weight.cpu()
        for some, patches in parts:
            values, weights = totals(patches.cpu(), self.positions[some], shape, weight)
            total += values
            coverage += weights
        photons = float(np.sum(np.abs(self.scan.probe) ** 2)) / float(weight.sum())
        return Reconstruction(
            object=divide(total, coverage).numpy(),
            coverage=coverage.clamp(min=0).numpy() * np.float32(photons),
            probe=self.scan.probe,
            positions=self.scan.positions,
            origin=self.scan.canvas.origin,
            pixel_size=self.scan.pixel_size,
            method="Network",
            state=State.DONE,
            name=self.scan.name,
        )
