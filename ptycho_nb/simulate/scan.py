"""The made-up experiment: object, probe and path from a config, and the photons they give."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.machine import memory
from ptycho_nb.metrics import overlap
from ptycho_nb.physics import expected_photons
from ptycho_nb.scan import MARGIN, Scan
from ptycho_nb.simulate.objects import OBJECTS
from ptycho_nb.simulate.paths import SCANS
from ptycho_nb.simulate.probes import simulate_probe

BATCH = 64  # patterns propagated at once
Complex = NDArray[np.complexfloating[Any, Any]]
Real = NDArray[np.float64]


def simulate_scan(config: SimulationConfig | None = None) -> Scan:
    """The scan that the experiment of ``config`` would record, its truth known.

    Patterns are Poisson draws of ``physics.expected_photons``; a pattern where the object is
    clear holds ``nphotons`` on average. Object, path, position error and noise draw from streams of
    their own, so a change of dose keeps the object. The global random state is left alone.

    Raises
    ------
    InputError
        The probe does not fit its window, the object holds fewer than two positions, or the
        patterns do not fit the memory.
    """
    config = config or SimulationConfig()
    object_rng, path_rng, error_rng, noise_rng = (np.random.default_rng(stream) for stream in np.random.SeedSequence(config.seed).spawn(4))
    mask = _mask(config)
    true_probe, probe = simulate_probe(config)
    true_positions = _positions(config, path_rng)
    truth = _object(config, object_rng)
    positions = _reported(true_positions, config, error_rng)
    return Scan(
        intensity=_photons(truth, true_probe, true_positions, noise_rng) * mask,
        positions=positions,
        probe=probe,
        truth=truth,
        true_probe=true_probe,
        true_positions=true_positions,
        mask=mask,
        pixel_size=config.pixel_size,
        name=f"{config.object}-{config.probe}-{config.seed}",
        notes=(f"Simulated: {config.object} seen through {config.probe} on a {config.scan} path, seed {config.seed}.",),
        metadata={"simulation": config.model_dump(mode="json"), "overlap": overlap(true_probe, true_positions)},
    )


def _object(config: SimulationConfig, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Transmission (H, W): amplitude amplitude_min to 1, phase ±phase_range / 2."""
    amplitude, phase = OBJECTS[config.object]((config.height, config.width), rng)
    modulus = config.amplitude_min + (1 - config.amplitude_min) * amplitude
    return np.asarray(modulus * np.exp(1j * config.phase_range * (phase - 0.5)), dtype=np.complex64)


def _positions(config: SimulationConfig, rng: np.random.Generator) -> Real:
    """True probe centres (M, 2), the path filling what the object allows for true and reported patches."""
    low = config.N // 2 + MARGIN + int(np.ceil(4 * config.position_error))
    rows, columns, step = config.height - 2 * low, config.width - 2 * low, (1 - config.overlap) * config.probe_diameter
    size = f"The object is {config.height} x {config.width} px"
    if min(rows, columns) < 0:
        raise InputError(f"{size}; with N = {config.N} each side needs at least {2 * low} px: raise height and width or lower N.")
    _fits_memory(config, round((rows / step + 1) * (columns / step + 1)))
    points = SCANS[config.scan]((rows, columns), step, config.jitter, rng)
    if len(points) < 2:
        raise InputError(f"{size}, which leaves room for one position {step:.3g} px from the next; raise height, width or overlap.")
    return low + points


def _reported(true: Real, config: SimulationConfig, rng: np.random.Generator) -> Real:
    """The positions with their error, held inside the object."""
    rim = config.N // 2 + MARGIN
    wrong = true + config.position_error * rng.standard_normal(true.shape)
    return np.clip(wrong, rim, np.array([config.height, config.width]) - rim)


def _mask(config: SimulationConfig) -> NDArray[np.bool_]:
    """True outside the beamstop (N, N)."""
    if config.beamstop >= config.N / 2:
        raise InputError(f"The beamstop has a radius of {config.beamstop:g} px and N = {config.N}; keep the radius below {config.N // 2}.")
    axis = np.arange(config.N) - config.N // 2
    return np.asarray(np.hypot(axis[:, None], axis) >= config.beamstop)


def _photons(truth: Complex, probe: Complex, positions: Real, rng: np.random.Generator) -> NDArray[np.float32]:
    """Poisson counts (M, N, N), a batch at a time."""
    canvas, modes = torch.from_numpy(truth), torch.from_numpy(probe)
    counts = np.empty((len(positions), *probe.shape[1:]), dtype=np.float32)
    with torch.no_grad():
        for start in range(0, len(positions), BATCH):
            some = slice(start, start + BATCH)
            expected = expected_photons(canvas, modes, torch.from_numpy(positions[some]))
            counts[some] = rng.poisson(expected.double().numpy())
    return counts


def _fits_memory(config: SimulationConfig, patterns: int) -> None:
    """Before anything is allocated: counts and their masked copy, the object's maps, the probe's modes."""
    pixels = 2 * patterns * config.N**2 + 12 * config.height * config.width + 64 * (config.probe_modes + 1) * config.N**2
    needed, free = 4 * pixels, memory().available
    if needed > free:
        raise InputError(
            f"{patterns} patterns of {config.N} x {config.N} need {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB of memory are free;"
            " lower height, width, overlap or N."
        )
