"""Checks of what the detector saw: centre, bad pixels, lost frames, dose, and the probe's window."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, rank_filter
from scipy.spatial import cKDTree

from ptycho_nb.checks.finding import Finding, Severity
from ptycho_nb.scan import Scan, located

Real = NDArray[np.float64]

OFF_CENTRE, FAR_OFF_CENTRE = 0.02, 0.1  # of N
WINDOW_RIM, SPILL = 0.9, 0.05  # half-widths of the window; share of the probe's energy beyond
HOT_RATIO, HOT_COUNTS = 8.0, 100.0  # over the second brightest neighbour; in the whole scan
DEAD_COUNTS = 50.0  # that the darkest side of the neighbourhood holds in the whole scan
PILE, PILE_SHARE = 20, 0.25  # pixels at the greatest value; over those within 10 % below it, many more in any tail
DARK_SHARE, DARK_PHOTONS = 0.03, 50.0  # of the median frame; below it empty frames are chance
DIMMER_THAN_BESIDE = 0.1  # of the median of the nearest frames: an opaque spot darkens those too
MASK_THEM = "mask them: scan.on_detector(mask=good_pixels(scan)), from ptycho_nb.checks"
LOW_DOSE = 500.0  # photons a pattern
DIMMEST, BRIGHTEST = 0.1, 1.5  # photons of a bright pattern over the probe's


def corner(scan: Scan) -> Finding | None:
    """The zero frequency lies at the corner of the array."""
    mean, N = _symmetric_mean(scan), scan.N
    middle = _distance(N) < N / 4
    corners = np.fft.fftshift(middle)
    if mean[corners].sum() < 2 * mean[middle].sum():
        return None
    share = mean[corners].sum() / mean.sum()
    return Finding(
        "corner", f"{share:.0%} of the photons lie at the corners of the pattern", 'load it with zero_frequency="corner"', Severity.SERIOUS
    )


def centre(scan: Scan) -> Finding | None:
    """The beam misses the middle of the detector."""
    if corner(scan):
        return None
    mean = _symmetric_mean(scan)
    axis = np.arange(scan.N) - scan.N // 2
    off = np.array([(mean.sum(1) * axis).sum(), (mean.sum(0) * axis).sum()]) / mean.sum()
    if np.abs(off).max() <= max(1.5, OFF_CENTRE * scan.N):
        return None
    row, column = scan.N // 2 + off
    return Finding(
        "centre",
        f"the beam is centred on pixel ({row:.1f}, {column:.1f}), not on ({scan.N // 2}, {scan.N // 2})",
        "give center= when loading; an off-centre beam puts a phase ramp on the object",
        Severity.WARNING if np.abs(off).max() > FAR_OFF_CENTRE * scan.N else Severity.NOTE,
    )


def window(scan: Scan) -> Finding | None:
    """The probe reaches the rim of its window."""
    share = spill(scan.probe)
    if share <= SPILL:
        return None
    return Finding(
        "window",
        f"{share:.0%} of the probe's energy lies at the rim of its window, N = {scan.N}",
        "bin the detector less, or use a narrower probe; if the probe is a guess, leave it out to have it estimated",
    )


def spill(probe: NDArray[np.complexfloating[Any, Any]]) -> float:
    """Share of the energy of the modes (P, N, N) beyond ``WINDOW_RIM`` of their window's half-width."""
    power = np.square(np.abs(probe)).sum(0, dtype=np.float64)
    return float(power[_distance(len(power)) > WINDOW_RIM * len(power) / 2].sum() / power.sum())


def hot(scan: Scan) -> Finding | None:
    """Pixels far above all that surrounds them: speckles of a probe smaller than its window are wider."""
    return _pixels("hot", _hot(scan), f"outshine their neighbours more than {HOT_RATIO:.0f} times", MASK_THEM)


def dead(scan: Scan) -> Finding | None:
    """Pixels that never count in the midst of others that do: dead ones, gaps, an unmasked beamstop."""
    return _pixels("dead", _dead(scan), "never count between others that do", MASK_THEM)


def good_pixels(scan: Scan) -> NDArray[np.bool_]:
    """The scan's mask (N, N) less the pixels that ``hot`` and ``dead`` find, for ``Scan.on_detector`` or ``load_scan``."""
    return np.asarray(scan.mask & ~_hot(scan) & ~_dead(scan))


def saturated(scan: Scan) -> Finding | None:
    """Counts that pile up at the greatest value."""
    top = float((scan.intensity.max(0) * scan.mask).max())
    if top < PILE:
        return None
    mask = np.asarray(scan.mask)
    at_top = int(((scan.intensity == top) & mask).sum())
    below = int(((scan.intensity >= 0.9 * top) & mask).sum()) - at_top
    if at_top < PILE or at_top < PILE_SHARE * below:
        return None
    return Finding(
        "saturated",
        f"{at_top} pixels stand at the greatest value, {top:.6g}, and only {below} within 10 % below it",
        "mask saturated pixels, or measure with a shorter exposure",
    )


def dropped(scan: Scan) -> Finding | None:
    """Frames that are empty, or far dimmer than the rest and than those measured beside them."""
    photons = _frames(scan)
    usual = float(np.median(photons))
    if usual < DARK_PHOTONS or scan.M < 2:
        return None
    beside = cKDTree(scan.positions).query(scan.positions, k=min(scan.M, 7))[1]
    dim = (photons < DARK_SHARE * usual) & (photons < DIMMER_THAN_BESIDE * np.median(photons[beside], axis=1))
    dark = dim | (photons == 0)
    if not dark.any():
        return None
    return Finding(
        "dropped",
        f"{located(dark)}, hold less than {DARK_SHARE:.0%} of the usual {usual:.3g} photons",
        "leave them out with scan.select, unless the object is opaque there",
    )


def dose(scan: Scan) -> Finding | None:
    """Very few photons."""
    if scan.photons >= LOW_DOSE:
        return None
    return Finding(
        "dose",
        f"a pattern holds {scan.photons:.3g} photons on average",
        "use the poisson loss and expect a noisy object; check that counts were not rescaled",
        Severity.NOTE,
    )


def energy(scan: Scan) -> Finding | None:
    """The probe's photons and the patterns' do not go together."""
    believed = _far_field_power(scan.probe)[scan.mask].sum()  # a beamstop hides some of it
    probe = float(np.square(np.abs(scan.probe)).sum(dtype=np.float64))
    bright = float(np.percentile(_frames(scan), 99))
    if DIMMEST * believed <= bright <= BRIGHTEST * probe:
        return None
    return Finding(
        "energy",
        f"the probe carries {probe:.3g} photons and bright patterns {bright:.3g}",
        'check quantity= ("counts" or "amplitude"), or leave the probe out to have it estimated',
    )


def _hot(scan: Scan) -> NDArray[np.bool_]:
    """Believed pixels (N, N) that outshine all but one of their neighbours."""
    total = _total(scan)
    around = np.ones((3, 3), dtype=bool)
    around[1, 1] = False
    second = rank_filter(total, -2, footprint=around, mode="nearest")
    return np.asarray((total > HOT_RATIO * second + HOT_COUNTS) & scan.mask)


def _dead(scan: Scan) -> NDArray[np.bool_]:
    """Believed pixels (N, N) that never count, others that do on all four sides."""
    total = _total(scan)
    light = np.minimum.reduce([maximum_filter(np.roll(total, s, a), size=3) for a in (0, 1) for s in (-2, 2)])
    return np.asarray((total == 0) & (light > DEAD_COUNTS) & scan.mask)


def _total(scan: Scan) -> Real:
    """Photons of the whole scan in each pixel (N, N), zero where masked."""
    return np.asarray(scan.intensity.sum(0, dtype=np.float64) * scan.mask)


def _frames(scan: Scan) -> Real:
    """Photons of each pattern (M,) in the believed pixels."""
    return np.asarray(np.einsum("mrc,rc->m", scan.intensity, np.asarray(scan.mask), dtype=np.float64))


def _symmetric_mean(scan: Scan) -> Real:
    """Mean pattern where a pixel and its mirror image are both believed."""
    mirrored = np.roll(np.asarray(scan.mask)[::-1, ::-1], 1, axis=(0, 1))
    return np.asarray(_total(scan) * mirrored / scan.M)


def _far_field_power(probe: NDArray[np.complexfloating[Any, Any]]) -> Real:
    """Photons of the empty beam on the detector (N, N), zero frequency at the centre."""
    waves = np.fft.fft2(probe.astype(np.complex128), norm="ortho")
    return np.asarray(np.fft.fftshift(np.square(np.abs(waves)).sum(0)))


def _distance(N: int) -> Real:
    axis = np.arange(N) - N // 2
    return np.asarray(np.hypot(axis[:, None], axis))


def _pixels(word: str, bad: NDArray[np.bool_], what: str, advice: str) -> Finding | None:
    if not bad.any():
        return None
    row, column = np.argwhere(bad)[0]
    count = f"{bad.sum()} detector pixels" if bad.sum() > 1 else "1 detector pixel"
    return Finding(word, f"{count}, first ({row}, {column}), {what}", advice)
