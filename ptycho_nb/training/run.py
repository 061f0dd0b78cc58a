"""Driving Lightning: from a scan and four configs to a ``Training``."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace

import lightning as L
import numpy as np
import torch

from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, TrainingConfig
from ptycho_nb.dataset import Loaders, loaders
from ptycho_nb.errors import ConfigError, InputError
from ptycho_nb.history import Control, Listener, Preview, State
from ptycho_nb.history.callback import History
from ptycho_nb.machine import device_label, pick_device
from ptycho_nb.model import PtychoPINN, ScanFacts
from ptycho_nb.scan import Scan
from ptycho_nb.training.callbacks import Limits, Position
from ptycho_nb.training.kernel import borrowed_kernel
from ptycho_nb.training.result import Standing, Training, copied

PREVIEW_LAYERS, PREVIEW_PATTERNS = 4, 1024  # patches over each pixel of the scanned field, on average, make a preview; at most so many


def train(
    scan: Scan,
    training: TrainingConfig | None = None,
    model: ModelConfig | None = None,
    data: DataConfig | None = None,
    inference: InferenceConfig | None = None,
    *,
    listener: Listener | None = None,
    control: Control | None = None,
    resume_from: Training | str | os.PathLike[str] | None = None,
    callbacks: Iterable[L.Callback] = (),
) -> Training:
    """Train a network to explain a scan's photons.

    The same seed and thread count give bitwise the same weights. Nothing is written, and the
    kernel's random state, threads and flags are left as they were. Stopped or interrupted, it
    returns what there is; a loss that is not finite ends it as diverged, with the weights before.

    Parameters
    ----------
    scan : Scan
    training, model, data, inference : configs
        Defaults where left out; of a resumed training, its own.
    listener : callable
        Called with the ``History`` in the running thread after each step and epoch.
    control : Control
        Stops and pauses, within one step.
    resume_from : Training or path
        Go on from there for ``training.epochs`` more epochs, or, left out, to the end it
        was planned for (as many again, if it got there).
    callbacks : Lightning callbacks
        Called after the history.

    Raises
    ------
    InputError
        The configs ask for what the scan or the resumed training cannot give, or the training
        to resume is of another scan.
    """
    began = time.monotonic()
    earlier = Training.load(resume_from) if isinstance(resume_from, str | os.PathLike) else resume_from
    history = History(listener, control)
    if earlier is None:
        module = PtychoPINN.for_scan(scan, model, data, training, inference)
        standing = Standing(planned=module.training_config.epochs)
    else:
        module, standing = _taken_up(earlier, scan, training, model, data, inference)
        history.take_up(earlier.history)
    device = pick_device(module.training_config.accelerator)
    history.device = device_label(device)
    batches = _loaders(scan, module, device.type)
    module.monitor = "train_loss" if batches.val is None else "val_loss"
    history.previewer = lambda: _preview(module, scan)
    with borrowed_kernel(history.control):
        standing = _run(module, batches, history, standing, list(callbacks))
    module.eval()
    seconds = time.monotonic() - began - history.waited + (earlier.seconds if earlier else 0.0)
    return Training(module, history, batches.train, batches.val, standing, seconds)


def _loaders(scan: Scan, module: PtychoPINN, device: str) -> Loaders:
    config = module.training_config
    supervised = config.objective == "supervised"
    return loaders(scan, module.data_config, batch_size=config.batch_size, seed=config.seed, truth=supervised, device=device)


def _taken_up(
    earlier: Training,
    scan: Scan,
    training: TrainingConfig | None,
    model: ModelConfig | None,
    data: DataConfig | None,
    inference: InferenceConfig | None,
) -> tuple[PtychoPINN, Standing]:
    """A copy of the earlier module under the new training config, and where it stands."""
    old = earlier.model
    for given, own in ((model, old.model_config), (data, old.data_config)):
        if given is not None and given != own:
            raise ConfigError(f"A resumed training keeps its {type(own).__name__}; leave it out, or train anew with the new one.")
    if (scan.N, len(scan.probe)) != (old.facts.N, old.facts.modes):
        raise InputError(
            f"The training to resume takes patterns of {old.facts.N} px and {old.facts.modes} probe modes, "
            f"not {scan.N} and {len(scan.probe)}; give the scan it was made on."
        )
    if ScanFacts.of(scan) != old.facts:
        raise InputError(f"{scan.name[:40]!r} is not the scan of the training to resume (of {old.facts.M} patterns); train on it anew.")
    if training is not None and training.seed != old.training_config.seed:  # it would hold out other patterns
        raise ConfigError(
            f"TrainingConfig.seed is {training.seed}; a resumed training keeps its seed {old.training_config.seed}: give it, or train anew."
        )
    standing = replace(earlier.standing, optimiser=copied(earlier.standing.optimiser))
    left = standing.planned - standing.epoch
    config = training or old.training_config.replace(epochs=left if left > 0 else old.training_config.epochs)
    if config.optimizer != old.training_config.optimizer:
        standing.optimiser = {}
    if config.batch_size != old.training_config.batch_size:
        standing.batches = 0
    module = PtychoPINN(old.model_config, old.data_config, config, inference or old.inference_config, facts=old.facts)
    module.load_state_dict(old.state_dict())
    standing.planned = standing.epoch + config.epochs
    return module, standing


def _run(module: PtychoPINN, batches: Loaders, history: History, standing: Standing, callbacks: list[L.Callback]) -> Standing:
    """Fit to the planned epoch: first the rest of a broken one, then the whole ones."""
    per_epoch = len(batches.train)
    total = standing.steps + (standing.planned - standing.epoch) * per_epoch - standing.batches
    limits = Limits(history, module.training_config, module.monitor)
    while standing.epoch < standing.planned:
        epochs = 1 if standing.batches else standing.planned - standing.epoch
        history.more_to_come = standing.epoch + epochs < standing.planned
        module.steps = (standing.steps, total)
        part = batches._replace(train=batches.train.resumed(standing.epoch, standing.batches))
        position = Position(standing, history, module.training_config.learning_rate)
        _fit(module, part, epochs, [history, position, limits, *callbacks])
        standing = position.standing(per_epoch)
        if history.state is not State.RUNNING:
            break
    return standing


def _fit(module: PtychoPINN, batches: Loaders, epochs: int, callbacks: list[L.Callback]) -> None:
    """One ``Trainer.fit``; Ctrl-C inside it ends it and nothing else."""
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator=batches.train.intensity.device.type,
        devices=1,
        default_root_dir=tempfile.gettempdir(),  # nothing is written there
        deterministic=True,
        gradient_clip_val=module.training_config.gradient_clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=callbacks,
    )
    try:
        trainer.fit(module, batches.train, batches.val)
    except SystemExit as error:  # what Lightning makes of a KeyboardInterrupt
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
    finally:
        module.zero_grad(set_to_none=True)
        module.trainer = None


def _preview(module: PtychoPINN, scan: Scan) -> Preview:
    """What the model makes of an even choice of patterns, few enough to cost no more than some steps."""
    field = np.prod(np.ptp(scan.positions, axis=0) + module.facts.width)
    enough = int(np.ceil(PREVIEW_LAYERS * field / module.facts.width**2))
    some = np.unique(np.linspace(0, scan.M - 1, min(scan.M, enough, PREVIEW_PATTERNS)).round().astype(int))
    canvas = scan.canvas
    positions = torch.from_numpy(scan.positions[some] - np.array(canvas.origin)).float().to(module.device)
    found = module.preview(torch.from_numpy(scan.intensity[some]), positions, canvas.shape)
    return Preview(found.cpu().numpy(), canvas.origin, scan.probe)
