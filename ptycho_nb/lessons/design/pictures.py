"""A design and a forward model as figures with axes and units."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Circle
from numpy.typing import NDArray

from ptycho_nb.figures import Picture, domain_colours
from ptycho_nb.figures.colours import limits, phase_scale, photon_scale
from ptycho_nb.figures.picture import LABEL, LINES, SMALL, colour_bar, heading, image, scale_bar, title
from ptycho_nb.figures.scans import DIM
from ptycho_nb.lessons.design.plan import Design
from ptycho_nb.lessons.design.waves import Forward
from ptycho_nb.quantities import count, length_unit

FAINTEST = 0.01  # photons
CIRCLES = 4  # footprints drawn, of neighbours in the middle; more hide each other


def design_picture(plan: Design) -> Picture:
    """Where the light falls, the probe, and the pattern in the middle with and without photon noise."""
    picture = Picture(11.4, 9.4, name=f"design: {plan.M} patterns, overlap {100 * plan.overlap:.0f} %")
    (where, probe), (expected, counted) = picture.subplots(2, 2)
    _footprints(where, plan)
    image(probe, domain_colours(plan.experiment.true_probe[0]))
    N = plan.config.N
    probe.add_patch(Circle((N // 2, N // 2), plan.diameter / 2, fill=False, edgecolor="white", linestyle="--", linewidth=1.2))
    scale_bar(probe, plan.config.pixel_size)
    title(probe, f"Probe, 90 % within {plan.diameter:.1f} px; hue is phase", LABEL)
    scale = pattern_scale(plan)
    _pattern(expected, plan.expected, scale, "Expected in the middle")
    _pattern(counted, plan.counted, scale, "One measurement")
    heading(picture, f"{plan.M:,} patterns, overlap {100 * plan.overlap:.0f} %, {count(plan.config.nphotons)} photons each where clear")
    return picture


def forward_picture(seen: Forward) -> Picture:
    """Object under the probe, exit wave, pattern, and the phase that is lost, in a row."""
    row, column = seen.position
    picture = Picture(17.5, 3.9, name=f"forward model at ({row:.1f}, {column:.1f})")
    amplitude, phase, wave, pattern, lost = picture.subplots(1, 5)
    colour_bar(image(amplitude, np.abs(seen.patch), norm=limits(np.abs(seen.patch))), "amplitude")
    _phase(phase, np.angle(seen.patch))
    image(wave, domain_colours(seen.exit_wave))
    _pattern(pattern, seen.photons, photon_scale(seen.photons), "Pattern")
    _phase(lost, seen.lost)
    for axes, word in ((amplitude, "Object"), (phase, "Object"), (wave, "Exit wave; hue is phase"), (lost, "Far field: lost")):
        title(axes, word, LABEL)
    heading(picture, f"Probe at row {row:.1f}, column {column:.1f} px")
    return picture


def pattern_scale(plan: Design) -> LogNorm:
    """Of the pattern in the middle: down to a hundredth of a photon, where one measurement shows nothing."""
    scale = photon_scale(plan.expected[plan.experiment.mask])
    assert scale.vmin is not None
    assert scale.vmax is not None
    return LogNorm(max(scale.vmin, min(FAINTEST, scale.vmax / 100)), scale.vmax, clip=True)


def _footprints(axes: Axes, plan: Design) -> None:
    """The light on the object with the positions, axes in px or a unit of length."""
    fell, (top, left) = plan.light
    h, w = fell.shape
    pixel = plan.config.pixel_size
    unit, size = ("px", 1.0) if pixel is None else length_unit(pixel, max(h, w))
    extent = (size * (left - 0.5), size * (left + w - 0.5), size * (top + h - 0.5), size * (top - 0.5))
    colour_bar(axes.imshow(fell, cmap=DIM, extent=extent, vmin=0), "light on the object [photons/px]")
    rows, columns = size * plan.experiment.true_positions.T
    axes.scatter(columns, rows, c="white", s=min(14.0, 4000 / plan.M), linewidths=0)
    for number in plan.from_the_middle[:CIRCLES]:
        place = (columns[number], rows[number])
        axes.add_patch(Circle(place, size * plan.diameter / 2, fill=False, edgecolor=LINES[1], linewidth=1.4))
    axes.set_xlabel(f"column [{unit}]", fontsize=LABEL)
    axes.set_ylabel(f"row [{unit}]", fontsize=LABEL)
    axes.tick_params(labelsize=SMALL)
    title(axes, f"Step {plan.step:.1f} px, circles hold 90 % of the probe", LABEL)


def _pattern(axes: Axes, values: NDArray[Any], scale: LogNorm, word: str) -> None:
    colour_bar(image(axes, values, cmap="inferno", norm=scale), "photons a pixel")
    title(axes, f"{word}, {count(float(np.nansum(values)))} photons", LABEL)


def _phase(axes: Axes, values: NDArray[Any]) -> None:
    name, norm, ticks = phase_scale(values)
    colour_bar(image(axes, values, cmap=name, norm=norm), "phase [rad]", ticks)
