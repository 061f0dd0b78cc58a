"""Pictures of the object: amplitude gray, phase in rad, beside each other, the truth or other methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike, NDArray

from ptycho_nb.config import ViewConfig
from ptycho_nb.errors import InputError
from ptycho_nb.figures.colours import limits, phase_scale, symmetric
from ptycho_nb.figures.picture import SMALL, Picture, colour_bar, heading, image, plain, scale_bar, title
from ptycho_nb.metrics import align, compare_aligned
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.views import View, view

AMPLITUDE, PHASE = "amplitude", "phase [rad]"


def object_pair(reconstruction: Reconstruction, config: ViewConfig | None = None) -> Picture:
    """Amplitude and phase of an object beside each other, as ``view`` gives them.

    Without a config: cut to what was well lit, contrast from the 0.1 to the 99.9 per cent point of
    the scanned region, the mean phase of that region, which is free, taken off.
    """
    return view_pair(view(reconstruction, config))


def view_pair(shown: View) -> Picture:
    """Amplitude and phase of a view beside each other."""
    picture = Picture(*_size(shown.shape, 1, 2, 2, widest=4.6), name=f"object of {shown.name}: amplitude and phase")
    left, right = picture.subplots(1, 2)
    amplitude_image(left, shown)
    phase_image(right, shown)
    for axes, word in ((left, "Amplitude"), (right, "Phase")):
        title(axes, word)
        scale_bar(axes, shown.pixel_size)
    heading(picture, f"{plain(shown.name)}: {plain(shown.method)}")
    return picture


def amplitude_image(axes: Axes, shown: View) -> None:
    """The amplitude of a view with its scale."""
    drawn = image(axes, shown.amplitude, cmap=shown.amplitude_map, norm=Normalize(*shown.amplitude_limits))
    colour_bar(drawn, AMPLITUDE, extend="both")


def phase_image(axes: Axes, shown: View) -> None:
    """The phase of a view with its scale in rad."""
    drawn = image(axes, shown.phase, cmap=shown.phase_map, norm=Normalize(*shown.phase_limits))
    colour_bar(drawn, PHASE, shown.phase_ticks, extend="neither" if shown.phase_ticks else "both")


def truth_comparison(reconstruction: Reconstruction, scan: Scan) -> Picture:
    """A reconstruction beside the known object, and the difference, over the scanned region.

    Phase, scale, ramp and shift, which the data leave free, are taken off first.

    Raises
    ------
    InputError
        The scan has no truth, or the reconstruction lies elsewhere.
    """
    pair = align(reconstruction.object, scan.truth_on(reconstruction.canvas), reconstruction.scanned)
    scores = compare_aligned(pair)
    turn = np.exp(-1j * np.angle(pair.truth.sum()))
    picture = Picture(*_size(pair.truth.shape, 2, 3, 2), name=f"{reconstruction.name} against the truth")
    rows = picture.subplots(2, 3)
    _column(rows[:, 0], pair.object * turn, pair.truth * turn, bar=False)
    _column(rows[:, 1], pair.truth * turn, pair.truth * turn)
    for axes, word in zip(rows[0, :2], (plain(reconstruction.method), "Truth"), strict=True):
        title(axes, word)
    differences = np.abs(pair.object) - np.abs(pair.truth), np.angle(pair.object * pair.truth.conj())
    for axes, left, unit, score in zip(rows[:, 2], differences, ("", " rad"), (scores.amplitude, scores.phase), strict=True):
        drawn = image(axes, left, cmap="PuOr", norm=symmetric(left))
        colour_bar(drawn, f"difference [{unit.strip()}]" if unit.strip() else "difference", extend="both")
        title(axes, f"SSIM {score.ssim:.3f}, MAE {score.mae:.3f}{unit}\nPSNR {score.psnr:.1f} dB", SMALL)
    scale_bar(rows[0, 0], reconstruction.pixel_size)
    heading(picture, f"{plain(reconstruction.name)} against the known object")
    return picture


def comparison(results: Mapping[str, Reconstruction], truth: ArrayLike | None = None) -> Picture:
    """Objects of one scan by several methods, a column each, on the same scales.

    All are aligned to the truth or, where there is none, to the last; cut to the scanned region.

    Parameters
    ----------
    results : mapping of str to Reconstruction
        Heading of the column -> what the method gave.
    truth : complex, shape (H, W), optional
        The known object, drawn as a last column.

    Raises
    ------
    InputError
        There is no result, or they lie on different canvases.
    """
    if not results:
        raise InputError("There is no reconstruction to compare; give at least one.")
    first = next(iter(results.values()))
    reference = np.asarray(truth) if truth is not None else list(results.values())[-1].object
    columns: dict[str, NDArray[Any]] = {_caption(n, r): align(r.object, reference, first.scanned).object for n, r in results.items()}
    if truth is not None:
        columns["Truth"] = reference[first.scanned]
    last = list(columns.values())[-1]
    turn = np.exp(-1j * np.angle(last.sum()))
    picture = Picture(*_size(last.shape, 2, len(columns), 1), name=f"{first.name}: {', '.join(results)}")
    rows = picture.subplots(2, len(columns), squeeze=False)
    for number, (name, found) in enumerate(columns.items(), 1):
        _column(rows[:, number - 1], found * turn, last * turn, bar=number == len(columns))
        title(rows[0, number - 1], name)
    scale_bar(rows[0, 0], first.pixel_size)
    heading(picture, plain(first.name))
    return picture


def _column(pair: NDArray[Any], found: NDArray[Any], scale_of: NDArray[Any], bar: bool = True) -> None:
    """Amplitude above phase, on the scales of another object."""
    drawn = image(pair[0], np.abs(found), norm=limits(np.abs(scale_of)))
    if bar:
        colour_bar(drawn, AMPLITUDE, extend="both")
    _phase(pair[1], np.angle(found), np.angle(scale_of), bar)


def _caption(name: str, result: Reconstruction) -> str:
    return f"{plain(name)}\n{result.seconds:.3g} s" if result.seconds else plain(name)


def _phase(axes: Axes, values: NDArray[Any], scale_of: NDArray[Any], bar: bool = True) -> None:
    cmap, norm, ticks = phase_scale(scale_of)
    drawn = image(axes, values, cmap=cmap, norm=norm)
    if bar:
        colour_bar(drawn, PHASE, ticks, extend="neither" if ticks else "both")


def _size(shape: tuple[int, ...], rows: int, columns: int, bars: int, widest: float = 3.7) -> tuple[float, float]:
    """Width and height [inches] of a table of images of this shape, with titles and so many columns that carry a bar."""
    ratio = shape[0] / shape[1]
    height = widest * min(max(ratio, 0.2), 1.2)
    width = min(widest, max(height / ratio, 2.2))
    return columns * (width + 0.1) + bars * 1.15, rows * (height + 0.45) + 0.55
