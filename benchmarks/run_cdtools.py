"""CDTools' FancyPtycho, by its Adam with step decay, on one scan, in an environment of its own.

    python run_cdtools.py SCAN.npz RESULT.npz --epochs 60

SCAN.npz and RESULT.npz hold what ``run_ptychi.py`` reads and writes. Equal freedom: one probe mode
from the same guess, positions, weights and background held. Run it on one thread.
"""

from __future__ import annotations

import argparse
import logging
import time

import numpy as np
import torch
from cdtools.datasets import Ptycho2DDataset
from cdtools.models import FancyPtycho

PIXEL, WAVELENGTH, DISTANCE = 1e-8, 1e-10, 1.0  # m; only their ratios matter here
EDGE = 4  # px round the object
SEED = 1  # of the order of the patterns
LOSSES = {"amplitude": "amplitude mse", "poisson": "poisson nll"}


def problem(intensity: np.ndarray, positions: np.ndarray, probe: np.ndarray, loss: str) -> tuple[Ptycho2DDataset, FancyPtycho]:
    """Data and model in its units, with our guess at the probe."""
    width = intensity.shape[-1]
    pitch = WAVELENGTH * DISTANCE / (width * PIXEL)
    geometry = {"distance": DISTANCE, "basis": np.array([[0, -pitch], [-pitch, 0], [0, 0]]), "corner": None}
    plane = np.array([[0, -PIXEL], [-PIXEL, 0], [0, 0]])  # what that makes of object pixels
    places = (positions @ plane.T).astype(np.float32)
    data = Ptycho2DDataset(places, torch.from_numpy(intensity), wavelength=WAVELENGTH, detector_geometry=geometry)
    model = FancyPtycho.from_dataset(data, n_modes=1, obj_padding=EDGE, plot_level=0, loss=LOSSES[loss])
    model.probe.data = torch.from_numpy(probe[:1]) / model.probe_norm
    for held in (model.translation_offsets, model.weights, model.background):
        if held is not None:
            held.requires_grad = False
    return data, model


def main() -> None:
    """Read, fit, write."""
    parser = argparse.ArgumentParser(description="CDTools' FancyPtycho on one scan.")
    parser.add_argument("scan")
    parser.add_argument("result")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--loss", choices=LOSSES, default="amplitude")
    parser.add_argument("--drop", type=float, default=0.1, help="factor on the learning rate over the last 40 %% of the epochs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    logging.disable(logging.WARNING)
    with np.load(arguments.scan) as read:
        intensity, positions, probe, shape = (read[k] for k in ("intensity", "positions", "probe", "shape"))
    data, model = problem(intensity.astype(np.float32), positions, probe.astype(np.complex64), arguments.loss)
    first = int(0.6 * arguments.epochs)
    began = time.perf_counter()
    for epochs, rate in ((first, 1.0), (arguments.epochs - first, arguments.drop)):
        for _ in model.Adam_optimize(epochs, data, lr=rate * arguments.learning_rate, batch_size=arguments.batch_size, thread=False):
            pass
    seconds = time.perf_counter() - began
    found = np.ones(tuple(shape), np.complex64)
    own = model.obj.detach().numpy()
    corner = np.round(positions.min(0)).astype(int) - intensity.shape[-1] // 2 - EDGE  # of its object on ours
    rows, columns = (np.arange(n) + at for n, at in zip(own.shape, corner, strict=True))
    keep = np.ix_((rows >= 0) & (rows < shape[0]), (columns >= 0) & (columns < shape[1]))
    found[rows[keep[0][:, 0]][:, None], columns[keep[1][0]]] = own[keep]
    light = (model.probe * model.probe_norm).detach().numpy()
    np.savez(arguments.result, object=found, probe=light.astype(np.complex64), seconds=seconds)


if __name__ == "__main__":
    main()
