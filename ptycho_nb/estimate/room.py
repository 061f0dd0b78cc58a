"""How much main memory a run needs, from the arrays that it holds."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.machine import computes_in_bfloat16
from ptycho_nb.model.facts import lit_width
from ptycho_nb.network import NETWORKS, Size
from ptycho_nb.refinement import passes
from ptycho_nb.refinement.shifts import TERMS
from ptycho_nb.scan import Scan

REAL, COMPLEX = 4, 8  # bytes
CPU = torch.device("cpu")
OBJECTS = 12  # complex object arrays of a fit: its own with gradient and moments, those of its result, what is passing
VIEWS = 1600  # bytes a pattern: the two windows of a pattern on object and gradient
WAVES = 5  # complex arrays a pattern and mode in a step of the fit
PHYSICS = 24  # complex arrays a pattern in a step of the training, without the network
PASSING = 1.3  # times what a network keeps: what comes and goes between
OPTIMISER = {"sgd": 3, "adam": 6, "adamw": 6}  # times the weights: themselves, gradient, moments, what is passing
LIBRARIES = 32 << 20  # bytes: workspaces of transforms and products, and what an allocator keeps back


def memory_needed(
    scan: Scan,
    *,
    refinement: RefinementConfig | None = None,
    training: TrainingConfig | None = None,
    model: ModelConfig | None = None,
    data: DataConfig | None = None,
    inference: InferenceConfig | None = None,
) -> int:
    """Bytes of main memory that a run needs beside the scan, on the processor; on a GPU it needs less.

    Which run it is follows from the settings given, as for ``estimate``.
    """
    trains = any(config is not None for config in (training, model, data, inference))
    needs, kept = [0], 0
    if trains:
        training, model, inference = training or TrainingConfig(), model or ModelConfig(), inference or InferenceConfig()
        kept, learning = _training(scan, training, model, data or DataConfig())
        needs += [learning, kept + _stitching(scan, training, model, inference)]
    if refinement is not None or not trains:
        needs.append(kept + _iterative(scan, refinement or RefinementConfig()))
    return LIBRARIES + max(needs)


def _iterative(scan: Scan, config: RefinementConfig) -> int:
    """Bytes of an iterative fit: at its start the patterns twice, then once beside everything else."""
    N, modes = scan.N, config.probe_modes or len(scan.probe)
    patterns = scan.M * N**2 * REAL
    objects = OBJECTS * math.prod(scan.canvas.shape) * COMPLEX
    step = min(passes(config, scan).batch_size, scan.M) * N**2 * COMPLEX * (2 + WAVES * modes)
    series = TERMS**2 // 2 * N**2 * COMPLEX * (1 + 2 * modes)  # filters and fields, if half of the terms are needed
    return patterns + max(patterns, objects + step + series + scan.M * VIEWS)


def _training(scan: Scan, training: TrainingConfig, model: ModelConfig, data: DataConfig) -> tuple[int, int]:
    """Bytes that a trained network keeps, and those that its training takes."""
    network = _network(scan, training, model)
    patterns = max(training.batch_size // data.C, 1) * data.C
    held = network.held + PHYSICS * scan.N**2 * COMPLEX * max(1, len(scan.probe))
    return 3 * network.weights, OPTIMISER[training.optimizer] * network.weights + patterns * held


def _stitching(scan: Scan, training: TrainingConfig, model: ModelConfig, inference: InferenceConfig) -> int:
    """Bytes of a reconstruction: a batch of patterns, and all patches four times where they are brought to one phase."""
    batch = min(inference.batch_size, scan.M) * (_network(scan, training, model).held // 2 + 6 * scan.N**2 * COMPLEX)
    patches = 0 if inference.synchronise == "never" else 4 * scan.M * lit_width(scan.probe) ** 2 * COMPLEX
    return batch + patches + OBJECTS * math.prod(scan.canvas.shape) * COMPLEX


class _Network(NamedTuple):
    """Bytes of a network's weights, and those a pattern that it keeps for its gradient."""

    weights: int
    held: int


def _network(scan: Scan, training: TrainingConfig, model: ModelConfig) -> _Network:
    """What the network takes, counted in a step without numbers."""
    kept: dict[int, int] = {}
    own: set[int] = set()

    def keep(tensor: Tensor) -> Tensor:
        if id(tensor) not in own and tensor.ndim > 1 and tensor.shape[0] in (1, 2):
            kept[id(tensor.untyped_storage())] = tensor.numel() * tensor.element_size()
        return tensor

    rough = torch.autocast(CPU.type, torch.bfloat16, enabled=computes_in_bfloat16(training.precision, CPU), cache_enabled=False)
    with FakeTensorMode(), torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), rough:
        size = Size(scan.N, lit_width(scan.probe), model.hidden, model.n_filters_scale, model.amp_activation)
        network = NETWORKS[model.network](size)
        own |= {id(p) for p in network.parameters()}
        network(torch.empty(1, 2, scan.N, scan.N))
    weights = sum(p.numel() for p in network.parameters()) * REAL
    return _Network(weights, int(PASSING * sum(kept.values()) / 2))
