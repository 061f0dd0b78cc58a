"""Pictures of what was measured: the probe, where it stood, what the detector saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.errors import InputError
from ptycho_nb.figures.colours import domain_colours, hues, phase_scale, photon_scale, symmetric
from ptycho_nb.figures.picture import (
    LABEL,
    LINES,
    SMALL,
    Picture,
    colour_bar,
    heading,
    image,
    plain,
    scale_bar,
    title,
)
from ptycho_nb.metrics import overlap, probe_diameter, r_factor, step
from ptycho_nb.quantities import count, length, length_unit
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

DIM = ListedColormap(np.repeat(np.linspace(0, 0.55, 256)[:, None], 3, 1), name="dim")  # positions stand out on it
CIRCLES = 4  # footprints drawn, of neighbours in the middle of the scan; more hide each other


def probe_picture(probe: ArrayLike, pixel_size: float | None = None, name: str = "Probe") -> Picture:
    """The modes of a probe, hue the phase and brightness the amplitude, with each one's share of the power.

    The circle holds 90 % of the energy of all modes.

    Parameters
    ----------
    probe : complex, shape (N, N) or (P, N, N)
    pixel_size : float, optional
        Width of an object pixel [m].
    """
    modes = np.asarray(probe)
    modes = modes[None] if modes.ndim == 2 else modes
    columns = min(len(modes), 4)
    rows = -(-len(modes) // columns)
    picture = Picture(3.9 * columns + 1.6, 3.9 * rows + 0.7, name=f"{name}: {len(modes)} modes")
    table = picture.subplots(rows, columns, squeeze=False)
    power = np.square(np.abs(modes)).sum((1, 2))
    for number, axes in enumerate(table.flat):
        if number >= len(modes):
            axes.set_axis_off()
            continue
        image(axes, domain_colours(modes[number]))
        title(axes, f"mode {number + 1}: {100 * power[number] / power.sum():.3g} % of {count(power.sum())} photons", LABEL)
    _footprint(table[0, 0], modes)
    scale_bar(table[0, 0], pixel_size)
    _phase_key(picture, table)
    heading(picture, f"{plain(name)}, 90 % within {probe_diameter(modes):.1f} px")
    return picture


def positions_picture(scan: Scan) -> Picture:
    """Where the probe stood, in order of time, over the light that fell; the overlap in words."""
    picture = Picture(8.2, 7, name=f"{scan.name}: positions")
    axes = picture.subplots()
    _positions(axes, scan)
    title(axes, _overlap_line(scan), LABEL)
    heading(picture, f"{plain(scan.name)}: {scan.M} positions, first dark, last yellow")
    return picture


def scan_picture(scan: Scan) -> Picture:
    """A scan at a glance: mean pattern, one pattern, probe, positions."""
    picture = Picture(11.4, 9.4, name=f"{scan.name} at a glance")
    (mean, one), (probe, where) = picture.subplots(2, 2)
    middle, mask = scan.middle, _believed(scan)
    for axes, pattern, word in (
        (mean, scan.intensity.mean(0), f"Mean of {scan.M} patterns"),
        (one, scan.intensity[middle], f"Pattern {middle}, {count(scan.intensity[middle][mask].sum())} photons"),
    ):
        _pattern(axes, pattern, scan)
        title(axes, word, LABEL)
    image(probe, domain_colours(scan.probe[0]))
    _footprint(probe, scan.probe)
    scale_bar(probe, scan.pixel_size)
    title(probe, f"Probe, 90 % within {probe_diameter(scan.probe):.1f} px", LABEL)
    _phase_key(picture, np.array([probe]))
    _positions(where, scan)
    title(where, _overlap_line(scan), LABEL)
    size = "pixel size unknown" if scan.pixel_size is None else f"pixel {length(scan.pixel_size)}"
    heading(picture, f"{plain(scan.name)}: {scan.M} x {scan.N} x {scan.N}, {size}")
    return picture


def patterns(scan: Scan, reconstruction: Reconstruction, which: ArrayLike = (0,)) -> Picture:
    """Patterns as measured, as the reconstruction predicts them, and what is left, a row each.

    The residual ``2 (sqrt I - sqrt y)`` is in units of the counting noise: photons alone leave
    about ±1.

    Parameters
    ----------
    scan : Scan
    reconstruction : Reconstruction
        Of that scan.
    which : ints
        Patterns, counted from 0.

    Raises
    ------
    InputError
        No such pattern.
    """
    chosen = np.atleast_1d(np.asarray(which))
    if chosen.dtype.kind not in "iu" or not chosen.size or ((chosen < 0) | (chosen >= scan.M)).any():
        raise InputError(f"There is no such pattern; give whole numbers in 0 to {scan.M - 1}.")
    measured, predicted = scan.intensity[chosen], reconstruction.predicted(chosen)
    picture = Picture(13.2, 3.9 * len(chosen) + 0.7, name=f"{scan.name}: patterns measured and predicted")
    table = picture.subplots(len(chosen), 3, squeeze=False)
    mask = _believed(scan)
    for row, number, y, expected in zip(table, chosen, measured, predicted, strict=True):
        scale = photon_scale(y[mask])
        for axes, values, word in ((row[0], y, f"Pattern {number}, measured"), (row[1], expected, "Predicted")):
            colour_bar(image(axes, np.where(mask, values, np.nan), cmap="inferno", norm=scale), "photons a pixel")
            title(axes, word, LABEL)
        left = np.where(mask, 2 * (np.sqrt(expected) - np.sqrt(y)), np.nan)
        colour_bar(image(row[2], left, cmap="PuOr", norm=symmetric(left)), "residual [σ of counting]", extend="both")
        title(row[2], f"Residual, R = {r_factor(expected, y, mask):.3f}" if y[mask].any() else "Residual of a dark pattern", LABEL)
    heading(picture, f"{plain(scan.name)}: {plain(reconstruction.method)}")
    return picture


def _pattern(axes: Axes, pattern: NDArray[Any], scan: Scan) -> None:
    mask = _believed(scan)
    values = np.where(mask, pattern, np.nan)
    colour_bar(image(axes, values, cmap="inferno", norm=photon_scale(pattern[mask])), "photons a pixel")


def _believed(scan: Scan) -> NDArray[np.bool_]:
    assert scan.mask is not None  # the door of Scan put one
    return scan.mask


def _positions(axes: Axes, scan: Scan) -> None:
    """Positions over the light that fell on the object, axes in px or a unit of length."""
    fell, (top, left) = light(scan)
    h, w = fell.shape
    unit, size = ("px", 1.0) if scan.pixel_size is None else length_unit(scan.pixel_size, max(h, w))
    extent = (size * (left - 0.5), size * (left + w - 0.5), size * (top + h - 0.5), size * (top - 0.5))
    drawn = axes.imshow(fell, cmap=DIM, extent=extent, vmin=0)
    colour_bar(drawn, "light on the object [photons/px]")
    rows, columns = size * scan.positions.T
    axes.scatter(columns, rows, c=np.arange(scan.M), cmap="viridis", s=min(24.0, 6000 / scan.M), linewidths=0)
    radius = size * probe_diameter(scan.probe) / 2
    for number in _middle(scan.positions, CIRCLES):
        row, column = size * scan.positions[number]
        axes.add_patch(Circle((column, row), radius, fill=False, edgecolor=LINES[1], linewidth=1.2))
    axes.set_xlabel(f"column [{unit}]", fontsize=LABEL)
    axes.set_ylabel(f"row [{unit}]", fontsize=LABEL)
    axes.tick_params(labelsize=SMALL)


def light(scan: Scan) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Photons that fell on each object pixel, probes laid at whole pixels, and the first pixel's position."""
    return light_of(scan.probe, scan.positions)


def light_of(probe: NDArray[Any], positions: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """The same of a probe (P, N, N) at positions (M, 2)."""
    N, places = probe.shape[-1], np.rint(positions)
    origin = places.min(0).astype(int) - N // 2
    power = np.square(np.abs(probe.astype(np.complex128))).sum(0)
    light = np.zeros(np.ptp(places, axis=0).astype(int) + N)
    for row, column in places.astype(int) - N // 2 - origin:
        light[row : row + N, column : column + N] += power
    return light, (int(origin[0]), int(origin[1]))


def _middle(positions: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """The positions nearest the middle of the scan."""
    distance = np.square(positions - (positions.min(0) + positions.max(0)) / 2).sum(1)
    return np.argsort(distance, kind="stable")[:count]


def _footprint(axes: Axes, probe: NDArray[Any]) -> None:
    """The circle round the centroid that holds 90 % of the energy."""
    power = np.square(np.abs(np.reshape(probe, (-1, *probe.shape[-2:])))).sum(0)
    row, column = (float((axis * power).sum() / power.sum()) for axis in np.indices(power.shape))
    axes.add_patch(Circle((column, row), probe_diameter(probe) / 2, fill=False, edgecolor="white", linestyle="--", linewidth=1.2))


def _overlap_line(scan: Scan) -> str:
    if scan.M < 2:
        return "one position, no overlap"
    return f"overlap {100 * overlap(scan.probe, scan.positions):.0f} % (step {step(scan.positions):.1f} px, circles hold 90 %)"


def _phase_key(picture: Picture, axes: NDArray[Any]) -> None:
    """The bar of hues; brightness is explained beside it."""
    ticks = phase_scale(np.array([np.pi]))[2]
    assert ticks is not None
    bar = picture.colorbar(ScalarMappable(Normalize(-np.pi, np.pi), hues()), ax=list(axes.flat), fraction=0.046, pad=0.02)
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.set_label("phase [rad]; brightness: amplitude", fontsize=LABEL)
    bar.ax.tick_params(labelsize=SMALL)
