"""What an iterative fit begins with: room for every patch, an object, probe modes, patterns to judge by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.guess import WIDTH, guess_from
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import MARGIN, Canvas, Scan

DRIFT = 4  # degree of the polynomial that a drift follows
ASKED = 64  # patterns, at most, that tell whether a guess explains more than a flat object
SEED_POWER = 0.02  # of the first mode, given to each further mode at the start


@dataclass(frozen=True)
class Room:
    """The array on which the fit works: the result's canvas, widened until every patch has its place."""

    origin: tuple[int, int]
    shape: tuple[int, int]
    crop: tuple[slice, slice]  # the result's canvas in it
    canvas: Canvas  # the result's


def room(scan: Scan, config: RefinementConfig, positions: NDArray[np.float64], start: Reconstruction | None = None) -> Room:
    """Where every patch fits that begins at ``positions`` (M, 2), corrected ones included.

    The result gets the scan's canvas, or the start's where its positions lie elsewhere, as a twin's do.
    """
    rim = scan.N // 2 + MARGIN + (math.ceil(config.max_shift) if config.refine_positions else 0)
    elsewhere = start is not None and np.abs(positions - scan.positions).max() > scan.N / 2
    canvas = start.canvas if start is not None and elsewhere else scan.canvas
    origin, shape = canvas
    low = np.minimum(np.floor(positions.min(0)) - rim, origin).astype(int)
    high = np.maximum(np.ceil(positions.max(0)) + rim, np.add(origin, shape)).astype(int)
    first = np.subtract(origin, low)
    crop = tuple(slice(int(f), int(f) + n) for f, n in zip(first, shape, strict=True))
    return Room((int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1])), (crop[0], crop[1]), canvas)


def check_start(begin: Reconstruction, scan: Scan) -> None:
    """It is of this scan, as it lies now.

    Raises
    ------
    InputError
    """
    if begin.probe.shape[-1] != scan.N or len(begin.positions) != scan.M:
        raise InputError(
            f"The start is of {len(begin.positions)} patterns of width {begin.probe.shape[-1]}, the scan has {scan.M} of {scan.N}; "
            "give a reconstruction of this scan."
        )
    if not begin.matches(scan) and not begin.twin().matches(scan):
        raise InputError("The start's positions are not the scan's, as of a scan turned since; make the start anew from this scan.")


def settings_behind(begin: Reconstruction) -> dict[str, Any]:
    """What stands behind a start; of a network's, where its history tells them, the epochs that it was trained."""
    if begin.method != "Network" or begin.history is None:
        return begin.settings
    return {**begin.settings, "trained_epochs": begin.history.epochs}


def guessed(scan: Scan, config: RefinementConfig, patterns: NDArray[np.int64]) -> Reconstruction | None:
    """The network's guess from these patterns, where it is asked for and explains some of them better than a flat object does.

    A fit that is judged by pixels of all patterns begins flat: the guess would have seen them.

    Raises
    ------
    InputError
        It is asked for by name, and the scan is not of the width that the network knows.
    """
    if config.initial_object == "flat" or config.held_pixels or (config.initial_object == "auto" and scan.N != WIDTH):
        return None
    guess = guess_from(scan, patterns)
    some = patterns[:: math.ceil(len(patterns) / ASKED)]
    empty = guess.replace(object=np.ones_like(guess.object))
    bright = np.sqrt((scan.intensity[some] * scan.mask).sum() / max(float((empty.predicted(some) * scan.mask).sum()), 1e-30))
    flat = guess.replace(object=np.full_like(guess.object, bright))
    return guess if guess.misfit(scan, config.loss, some) < flat.misfit(scan, config.loss, some) else None


def first_of(begin: Reconstruction) -> str:
    """With what the fits began that led to a result: "flat" or "network"; "flat" too where they began with an object that was given."""
    stored = begin.settings.get("refinement")
    return str(stored.get("initial_object", "flat")) if isinstance(stored, dict) else "flat"


def start_object(space: Room, start: Reconstruction | None, config: RefinementConfig) -> NDArray[np.complex64]:
    """Flat, or the given reconstruction where it says something and flat with its mean phase elsewhere."""
    canvas = np.full(space.shape, config.start_amplitude, dtype=np.complex64)
    if start is None:
        return canvas
    seen = start.covered & (np.abs(start.object) > 0)
    mean = start.object[seen].mean() if seen.any() else 1.0
    canvas *= mean / max(abs(mean), 1e-12)
    given = np.where(seen, start.object, canvas.flat[0])
    shift = np.subtract(start.origin, space.origin)
    low = np.maximum(shift, 0)
    high = np.minimum(shift + given.shape, space.shape)
    here = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    there = tuple(slice(int(a), int(b)) for a, b in zip(low - shift, high - shift, strict=True))
    canvas[here] = given[there]
    return canvas


def start_probe(probe: NDArray[np.complex64], modes: int | None) -> NDArray[np.complex64]:
    """The probe with as many modes as asked for, the photons unchanged.

    Further modes are the first one times Hermite-like polynomials, made orthogonal.
    """
    count = modes or len(probe)
    if count == len(probe):
        return probe
    if count < len(probe):
        kept = by_power(probe)[:count]
    else:
        N = probe.shape[-1]
        axis = np.linspace(-1, 1, N)
        orders = sorted(((i, j) for i in range(6) for j in range(6)), key=lambda o: (sum(o), o))
        candidates = [probe[0] * axis[:, None] ** i * axis**j for i, j in orders[: count + len(probe)]]
        seeds = _orthogonal([*probe, *candidates])[len(probe) : count]
        power = SEED_POWER * np.sum(np.abs(probe[0]) ** 2)
        kept = np.concatenate([probe, np.stack(seeds) * np.sqrt(power)])
    return np.asarray(kept * np.sqrt(np.sum(np.abs(probe) ** 2) / np.sum(np.abs(kept) ** 2)), dtype=np.complex64)


def _orthogonal(fields: list[NDArray[np.complex64]]) -> list[NDArray[np.complex128]]:
    """Gram-Schmidt: unit fields, those that add nothing left out."""
    basis: list[NDArray[np.complex128]] = []
    for values in fields:
        rest = values.astype(np.complex128)
        whole = np.linalg.norm(rest)
        for one in basis:
            rest = rest - np.vdot(one, rest) * one
        if np.linalg.norm(rest) > 1e-6 * whole:
            basis.append(rest / np.linalg.norm(rest))
    return basis


def by_power(probe: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """The same incoherent illumination in orthogonal modes, the strongest first.

    Singular vectors of the modes as rows: sum over p of P_p P_p* is unchanged.

    References
    ----------
    Thibault & Menzel, Nature 494, 68 (2013), methods: diagonalisation of the mutual intensity.
    """
    if len(probe) == 1:
        return probe
    _, power, modes = np.linalg.svd(probe.reshape(len(probe), -1), full_matrices=False)
    return np.asarray((power[:, None] * modes).reshape(probe.shape), dtype=np.complex64)


def ways(positions: NDArray[np.float64], model: str) -> NDArray[np.float64] | None:
    """How all positions (M, 2) may move together, (M, K), each column at most one; None where each moves by itself.

    ``drift``: Legendre polynomials of the pattern's place in the scan, up to degree 4.
    ``affine``: one, and row and column over the scan's half width, which make scale, rotation and
    shear. The common shift is not in the data; without it the object would have to move instead.
    """
    if model == "free":
        return None
    if model == "drift":
        return np.asarray(np.polynomial.legendre.legvander(np.linspace(-1, 1, len(positions)), DRIFT), dtype=np.float64)
    centred = positions - (positions.max(0) + positions.min(0)) / 2
    return np.column_stack([np.ones(len(positions)), centred / max(float(np.abs(centred).max()), 1e-9)])


def support(share: float | None, N: int) -> NDArray[np.float32] | None:
    """One inside a circle of ``share`` of the window's width, zero outside, (N, N); None for no limit."""
    if share is None:
        return None
    axis = np.arange(N) - N // 2
    return np.asarray(np.hypot(axis[:, None], axis) <= share * N / 2, dtype=np.float32)


def held_out(scan: Scan, share: float, seed: int) -> NDArray[np.int64]:
    """Indices of patterns to judge by: a seeded draw among those with the nearest neighbours on all sides."""
    count = round(share * scan.M)
    if not count:
        return np.zeros(0, dtype=np.int64)
    neighbours = min(9, scan.M)
    distance = cKDTree(scan.positions).query(scan.positions, k=neighbours)[0][:, -1]
    well = np.flatnonzero(distance <= np.median(distance))
    chosen = np.random.default_rng([seed, 1]).choice(well, size=min(count, len(well)), replace=False)
    return np.sort(chosen).astype(np.int64)
