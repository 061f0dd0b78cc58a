"""A simulated scan of which everything is known, what is done to its truth, and how like the truth the rest is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError, unknown
from ptycho_nb.lessons.ambiguities.guess import (
    Complex,
    Guess,
    Real,
    amplitudes,
    global_phase,
    mirror,
    object_conjugated,
    object_moved,
    ramp,
    raster_grid,
    scale,
    translation,
    twin,
)
from ptycho_nb.metrics import Aligned, Region, align, mae, ssim
from ptycho_nb.simulate import simulate_probe
from ptycho_nb.simulate.objects import OBJECTS

N, STEP, ROWS, COLUMNS = 64, 8, 7, 9  # px, px, positions
REACH = 8  # px that the probe may be moved in its window
JITTER = 2  # px either way
RIM = N // 2 + REACH + JITTER  # px from the outermost grid position to the object's edge
PHOTONS = 1e6  # a pattern where the object is clear
DIAMETER, TAPER = 24.0, 4.0  # px
PATHS = ("raster", "jittered")
SAME = 1e-6  # relative; two misfits nearer than that are one


@dataclass(frozen=True)
class Moves:
    """What is done to the true object and probe: nothing, as it stands.

    Attributes
    ----------
    phase : float
        Global phase of the object [rad].
    scale : float
        Of the object; the probe gets its inverse.
    ramp : float
        Along columns [detector px].
    shift : int
        Object and probe, to the right [px].
    grid : float
        Strength of the periodic function.
    twin, mirror : bool
    object_shift : int
        The object alone, to the right [px].
    conjugate : bool
        The object alone.
    """

    phase: float = 0.0
    scale: float = 1.0
    ramp: float = 0.0
    shift: int = 0
    grid: float = 0.0
    twin: bool = False
    mirror: bool = False
    object_shift: int = 0
    conjugate: bool = False

    def on(self, guess: Guess, step: int = STEP) -> Guess:
        """The guess with all of it done."""
        guess = raster_grid(guess, step, self.grid) if self.grid else guess
        guess = ramp(scale(global_phase(guess, self.phase), self.scale), (0.0, self.ramp))
        guess = object_moved(translation(guess, (0, self.shift)), (0, self.object_shift))
        guess = object_conjugated(guess) if self.conjugate else guess
        return self.turned(guess)

    def turned(self, guess: Guess) -> Guess:
        """The guess with twin and mirror done, as far as they are to be; each undoes itself."""
        guess = mirror(guess) if self.mirror else guess
        return twin(guess) if self.twin else guess


class Likeness(NamedTuple):
    """How like the truth an object is: SSIM of amplitude and phase, mean error of the phase [rad].

    The phase is compared as ``angle(object · conj(truth))``, unwrapped round the truth.
    """

    amplitude: float
    phase: float
    phase_error: float


def likeness(pair: Aligned) -> Likeness:
    """Of an object and the truth as they lie."""
    known = np.angle(pair.truth)
    phase = known + np.angle(pair.object * pair.truth.conj())
    return Likeness(ssim(np.abs(pair.object), np.abs(pair.truth)), ssim(phase, known), mae(phase, known))


@dataclass(frozen=True, eq=False)
class Experiment:
    """A simulated scan of which everything is known.

    Attributes
    ----------
    path : str
        "raster" or "jittered".
    truth : Guess
    photons : float64, shape (M, N, N)
        As measured: Poisson draws.
    region : (slice, slice)
        Rows and columns that were scanned.
    """

    path: str
    truth: Guess
    photons: Real
    region: Region

    @cached_property
    def measured(self) -> Real:
        """Square roots of the measured photons (M, N, N)."""
        return np.sqrt(self.photons)

    @cached_property
    def noise(self) -> float:
        """R of the truth itself: what the noise of the photons leaves."""
        return self.misfit(self.truth)

    def misfit(self, guess: Guess) -> float:
        """R = sum |sqrt I - sqrt y| / sum sqrt y over all pixels of all patterns."""
        return float(np.abs(amplitudes(guess) - self.measured).sum() / self.measured.sum())

    def as_it_is(self, guess: Guess) -> Likeness:
        """How like the truth the object is, nothing taken off."""
        pair = guess.object[self.region], self.truth.object[self.region]
        return likeness(Aligned(*pair, gain=1 + 0j, ramp=np.zeros(2), shift=np.zeros(2)))

    def aligned(self, guess: Guess) -> Aligned:
        """The object brought onto the truth: global phase, scale, ramp and shift taken off."""
        return align(guess.object, self.truth.object, self.region)


@lru_cache(maxsize=len(PATHS))
def experiment(path: str = "raster") -> Experiment:
    """The scan of the lesson: 63 patterns of 64 x 64, a photograph as amplitude and another as phase.

    Raises
    ------
    InputError
        There is no such path.
    """
    if path not in PATHS:
        raise InputError(unknown("path", path, PATHS))
    rng = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(np.arange(ROWS), np.arange(COLUMNS), indexing="ij"), -1).reshape(-1, 2) * STEP + RIM
    shape = ((ROWS - 1) * STEP + 2 * RIM + 1, (COLUMNS - 1) * STEP + 2 * RIM + 1)
    amplitude, phase = OBJECTS["picture"](shape, np.random.default_rng(2))
    picture = (0.25 + 0.75 * amplitude) * np.exp(3j * (phase - 0.5))
    moved = rng.integers(-JITTER, JITTER + 1, grid.shape)
    truth = Guess(picture, _probe(), grid + moved if path == "jittered" else grid)
    region = slice(RIM, shape[0] - RIM), slice(RIM, shape[1] - RIM)
    return Experiment(path, truth, rng.poisson(np.square(amplitudes(truth))).astype(np.float64), region)


def _probe() -> Complex:
    """A defocused lens's focus (N, N), faded to exactly zero ``REACH`` px and more inside the rim of its window."""
    found = simulate_probe(SimulationConfig(N=N, probe_diameter=DIAMETER))[0][0].astype(np.complex128)
    axis = np.arange(N) - N // 2
    end = N // 2 - REACH - 1
    inside = np.clip((end - np.hypot(axis[:, None], axis)) / TAPER, 0, 1)
    found *= np.sin(np.pi / 2 * inside) ** 2
    return np.asarray(found * np.sqrt(PHOTONS / np.sum(np.abs(found) ** 2)))
