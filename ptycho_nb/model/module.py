"""PtychoPINN: a network that learns to invert diffraction by having to explain the measured photons."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self, TypeVar

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from ptycho_nb.config import Config, DataConfig, InferenceConfig, ModelConfig, TrainingConfig
from ptycho_nb.dataset import Batch
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.files import shown
from ptycho_nb.losses import LOSSES, total_variation
from ptycho_nb.machine import computes_in_bfloat16
from ptycho_nb.model.facts import ScanFacts
from ptycho_nb.model.optimisers import OPTIMIZERS, SCHEDULES
from ptycho_nb.network import FLAT, Size, acquaint, build_network, centre, outline, surround
from ptycho_nb.patches import take, totals
from ptycho_nb.physics import diffract, intensity, root
from ptycho_nb.scan import Scan
from ptycho_nb.storage import Stored, check_fit, fill, read_tensors, write_tensors

AnyConfig = TypeVar("AnyConfig", bound=Config)

CHUNK = 512  # patterns looked at at once
GROUND = 5e-3  # weight of the flat object under the stitch, over the greatest of a patch


class PtychoPINN(L.LightningModule):
    """Learns to invert diffraction by having to explain the measured photons.

    Every group of overlapping patterns is given one object: the network's patches are
    stitched, weighted by the probe's intensity, and cut out again, so that they agree where
    they overlap.

    References
    ----------
    Hoidn, Mishra & Mehta, Sci. Rep. 13, 22789 (2023).
    """

    probe: Tensor
    believed: Tensor

    def __init__(
        self,
        model: ModelConfig,
        data: DataConfig,
        training: TrainingConfig,
        inference: InferenceConfig,
        *,
        facts: ScanFacts | Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.model_config, self.data_config = _config(ModelConfig, model), _config(DataConfig, data)
        self.training_config, self.inference_config = _config(TrainingConfig, training), _config(InferenceConfig, inference)
        self.facts = facts if isinstance(facts, ScanFacts) else ScanFacts(**facts)
        self.save_hyperparameters(self.settings())
        N = self.facts.N
        self.network = build_network(self.model_config.network, _size(self.model_config, self.facts), self.training_config.seed)
        self.register_buffer("probe", torch.zeros(self.facts.modes, N, N, dtype=torch.complex64))
        self.register_buffer("believed", torch.ones(N, N, dtype=torch.bool))
        self.loss = LOSSES[self.training_config.loss]
        self.monitor = "val_loss"  # what plateau watches; "train_loss" where nothing is held out
        self.steps: tuple[int, int] | None = None  # (done before this fit, in all): where the learning rate's course stands

    @classmethod
    def for_scan(
        cls,
        scan: Scan,
        model: ModelConfig | None = None,
        data: DataConfig | None = None,
        training: TrainingConfig | None = None,
        inference: InferenceConfig | None = None,
    ) -> Self:
        """An untrained model that knows the probe, the mask and the photons of a scan."""
        configs = (model or ModelConfig(), data or DataConfig(), training or TrainingConfig(), inference or InferenceConfig())
        module = cls(*configs, facts=ScanFacts.of(scan))
        module.probe.copy_(torch.from_numpy(scan.probe))
        module.believed.copy_(torch.from_numpy(scan.mask))
        acquaint(module.network, module.probe, *module._statistics(scan))
        return module

    def _statistics(self, scan: Scan) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (N, N) of the amplitudes of a scan, a chunk at a time."""
        total, squares = torch.zeros(2, scan.N, scan.N, dtype=torch.float64).unbind()
        for first in range(0, scan.M, CHUNK):
            amplitudes = self.amplitude(torch.from_numpy(scan.intensity[first : first + CHUNK])).double()
            total += amplitudes.sum(0)
            squares += amplitudes.square().sum(0)
        mean = total / scan.M
        return mean, (squares / scan.M - mean.square()).clamp(min=0).sqrt()

    def settings(self) -> dict[str, Any]:
        """Everything that rebuilds the module but its tensors, as plain JSON."""
        return {
            "model": self.model_config.model_dump(),
            "data": self.data_config.model_dump(),
            "training": self.training_config.model_dump(),
            "inference": self.inference_config.model_dump(),
            "facts": asdict(self.facts),
        }

    @property
    def patch_weight(self) -> Tensor:
        """How far a patch is to be believed at each pixel, float32 (N, N), at most 1: the probe's
        intensity where the network predicts, zero elsewhere."""
        lit = intensity(centre(self.probe, self.facts.width)).sum(0)
        return surround(lit / lit.max().clamp(min=1e-30), self.facts.N, 0.0)

    def forward(self, measured: Tensor, photons: float | None = None) -> Tensor:
        """Photons (B, C, N, N) to complex object patches (B, C, N, N); ``photons`` as for ``amplitude``."""
        rough = computes_in_bfloat16(self.training_config.precision, measured.device)
        with torch.autocast(measured.device.type, torch.bfloat16, enabled=rough):
            patches: Tensor = self.network(self.amplitude(measured, photons))
        return patches

    def amplitude(self, measured: Tensor, photons: float | None = None) -> Tensor:
        """Photons (..., N, N) to amplitudes of mean square one over the scan, as good as zero where the detector is not believed.

        The scan's patterns hold ``photons`` on average; it is the one of the training where none are told.
        """
        mean = self.facts.photons if photons is None else photons
        return root(torch.where(self.believed, measured, 0) * (self.facts.N**2 / mean))

    def agree(self, patches: Tensor, offsets: Tensor, canvas: tuple[int, int], count: int | None = None) -> Tensor:
        """The first ``count``, or all, of the patches (B, C, N, N) cut again from the one object on which a group agrees.

        Flat where no patch speaks.
        """
        if patches.shape[1] == 1:
            return patches
        weight = centre(self.patch_weight, self.facts.width)
        total, cover = totals(centre(patches, self.facts.width), offsets, canvas, weight)
        return take(_grounded(total, cover), offsets[:, :count], self.facts.N)

    def explain(self, batch: Batch, patches: Tensor | None = None) -> Tensor:
        """Photons (B, judged, N, N) that the predicted object would have scattered; ``patches`` where they are predicted already."""
        patches = self(batch.intensity) if patches is None else patches
        return diffract(self.agree(patches, batch.offsets, batch.canvas, batch.judged), self.probe)

    def misfit(self, batch: Batch) -> Tensor:
        """The loss of a batch, relative to the mean photons of a pixel: a scalar."""
        patches = self(batch.intensity)
        if self.training_config.objective == "supervised":
            misfit = self.distance_to_truth(patches, batch)
        else:
            seen = batch.intensity[:, : batch.judged]
            misfit = self.loss(self.explain(batch, patches), seen, batch.mask) * (self.facts.N**2 / self.facts.photons)
        if self.training_config.total_variation:
            misfit = misfit + self.training_config.total_variation * total_variation(centre(patches, self.facts.width))
        return misfit

    def distance_to_truth(self, patches: Tensor, batch: Batch) -> Tensor:
        """Squared distance to the known object, weighted by the probe, over the object's own square.

        One phase a group is free, as no photon tells it: min over θ of ||p - exp(iθ) t||² is
        ||p||² + ||t||² - 2 |<p, t>|.
        """
        if batch.truth is None:
            raise InputError("The batch brings no known object; train without supervision, or make the loaders with truth=True.")
        weight = self.patch_weight
        patches, truth = patches[:, : batch.judged], batch.truth[:, : batch.judged]
        own = (weight * intensity(truth)).sum((-3, -2, -1))
        shared = (weight * patches * truth.conj()).sum((-3, -2, -1)).abs()
        return (((weight * intensity(patches)).sum((-3, -2, -1)) + own - 2 * shared) / own).mean()

    def on_train_epoch_start(self) -> None:
        self.epoch_losses: list[Tensor] = []
        self.epoch_groups: list[int] = []

    @property
    def unit(self) -> float:
        """Times which ``misfit`` is what is told: the loss of a pixel in photons, as the iterative fit tells it."""
        return self.facts.photons / self.facts.N**2 if self.training_config.objective == "unsupervised" else 1.0

    def training_step(self, batch: Batch, _: int) -> dict[str, Tensor]:
        loss = self.misfit(batch)
        told = loss.detach() * self.unit
        self.epoch_losses.append(told)
        self.epoch_groups.append(len(batch.intensity))
        if self.trainer.is_last_batch:  # logging every step costs a twentieth of it
            weights = torch.tensor(self.epoch_groups, dtype=told.dtype, device=loss.device)
            mean = (torch.stack(self.epoch_losses) * weights).sum() / weights.sum()
            self.log("train_loss", mean, on_step=False, on_epoch=True, batch_size=1)
        return {"loss": loss, "train_loss": told}

    def validation_step(self, batch: Batch, _: int) -> None:
        self.log("val_loss", self.misfit(batch) * self.unit, batch_size=len(batch.intensity))

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The batch on the device: where it is there already, Lightning need not look for tensors in it."""
        return batch if batch.intensity.device == device else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser and the course of its learning rate, stepped after each step or, for plateau, each epoch."""
        config = self.training_config
        optimizer = OPTIMIZERS[config.optimizer](self.network.parameters(), config)
        if config.scheduler == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=3)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "interval": "epoch", "monitor": self.monitor}}
        before, total = self.steps or (0, int(self.trainer.estimated_stepping_batches))
        course = SCHEDULES[config.scheduler]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: course(before + step, total, config.warmup))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def preview(self, measured: Tensor, positions: Tensor, canvas: tuple[int, int], batch: int = 256) -> Tensor:
        """The object (H, W) that some patterns (M, N, N) at positions (M, 2) on the canvas give; flat elsewhere."""
        weight = centre(self.patch_weight, self.facts.width)
        total = torch.zeros(canvas, dtype=torch.complex64, device=self.device)
        cover = torch.zeros(canvas, device=self.device)
        with torch.no_grad():
            for some, at in zip(torch.split(measured, batch), torch.split(positions, batch), strict=True):
                patches = centre(self(some[:, None].to(self.device))[:, 0], self.facts.width)
                values, weights = totals(patches, at, canvas, weight)
                total, cover = total + values, cover + weights
        return _grounded(total, cover)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights, probe and settings to one safetensors file, whole or not at all."""
        write_tensors(path, "model", {f"model.{name}": tensor for name, tensor in self.state_dict().items()}, {"settings": self.settings()})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The module that ``save``, or a training's ``save``, wrote.

        Raises
        ------
        InputError
            Not such a file, one of another version, or its tensors do not fit its settings.
        """
        return cls.restore(read_tensors(path, "model", "training"), shown(path))

    @classmethod
    def restore(cls, stored: Stored, name: str) -> Self:
        """The module in a file's content; nothing is built before the settings are seen to fit the tensors."""
        tensors = stored.part("model")
        try:
            settings = dict(stored.head["settings"])
            facts, config = ScanFacts.stored(settings["facts"], tensors, name), _config(ModelConfig, settings["model"])
            shapes = {part: tensor.shape for part, tensor in outline(config.network, _size(config, facts)).state_dict().items()}
            check_fit(shapes, {part: tensor.shape for part, tensor in stored.part("model.network").items()}, name)
            module = cls(**{**settings, "facts": facts})
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError | ConfigError):
                raise
            raise InputError(f"{name} lacks settings of this ptycho_nb; save it with the same release.") from error
        fill(module, tensors, name)
        return module


def _grounded(total: Tensor, cover: Tensor) -> Tensor:
    """The weighted mean over a faint flat object; flat where next to nothing, or a negative lobe of the cubic kernel, covers it."""
    return FLAT + torch.where(cover > GROUND, (total - FLAT * cover) / (cover.clamp(min=0) + GROUND), 0)


def _size(config: ModelConfig, facts: ScanFacts) -> Size:
    return Size(facts.N, facts.width, config.hidden, config.n_filters_scale, config.amp_activation)


def _config(kind: type[AnyConfig], given: AnyConfig | Mapping[str, Any]) -> AnyConfig:
    """A config as it is, or made of its plain values."""
    return given if isinstance(given, kind) else kind(**dict(given))
