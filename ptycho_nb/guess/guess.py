"""A guess of the object in a tenth of a second, from a network that learned on simulated scans."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ptycho_nb.errors import InputError
from ptycho_nb.guess.coarse import CELL
from ptycho_nb.guess.glimpse import glimpse
from ptycho_nb.guess.network import GuessNet
from ptycho_nb.history import State
from ptycho_nb.machine import borrowed_threads, computes_in_bfloat16
from ptycho_nb.patches import illumination
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.storage import fill, read_tensors

KIND = "guess"  # what the file of weights says it is
WEIGHTS = Path(__file__).parent / "weights.safetensors"
WIDTH = 64  # N: what it learned on


def initial_guess(scan: Scan) -> Reconstruction:
    """The object as a network guesses it from one look at the patterns, to begin an iterative fit with.

    The look gives the amplitude from the brightness of the patterns, the slow phase from their
    centres of mass, and detail from the phase of the empty beam; the network, which learned on simulated scans of
    other objects under three kinds of probe, makes one object of them. It is rough:
    ``RefinementConfig(initial_object="network")`` begins a fit with it, where it explains the photons.

    Parameters
    ----------
    scan : Scan
        Patterns of 64 x 64 pixels.

    Returns
    -------
    Reconstruction
        Of method "Network", with the scan's probe and positions.

    Raises
    ------
    InputError
        The patterns have another width.
    """
    return guess_from(scan, np.arange(scan.M))


def guess_from(scan: Scan, chosen: NDArray[np.int64]) -> Reconstruction:
    """``initial_guess`` from some patterns, by index; the others are not looked at."""
    began = time.monotonic()
    if scan.N != WIDTH:
        raise InputError(
            f"The network learned on patterns of {WIDTH} x {WIDTH} pixels, these have {scan.N}; crop or bin them, or begin flat."
        )
    origin, (H, W) = scan.canvas
    with torch.no_grad(), borrowed_threads(1):
        seen = glimpse(scan, chosen)
        h, w = seen.maps.shape[1:]
        detail = np.zeros((1, 2, CELL * h, CELL * w), np.float32)
        detail[0, :, :H, :W] = seen.detail.real, seen.detail.imag
        network = weights(WEIGHTS)
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_in_bfloat16("auto", torch.device("cpu"))):
            amplitude, phase = network(torch.from_numpy(detail), torch.from_numpy(seen.maps)[None])
        object = torch.polar(amplitude.float().clamp(min=0), phase.float())[0, :H, :W].numpy()
        positions = torch.from_numpy(scan.positions[chosen] - origin)
        coverage = illumination(torch.from_numpy(scan.probe), positions, (H, W)).numpy()
    return Reconstruction(
        object=object,
        coverage=coverage,
        probe=scan.probe,
        positions=scan.positions,
        origin=origin,
        pixel_size=scan.pixel_size,
        method="Network",
        state=State.DONE,
        seconds=time.monotonic() - began,
        settings={"guess": {"network": "GuessNet"}},
        name=scan.name,
    )


@cache
def weights(path: Path) -> GuessNet:
    """The network with the weights in a file that the training program wrote."""
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, to be overwritten
        network = GuessNet()
    fill(network, {name: tensor.float() for name, tensor in read_tensors(path, KIND).tensors.items()}, path.name)
    return network.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
