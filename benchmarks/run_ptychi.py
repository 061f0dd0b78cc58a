"""Pty-Chi's Adam with step decay on one scan, in an environment of its own.

    python run_ptychi.py SCAN.npz RESULT.npz --epochs 60

SCAN.npz holds ``intensity`` (M, N, N) photons with zero frequency at the centre, ``positions``
(M, 2) probe centres (row, col) in pixels of the object, ``probe`` (P, N, N) and ``shape`` (H, W)
of the object. RESULT.npz gets ``object`` (H, W), ``probe`` (P, N, N), and ``seconds``, the time
of the epochs alone. Run it on one thread: ``OMP_NUM_THREADS=1``.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import time
import types
from typing import Any

import numpy as np
import torch


def library() -> tuple[Any, Any]:
    """Pty-Chi's options and task, also where torchvision is missing or does not fit torch.

    All it takes from torchvision is a blur that these fits never call.
    """
    try:
        importlib.import_module("torchvision.transforms")
    except (ImportError, RuntimeError, OSError):
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        package, transforms = types.ModuleType("torchvision"), types.ModuleType("torchvision.transforms")
        transforms.GaussianBlur = package.transforms = type("GaussianBlur", (), {})  # type: ignore[attr-defined]
        sys.modules.update({"torchvision": package, "torchvision.transforms": transforms})
    return importlib.import_module("ptychi.api"), importlib.import_module("ptychi.api.task")


def options(api: Any, probe: np.ndarray, arguments: argparse.Namespace) -> Any:
    """Adam, object and probe free, positions fixed; the amplitude error unless ``main`` sets another loss."""
    chosen = api.AutodiffPtychographyOptions()
    run = chosen.reconstructor_options
    run.num_epochs = arguments.epochs
    run.batch_size = arguments.batch_size
    run.default_device = api.Devices.CPU
    run.random_seed = 1
    run.loss_function = api.LossFunctions.MSE_SQRT
    chosen.object_options.pixel_size_m = 1e-8
    steps = (
        (chosen.object_options, arguments.learning_rate),
        (chosen.probe_options, arguments.learning_rate * float(np.abs(probe).max())),
    )
    for part, size in steps:
        part.optimizable = True
        part.optimizer = api.Optimizers.ADAM
        part.step_size = size
    chosen.probe_position_options.optimizable = False
    return chosen


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(description="Pty-Chi's Adam with step decay on one scan.")
    parser.add_argument("scan")
    parser.add_argument("result")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.02, help="of the object; the probe's is this times its maximum")
    parser.add_argument("--loss", choices=("amplitude", "poisson"), default="amplitude")
    parser.add_argument("--drop", type=float, default=0.1, help="factor on the learning rates over the last 40 %% of the epochs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    api, tasks = library()
    with np.load(arguments.scan) as data:
        intensity, positions, probe, shape = (data[k] for k in ("intensity", "positions", "probe", "shape"))
    width = intensity.shape[-1]
    probe = probe / width  # its FFT is not normalised
    centred = positions - np.round(shape / 2)
    task = tasks.PtychographyTask(
        options(api, probe, arguments),
        diffraction_data=intensity.astype(np.float32),
        object_data=np.ones((1, *shape), np.complex64),
        probe_data=probe[None].astype(np.complex64),
        probe_position_x_px=centred[:, 1].astype(np.float32),
        probe_position_y_px=centred[:, 0].astype(np.float32),
    )
    if arguments.loss == "poisson":  # by its option it would take the photons for their logarithms
        task.reconstructor.loss_function = torch.nn.PoissonNLLLoss(log_input=False)
    first = int(0.6 * arguments.epochs)
    began = time.perf_counter()
    for epoch in range(arguments.epochs):
        if epoch == first:
            for part in (task.object, task.probe):
                for group in part.optimizer.param_groups:
                    group["lr"] *= arguments.drop
        task.run(1)
    seconds = time.perf_counter() - began
    found = np.asarray(task.get_data_to_cpu("object", as_numpy=True))[0]
    light = np.asarray(task.get_data_to_cpu("probe", as_numpy=True))[0] * width
    np.savez(arguments.result, object=found.astype(np.complex64), probe=light.astype(np.complex64), seconds=seconds)


if __name__ == "__main__":
    main()
