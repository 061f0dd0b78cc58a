"""The made-up experiment before a photon is counted: object, probe and path from a config, each from a stream of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.memory import memory
from ptycho_nb.metrics import overlap
from ptycho_nb.physics import expected_photons
from ptycho_nb.scan import MARGIN, Scan
from ptycho_nb.simulate.objects import OBJECTS
from ptycho_nb.simulate.paths import SCANS
from ptycho_nb.simulate.probes import simulate_probe

BATCH = 64  # patterns propagated at once
OBJECT, PATH, ERROR, NOISE = range(4)  # streams of the seed
Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Experiment:
    """What a scan is recorded of.

    Attributes
    ----------
    config : SimulationConfig
    truth : complex64, shape (H, W)
    true_probe, probe : complex64, shape (P, N, N)
        The one that is used and the one that is reported.
    true_positions, positions : float64, shape (M, 2)
        Where the probe is, and where the scan reports it to be (row, col) [px].
    mask : bool, shape (N, N)
        True outside the beamstop.
    """

    config: SimulationConfig
    truth: NDArray[np.complex64]
    true_probe: NDArray[np.complexfloating[Any, Any]]
    probe: NDArray[np.complexfloating[Any, Any]]
    true_positions: Real
    positions: Real
    mask: NDArray[np.bool_]

    @classmethod
    def of(cls, config: SimulationConfig) -> Experiment:
        """All of it.

        Raises
        ------
        InputError
            The probe does not fit its window, the object holds fewer than two positions, or the
            patterns do not fit the memory.
        """
        mask = simulate_mask(config)
        probes, positions = simulate_probe(config), simulate_positions(config)
        return cls(config, simulate_object(config), *probes, *positions, mask)

    def expected(self, which: ArrayLike) -> NDArray[np.float32]:
        """Photons (K, N, N) that these patterns hold on average, by ``physics.expected_photons``."""
        places = torch.from_numpy(self.true_positions[np.asarray(which)])
        with torch.no_grad():
            return np.asarray(expected_photons(torch.from_numpy(self.truth), torch.from_numpy(self.true_probe), places))

    def record(self, which: ArrayLike | None = None) -> Scan:
        """The scan with a Poisson draw of each pattern, or of these alone: the indices of two or more."""
        config = self.config
        chosen = np.arange(len(self.positions)) if which is None else np.asarray(which)
        return Scan(
            intensity=self._counted(chosen) * self.mask,
            positions=self.positions[chosen],
            probe=self.probe,
            truth=self.truth,
            true_probe=self.true_probe,
            true_positions=self.true_positions[chosen],
            mask=self.mask,
            pixel_size=config.pixel_size,
            name=f"{config.object}-{config.probe}-{config.seed}",
            notes=(f"Simulated: {config.object} seen through {config.probe} on a {config.scan} path, seed {config.seed}.",),
            metadata={"simulation": config.model_dump(mode="json"), "overlap": overlap(self.true_probe, self.true_positions[chosen])},
        )

    def _counted(self, chosen: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Poisson counts (K, N, N), a batch at a time."""
        draw = stream(self.config, NOISE)
        counts = np.empty((len(chosen), *self.probe.shape[1:]), dtype=np.float32)
        for start in range(0, len(chosen), BATCH):
            some = slice(start, start + BATCH)
            counts[some] = draw.poisson(self.expected(chosen[some]).astype(np.float64))
        return counts


def stream(config: SimulationConfig, number: int) -> np.random.Generator:
    """One of the four independent streams of the seed: a change of dose keeps the object."""
    return np.random.default_rng(np.random.SeedSequence(config.seed).spawn(4)[number])


def simulate_object(config: SimulationConfig) -> NDArray[np.complex64]:
    """Transmission (H, W): amplitude amplitude_min to 1, phase ±phase_range / 2."""
    amplitude, phase = OBJECTS[config.object]((config.height, config.width), stream(config, OBJECT))
    modulus = config.amplitude_min + (1 - config.amplitude_min) * amplitude
    return np.asarray(modulus * np.exp(1j * config.phase_range * (phase - 0.5)), dtype=np.complex64)


def simulate_positions(config: SimulationConfig) -> tuple[Real, Real]:
    """True and reported probe centres (M, 2), the path filling what the object allows for the patches of both.

    Raises
    ------
    InputError
        The object holds fewer than two positions, or the patterns do not fit the memory.
    """
    low = config.N // 2 + MARGIN + int(np.ceil(4 * config.position_error))
    rows, columns, step = config.height - 2 * low, config.width - 2 * low, (1 - config.overlap) * config.probe_diameter
    size = f"The object is {config.height} x {config.width} px"
    if min(rows, columns) < 0:
        raise InputError(f"{size}; with N = {config.N} each side needs at least {2 * low} px: raise height and width or lower N.")
    _fits_memory(config, round((rows / step + 1) * (columns / step + 1)))
    points = SCANS[config.scan]((rows, columns), step, config.jitter, stream(config, PATH))
    if len(points) < 2:
        raise InputError(f"{size}, which leaves room for one position {step:.3g} px from the next; raise height, width or overlap.")
    return low + points, _reported(low + points, config)


def simulate_mask(config: SimulationConfig) -> NDArray[np.bool_]:
    """True outside the beamstop (N, N)."""
    if config.beamstop >= config.N / 2:
        raise InputError(f"The beamstop has a radius of {config.beamstop:g} px and N = {config.N}; keep the radius below {config.N // 2}.")
    axis = np.arange(config.N) - config.N // 2
    return np.asarray(np.hypot(axis[:, None], axis) >= config.beamstop)


def _reported(true: Real, config: SimulationConfig) -> Real:
    """The positions with their error, held inside the object."""
    rim = config.N // 2 + MARGIN
    wrong = true + config.position_error * stream(config, ERROR).standard_normal(true.shape)
    return np.clip(wrong, rim, np.array([config.height, config.width]) - rim)


def _fits_memory(config: SimulationConfig, patterns: int) -> None:
    """Before anything is allocated: counts and their masked copy, the object's maps, the probe's modes."""
    pixels = 2 * patterns * config.N**2 + 12 * config.height * config.width + 64 * (config.probe_modes + 1) * config.N**2
    needed, free = 4 * pixels, memory().available
    if needed > free:
        raise InputError(
            f"{patterns} patterns of {config.N} x {config.N} need {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB of memory are free;"
            " lower height, width, overlap or N."
        )
