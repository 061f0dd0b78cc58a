"""Object, probe and positions, and what may be done to them.

References
----------
Thibault, Dierolf, Bunk, Menzel & Pfeiffer, Ultramicroscopy 109, 338 (2009), for the raster scan;
Fannjiang, Multiscale Model. Simul. 17, 973 (2019), arXiv:1810.00852, for all that is free on it and
what an irregular scan leaves free; ``Reconstruction.twin`` for the twin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ptycho_nb.errors import InputError

Complex = NDArray[np.complex128]
Real = NDArray[np.float64]
Whole = NDArray[np.integer[Any]]


class Guess(NamedTuple):
    """What is said to have made the patterns.

    Attributes
    ----------
    object : complex128, shape (H, W)
    probe : complex128, shape (N, N)
        [sqrt(photons)].
    positions : int, shape (M, 2)
        Probe centres (row, col) [px].
    rows_reversed : bool
        Whether the detector's rows are read from the other end.
    """

    object: Complex
    probe: Complex
    positions: Whole
    rows_reversed: bool = False


def amplitudes(guess: Guess) -> Real:
    """Square roots of the expected photons (M, N, N), zero frequency at ``[N // 2, N // 2]``.

    Raises
    ------
    InputError
        A patch does not lie on the object.
    """
    width = guess.probe.shape[-1]
    first = np.asarray(guess.positions) - width // 2
    if first.min() < 0 or (first + width > guess.object.shape).any():
        raise InputError(
            f"A patch of {width} px reaches beyond the object of {guess.object.shape}; keep positions half a patch off its edge."
        )
    patches = np.lib.stride_tricks.sliding_window_view(guess.object, (width, width))[first[:, 0], first[:, 1]]
    waves = patches * guess.probe  # the FFT of a wave in the middle differs from that of one at the corner in phase only
    far = np.abs(np.fft.fftshift(scipy.fft.fft2(waves, norm="ortho", overwrite_x=True), axes=(-2, -1)))
    return np.roll(far[:, ::-1], 1, axis=1) if guess.rows_reversed else far


def global_phase(guess: Guess, radians: float) -> Guess:
    """The object times exp(i·radians)."""
    return guess._replace(object=guess.object * np.exp(1j * radians))


def scale(guess: Guess, factor: float) -> Guess:
    """The object times a factor, the probe over it.

    Raises
    ------
    InputError
        The factor is 0 or not finite.
    """
    if not np.isfinite(factor) or factor == 0:
        raise InputError(f"The factor is {factor:g}; object and probe can be scaled by any finite number but 0.")
    return guess._replace(object=guess.object * factor, probe=guess.probe / factor)


def ramp(guess: Guess, pixels: tuple[float, float]) -> Guess:
    """A linear phase on the object and its inverse on the probe, whose beam on the detector moves the other way.

    Parameters
    ----------
    guess : Guess
    pixels : (row, col)
        By how much the object's ramp moves every pattern [detector px]; 2π/N rad a pixel of the object each.
    """
    width = guess.probe.shape[-1]
    on_object = _plane(guess.object.shape, pixels, width)
    return guess._replace(object=guess.object * on_object, probe=guess.probe / _plane(guess.probe.shape, pixels, width))


def translation(guess: Guess, shift: tuple[int, int]) -> Guess:
    """Object and probe moved together by whole pixels (row, col), the positions left; what leaves an edge comes in at the other.

    Exact while the probe keeps clear of the rim of its window.
    """
    return guess._replace(object=np.roll(guess.object, shift, (0, 1)), probe=np.roll(guess.probe, shift, (0, 1)))


def raster_grid(guess: Guess, step: int, strength: float) -> Guess:
    """The object times a function of the period ``step`` [px] either way, the probe over it.

    The same for every position only where all of them lie a whole number of steps apart.
    """
    first, half = guess.positions[0], guess.probe.shape[-1] // 2
    on_object = _periodic(guess.object.shape, (int(first[0]), int(first[1])), step, strength)
    return guess._replace(object=guess.object * on_object, probe=guess.probe / _periodic(guess.probe.shape, (half, half), step, strength))


def twin(guess: Guess) -> Guess:
    """Object and probe turned by 180° and conjugated, both position axes negated."""
    probe = np.roll(guess.probe[::-1, ::-1], 1, axis=(0, 1)).conj()  # about [N // 2, N // 2]
    ends = np.subtract(guess.object.shape, 1)
    return guess._replace(object=guess.object[::-1, ::-1].conj(), probe=probe, positions=ends - guess.positions)


def mirror(guess: Guess) -> Guess:
    """Object, probe and positions upside down, and the detector's rows read from the other end."""
    probe = np.roll(guess.probe[::-1], 1, axis=0)
    positions = np.stack([guess.object.shape[0] - 1 - guess.positions[:, 0], guess.positions[:, 1]], -1)
    return Guess(guess.object[::-1], probe, positions, not guess.rows_reversed)


def object_moved(guess: Guess, shift: tuple[int, int]) -> Guess:
    """The object alone moved by whole pixels: no ambiguity."""
    return guess._replace(object=np.roll(guess.object, shift, (0, 1)))


def object_conjugated(guess: Guess) -> Guess:
    """The object alone conjugated: no ambiguity."""
    return guess._replace(object=guess.object.conj())


def _plane(shape: tuple[int, ...], pixels: tuple[float, float], width: int) -> Complex:
    """exp(2πi (pixels · place) / width), counted from the middle."""
    down, across = (np.exp(2j * np.pi * p * (np.arange(n) - n // 2) / width) for p, n in zip(pixels, shape, strict=True))
    return np.asarray(down[:, None] * across)


def _periodic(shape: tuple[int, ...], origin: tuple[int, int], step: int, strength: float) -> Complex:
    """A function of period ``step`` either way, never zero: exp(strength (0.3 + 0.8i)(cos + cos))."""
    down, across = (np.cos(2 * np.pi * (np.arange(n) - o) / step) for n, o in zip(shape, origin, strict=True))
    return np.asarray(np.exp(strength * (0.3 + 0.8j) * (down[:, None] + across)))
