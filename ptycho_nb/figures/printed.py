"""Pictures of the object at the exact widths of a journal's columns, in text of 7 pt."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from ptycho_nb.errors import InputError, unknown
from ptycho_nb.figures.picture import Picture, image, literal, scale_bar
from ptycho_nb.views import View

COLUMN, PAGE = 85.0, 170.0  # mm: one column, two columns
TALLEST = 220.0  # mm of an image, which a page still holds
TEXT = 7.0  # pt
INCH, POINT = 25.4, 25.4 / 72  # mm
RIM, GAP = 0.6, 3.0  # mm round the picture; between panels
LINE = 1.05 * TEXT * POINT  # mm
SPACE, BAR, TICK, PAD = 1.2, 2.2, 0.7, 0.5  # mm: from image to colour bar, its height, its ticks, from tick to number
INSET = 2.0  # mm that a colour bar is shorter at each end, so that its numbers stay inside
PARTS = ("amplitude", "phase")


class _Frame(NamedTuple):
    """Widths and heights [mm] of a row of panels."""

    width: float
    height: float
    image: tuple[float, float]
    panel: float
    foot: float


def printed(shown: View, *parts: str, width: float = COLUMN) -> Picture:
    """Amplitude, phase or both beside each other, each over its colour bar, with a scale bar.

    Parameters
    ----------
    shown : View
    parts : str
        "amplitude", "phase"; both where none is named.
    width : float
        Of the whole picture [mm].

    Raises
    ------
    InputError
        There is no such part, or the width is no width of a picture.
    """
    chosen = parts or PARTS
    frame = _frame(shown.shape, len(chosen), _checked(width))
    picture = _blank(frame.width, frame.height, f"{' and '.join(chosen)} of {shown.name}")
    for number, part in enumerate(chosen):
        left = RIM + number * (frame.panel + GAP) + (frame.panel - frame.image[0]) / 2
        drawn = _drawn(_axes(picture, left, frame.foot, *frame.image), shown, part)
        bar = _axes(picture, left + INSET, frame.foot - SPACE - BAR, frame.image[0] - 2 * INSET, BAR)
        _scale(picture, bar, drawn, shown, part)
        scale_bar(drawn.axes, shown.pixel_size, TEXT)
    return picture


def printed_image(shown: View, part: str, *, width: float = COLUMN) -> Picture:
    """The amplitude or the phase alone, edge to edge: no bar, no text.

    Raises
    ------
    InputError
        There is no such part, or the width is no width of a picture.
    """
    rows, columns = shown.shape
    picture = _blank(_checked(width), width * rows / columns, f"{part} of {shown.name}")
    _drawn(_axes(picture, 0, 0, width, width * rows / columns), shown, part)
    return picture


def _checked(width: float) -> float:
    if not 20 <= width <= 500:
        raise InputError(f"The picture is to be {width:.4g} mm wide; give 20 to 500: {COLUMN:g} is a column, {PAGE:g} a page.")
    return width


def _frame(shape: tuple[int, int], panels: int, width: float) -> _Frame:
    """What stands where: image, colour bar, its numbers, its label, from the top down."""
    panel = (width - 2 * RIM - (panels - 1) * GAP) / panels
    tall = min(panel * shape[0] / shape[1], TALLEST)
    foot = RIM + 2 * LINE + 2 * PAD + TICK + BAR + SPACE
    return _Frame(width, foot + tall + RIM, (tall * shape[1] / shape[0], tall), panel, foot)


def _blank(width: float, height: float, name: str) -> Picture:
    picture = Picture(width / INCH, height / INCH, name=name)
    picture.set_layout_engine("none")  # every place below is given
    return picture


def _axes(picture: Picture, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in mm from the lower left corner."""
    across, up = (side * INCH for side in picture.get_size_inches())
    return picture.add_axes((left / across, bottom / up, width / across, height / up))


def _drawn(axes: Axes, shown: View, part: str) -> AxesImage:
    if part not in PARTS:
        raise InputError(unknown("part of an object", part, PARTS))
    values, cmap, limits = (
        (shown.amplitude, shown.amplitude_map, shown.amplitude_limits)
        if part == "amplitude"
        else (shown.phase, shown.phase_map, shown.phase_limits)
    )
    drawn = image(axes, values, cmap=cmap, norm=Normalize(*limits))
    drawn.set_interpolation("auto")  # an image finer than the print is averaged, not thinned out
    drawn.set_interpolation_stage("rgba")  # in colours: the mean of the phases −π and π is not 0
    return drawn


def _scale(picture: Picture, axes: Axes, drawn: AxesImage, shown: View, part: str) -> None:
    """The colour bar with its numbers and its unit."""
    ticks = shown.phase_ticks if part == "phase" else None
    bar = picture.colorbar(drawn, cax=axes, orientation="horizontal", extend="neither" if ticks else "both", extendfrac=0.04)
    bar.set_label("Phase [rad]" if part == "phase" else "Amplitude", fontsize=TEXT, labelpad=PAD / POINT)
    literal(bar.ax.xaxis.label)
    bar.outline.set(linewidth=0.4, edgecolor="0.5")
    if ticks:
        bar.set_ticks(list(ticks), labels=list(ticks.values()))
    else:
        bar.locator = MaxNLocator(nbins=5, min_n_ticks=3, steps=[1, 2, 5, 10])
        bar.update_ticks()
    axes.tick_params(labelsize=TEXT, length=TICK / POINT, width=0.5, pad=PAD / POINT)
