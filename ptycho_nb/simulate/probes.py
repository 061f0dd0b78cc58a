"""Made-up probes: a shape ``(config, size) -> complex (P, N, N)``, then size, modes and photons.

``size`` is the radius [px] of the disc, of 90 % of the Gaussian, or of the blur of the lens
by ray optics. It is solved so that all modes together hold 90 % of their energy within
``config.probe_diameter``; modes are made orthogonal and their powers decay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.metrics import probe_diameter
from ptycho_nb.physics import near_field

ComplexArray = NDArray[np.complexfloating[Any, Any]]
FloatArray = NDArray[np.floating[Any]]

WIDEST = 0.6  # of the window: what the probe's diameter may be
SPILL = 0.02  # share of the energy that may lie beyond these rims
WINDOW_RIM, DETECTOR_RIM = 0.95, 0.9  # radius over N / 2; the rest of the detector is for what the object scatters
TOLERANCE = 0.05  # px


def disk(config: SimulationConfig, size: float) -> ComplexArray:
    """A round pinhole, its edge one pixel soft (Gaussian), in a beam whose wavefront curves by ``defocus`` waves at the rim."""
    y, x = _grid(config.N)
    disc = gaussian_filter(np.clip(size + 0.5 - np.hypot(y, x), 0, 1), 1.0, mode="constant")
    return _hermite(disc * _curved(config, size), config.probe_modes, y / size, x / size)


def gaussian(config: SimulationConfig, size: float) -> ComplexArray:
    """A Gaussian beam, out of its waist by ``defocus`` waves at the radius of 90 %: Hermite-Gauss modes."""
    y, x = _grid(config.N)
    waist = size * np.sqrt(2 / np.log(10))  # |E|² = exp(-2 r²/w²) holds 90 % within w·sqrt(ln(10) / 2)
    beam = np.exp(-(y**2 + x**2) / waist**2)
    return _hermite(beam * _curved(config, size), config.probe_modes, y / waist, x / waist)


def zone_plate(config: SimulationConfig, size: float) -> ComplexArray:
    """A lens with a central stop, out of focus: the inverse far field of its pupil.

    The pupil's phase is 2π·(defocus ρ² + astigmatism ρ² cos 2θ + coma ρ³ cos θ), in waves at
    the rim ρ = 1. Its edges are soft over a tenth of its radius, which keeps the probe's far
    tails low.

    References
    ----------
    Born & Wolf, *Principles of Optics*, 7th ed., sec. 9.2 (primary aberrations); Attwood,
    *Soft X-rays and Extreme Ultraviolet Radiation*, ch. 9 (zone plates with a stop).
    """
    v, u = _grid(config.N) / lens_radius(config, size)
    rho, theta = np.hypot(v, u), np.arctan2(v, u)
    stop = _edge((rho - config.central_stop) / 0.1) if config.central_stop > 0 else 1.0
    waves = (config.defocus + config.astigmatism * np.cos(2 * theta)) * rho**2 + config.coma * rho**3 * np.cos(theta)
    pupil = _edge((1 - rho) / 0.1) * stop * np.exp(2j * np.pi * waves)
    return near_field(_hermite(pupil, config.probe_modes, v, u))


def lens_radius(config: SimulationConfig, size: float) -> float:
    """Radius of the pupil on the detector [px] of a lens whose blur has a radius of ``size`` px.

    A ray at the rim lands 2·N·defocus/radius px off the axis; diffraction adds about N/radius.
    """
    waves = abs(config.defocus) + abs(config.astigmatism) + abs(config.coma)
    return (2 * waves + 1) * config.N / size


def simulate_probe(config: SimulationConfig) -> tuple[ComplexArray, ComplexArray]:
    """The true probe and the one that the scan reports, complex64 (P, N, N) [sqrt(photons)].

    ``sum |probe|²`` over all modes is ``config.nphotons``. The reported one comes from the same
    optics with ``probe_error`` in the defocus.

    Raises
    ------
    InputError
        The probe fits neither the window nor the detector.
    """
    size = _solve(config)
    guess = config.model_copy(update={"defocus": config.defocus * (1 + config.probe_error)})
    true, reported = (np.sqrt(config.nphotons) * _unit_probe(c, size) for c in (config, guess))
    return true.astype(np.complex64), reported.astype(np.complex64)


def _solve(config: SimulationConfig) -> float:
    """The size that gives the diameter asked for: the diameter is nearly proportional to it."""
    N, wanted = config.N, config.probe_diameter
    if wanted > WIDEST * N:
        raise InputError(
            f"The probe is {wanted:g} px wide and its window N = {N}; at most {WIDEST * N:.0f} px fit: lower probe_diameter or raise N."
        )
    size = wanted / 2
    for _ in range(30):
        found = probe_diameter(_unit_probe(config, size))
        if abs(found - wanted) < TOLERANCE:
            break
        size *= float(np.clip(wanted / max(found, 0.1), 0.5, 2))
    probe = _unit_probe(config, size)
    found = probe_diameter(probe)
    detector = np.fft.fftshift(np.fft.fft2(probe, norm="ortho"), axes=(-2, -1))
    if _outside(detector, DETECTOR_RIM) > SPILL:
        raise InputError(
            f"A probe {wanted:g} px wide with these aberrations spreads over the whole detector: raise probe_diameter or lower defocus."
        )
    if abs(found - wanted) > 1 or _outside(probe, WINDOW_RIM) > SPILL:
        raise InputError(
            f"A probe {wanted:g} px wide with these rings and modes spills over its window, N = {N}: lower probe_diameter or raise N."
        )
    return size


def _unit_probe(config: SimulationConfig, size: float) -> ComplexArray:
    """Orthogonal modes of the shape, of energy 1 in all, their common centroid in the middle."""
    modes = PROBES[config.probe](config, size)
    P, N = len(modes), config.N
    basis, triangle = np.linalg.qr(modes.reshape(P, -1).T)
    power = config.mode_decay ** np.arange(P)
    factor = np.exp(1j * np.angle(np.diagonal(triangle))) * np.sqrt(power / power.sum())
    return _centred((basis * factor).T.reshape(P, N, N))


def _centred(probe: ComplexArray) -> ComplexArray:
    """The probe moved so that its centre of energy is at [N // 2, N // 2]."""
    y, x = _grid(probe.shape[-1])
    energy = (np.abs(probe) ** 2).sum(0)
    k = np.fft.fftfreq(probe.shape[-1])
    ramp = k[:, None] * (energy * y).sum() + k * (energy * x).sum()
    return np.fft.ifft2(np.fft.fft2(probe) * np.exp(2j * np.pi * ramp / energy.sum()))


def _outside(waves: ComplexArray, rim: float) -> float:
    """Share of the energy of waves (P, N, N) beyond ``rim`` half-widths from the middle."""
    y, x = _grid(waves.shape[-1])
    energy = (np.abs(waves) ** 2).sum(0)
    return float(energy[np.hypot(y, x) > rim * waves.shape[-1] / 2].sum() / energy.sum())


def _curved(config: SimulationConfig, size: float) -> ComplexArray:
    y, x = _grid(config.N) / size
    return np.asarray(np.exp(2j * np.pi * config.defocus * (y**2 + x**2)))


def _hermite(base: FloatArray | ComplexArray, count: int, y: FloatArray, x: FloatArray) -> ComplexArray:
    """The base times 1, y, x, y², yx, x², …: made orthogonal, a Gaussian gives the Hermite-Gauss modes."""
    orders = [(total - i, i) for total in range(count) for i in range(total + 1)]
    return np.stack([base * y**i * x**j for i, j in orders[:count]]).astype(np.complex128)


def _grid(N: int) -> FloatArray:
    """Row and column [px] from the middle: (2, N, N)."""
    return np.asarray(np.mgrid[:N, :N] - N // 2, dtype=np.float64)


def _edge(distance: FloatArray) -> FloatArray:
    """0 to 1 as the distance goes from -1 to 1, half a sine."""
    return np.asarray(0.5 + 0.5 * np.sin(np.pi / 2 * np.clip(distance, -1, 1)))


PROBES: dict[str, Callable[[SimulationConfig, float], ComplexArray]] = {"disk": disk, "gaussian": gaussian, "zone_plate": zone_plate}
