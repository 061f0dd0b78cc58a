"""From the object under a probe to a pattern, step by step, and what the detector loses on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError, unknown
from ptycho_nb.physics import far_field, intensity, near_field, shift, whole_and_rest
from ptycho_nb.simulate import simulate_object

Complex = NDArray[np.complexfloating[Any, Any]]
Real = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Forward:
    """One pattern and all that it comes from.

    Attributes
    ----------
    position : (row, col)
        Of the probe's centre on the object [px].
    patch : complex, shape (N, N)
        The object in the probe's window, cut at whole pixels.
    probe : complex, shape (N, N)
        Moved by the rest of the position [sqrt(photons)].
    exit_wave : complex, shape (N, N)
        probe · patch.
    far_field : complex, shape (N, N)
        The wave on the detector, zero frequency at ``[N // 2, N // 2]``.
    photons : real, shape (N, N)
        |far_field|²: all that the detector counts.
    """

    position: tuple[float, float]
    patch: Complex
    probe: Complex
    exit_wave: Complex
    far_field: Complex
    photons: Real

    @property
    def lost(self) -> Real:
        """Phase of the far field (N, N) [rad]: no detector counts it."""
        return np.angle(self.far_field)


def forward(canvas: Complex, probe: Complex, position: tuple[float, float]) -> Forward:
    """The photons that one probe position gives, by the cut and the far field of ``physics.expected_photons``.

    Parameters
    ----------
    canvas : complex, shape (H, W)
        The object; element [r, c] is at position (r, c).
    probe : complex, shape (N, N)
        One coherent mode [sqrt(photons)].
    position : (row, col)
        Of the probe's centre [px].

    Raises
    ------
    InputError
        The probe's window leaves the object, or a shape does not fit.
    """
    canvas, probe = np.asarray(canvas), np.asarray(probe)
    if canvas.ndim != 2 or probe.ndim != 2 or probe.shape[0] != probe.shape[1]:
        raise InputError(f"The object has shape {canvas.shape} and the probe {probe.shape}; they must be (H, W) and (N, N), one mode.")
    N = len(probe)
    place = torch.tensor(position, dtype=torch.float64)[None]
    corner, rest = whole_and_rest(place, N)
    (row, column), moved = corner[0].tolist(), shift(torch.from_numpy(probe), rest[0].to(torch.from_numpy(probe).real.dtype))
    if min(row, column) < 0 or row + N > canvas.shape[0] or column + N > canvas.shape[1]:
        low, high = N // 2, [n - N // 2 for n in canvas.shape]
        raise InputError(
            f"The window round ({position[0]:.4g}, {position[1]:.4g}) leaves the object;"
            f" rows go from {low} to {high[0]}, columns from {low} to {high[1]}."
        )
    patch = torch.from_numpy(np.ascontiguousarray(canvas[row : row + N, column : column + N]))
    exit_wave = moved * patch
    detected = far_field(exit_wave)
    steps = (np.asarray(wave) for wave in (patch, moved, exit_wave, detected, intensity(detected)))
    return Forward((float(position[0]), float(position[1])), *steps)


def photons_of(wave: Complex) -> Real:
    """Photons (N, N) that a wave (N, N) behind the object gives on the detector."""
    return np.asarray(intensity(far_field(torch.from_numpy(np.ascontiguousarray(wave)))))


def with_phase(size: Complex | Real, phase: Real) -> Complex:
    """A wave of this modulus and this phase [rad]."""
    return np.abs(size) * np.exp(1j * np.asarray(phase))


def guessed(seen: Forward, guess: str, other: Forward | None = None) -> Complex:
    """The exit wave (N, N) that the counted amplitudes give with a guess of the lost phase; every guess gives the same pattern.

    Parameters
    ----------
    seen : Forward
    guess : str
        One of ``GUESSES``.
    other : Forward, optional
        Whose far-field phase is borrowed, for "other".

    Raises
    ------
    InputError
        There is no such guess, or no other wave to borrow from.
    """
    if guess not in GUESSES:
        raise InputError(unknown("guess of the phase", guess, GUESSES))
    if guess == "other" and other is None:
        raise InputError("A borrowed phase needs the wave that it comes from; give other=.")
    return near_field(with_phase(seen.far_field, GUESSES[guess](seen, other or seen)))


def exchanged(first: Complex, second: Complex) -> Complex:
    """The picture whose Fourier transform has the modulus of the first one's and the phase of the second one's.

    It resembles the second: where things are is written in the phase.

    References
    ----------
    Oppenheim & Lim, Proc. IEEE 69, 529 (1981).
    """
    one, two = (np.fft.fft2(np.asarray(picture)) for picture in (first, second))
    return np.asarray(np.fft.ifft2(with_phase(one, np.angle(two))))


def mixed(first: Complex, second: Complex) -> Complex:
    """The object with the amplitude of the first and the phase of the second."""
    return with_phase(first, np.angle(second))


def likeness(one: Complex | Real, other: Complex | Real) -> float:
    """Correlation of two arrays, in 0 to 1 for waves and -1 to 1 for real ones, whose mean is taken off first.

    A global phase of a wave does not count.
    """
    a, b = (np.asarray(v) - (0 if np.iscomplexobj(v) else np.mean(v)) for v in (one, other))
    product = np.vdot(a, b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-30)
    return float(abs(product)) if np.iscomplexobj(product) else float(product)


def two_objects(config: SimulationConfig) -> tuple[Complex, Complex]:
    """Two objects (H, W) of a kind, of this seed and of the next."""
    return simulate_object(config), simulate_object(config.replace(seed=config.seed + 1))


GUESSES: dict[str, Callable[[Forward, Forward], Real]] = {
    "true": lambda seen, _: seen.lost,
    "zero": lambda seen, _: np.zeros(seen.photons.shape),
    "random": lambda seen, _: np.random.default_rng(0).uniform(-np.pi, np.pi, seen.photons.shape),
    "other": lambda _, other: other.lost,
}
