"""A figure that shows itself in a notebook and saves itself whole, and what all pictures share."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.image import AxesImage
from matplotlib.text import Text
from matplotlib_scalebar.scalebar import ScaleBar
from numpy.typing import NDArray

from ptycho_nb.errors import InputError, unknown
from ptycho_nb.files import StrPath, write_atomic

FORMATS = ("png", "pdf", "svg")
SCREEN_DPI, FILE_DPI = 100, 200
TITLE, LABEL, SMALL = 14, 12, 11  # pt; legible from the back of a lecture hall at the sizes used here
PAD = 0.08  # in, round each plot
LONGEST = 60  # characters of a foreign text
UNSEEN = "#e8e4da"  # where nothing was measured: no gray of the amplitude, no colour of the phase
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")  # Okabe & Ito: safe for colour-blind eyes
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))  # and never by colour alone

_drawing = threading.RLock()  # matplotlib's fonts and text parser are shared by all figures


class Picture(Figure):
    """A matplotlib figure of its own, apart from pyplot: it shows in a notebook and can be saved.

    Parameters
    ----------
    width, height : float
        In inches.
    name : str
        What it shows, in words; the text shown where pictures cannot be.
    """

    def __init__(self, width: float, height: float, *, name: str = "picture") -> None:
        super().__init__(figsize=(width, height), dpi=SCREEN_DPI, facecolor="white")
        FigureCanvasAgg(self)
        self.set_layout_engine("constrained", w_pad=PAD, h_pad=PAD)
        self.name = plain(name)

    def save(self, path: StrPath, *, inputs: Iterable[StrPath] = (), dpi: float = FILE_DPI) -> None:
        """Write as .png, .pdf with its fonts inside, or .svg; whole or not at all.

        Parameters
        ----------
        path : path
            One that exists is replaced.
        inputs : paths
            Files the picture was made from; they are never overwritten.
        dpi : float
            Dots per inch; of the images inside, where lines and text are drawn as such.

        Raises
        ------
        InputError
            No such format, or the file cannot be written.
        """
        suffix = Path(path).suffix.lower().removeprefix(".")
        if suffix not in FORMATS:
            raise InputError(unknown("picture format", suffix, FORMATS))
        write_atomic(path, lambda stream: self._write(stream, suffix, dpi), inputs=inputs)

    def _write(self, stream: BinaryIO, kind: str, dpi: float) -> None:
        width, height = self.get_size_inches()
        with _drawing, rc_context({"pdf.fonttype": 42}):  # TrueType: text in a PDF stays text
            if kind == "png":  # whole dots: the renderer cuts off the rest of one
                self.set_size_inches((round(width * dpi) + 0.01) / dpi, (round(height * dpi) + 0.01) / dpi)
            try:
                self.savefig(stream, format=kind, dpi=dpi)
            finally:
                self.set_size_inches(width, height)

    def png(self, dpi: float = SCREEN_DPI) -> bytes:
        """The picture as a PNG file."""
        stream = io.BytesIO()
        self._write(stream, "png", dpi)
        return stream.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        return f"<Picture: {self.name}>"


def plain(text: object) -> str:
    """Foreign text made fit to draw: one line, at most 60 characters, none that the font lacks."""
    known = get_font(findfont("DejaVu Sans")).get_charmap()
    kept = "".join(c if ord(c) in known and c.isprintable() else " " if c.isspace() else "?" for c in str(text))
    short = " ".join(kept.split())
    return short if len(short) <= LONGEST else short[: LONGEST - 1] + "…"


def literal(*texts: Artist) -> None:
    """Draw these texts as they stand: a ``$`` in a name is a dollar, not mathematics."""
    for text in texts:
        if isinstance(text, Text):
            text.set_parse_math(False)


def title(axes: Axes, text: str, size: float = TITLE) -> None:
    """A title over the axes, taken literally."""
    literal(axes.set_title(text, fontsize=size))


def heading(picture: Picture, text: str) -> None:
    """A title over the whole picture, taken literally."""
    literal(picture.suptitle(text, fontsize=TITLE + 1))


def quiet(axes: Axes) -> None:
    """A plot with labels one can read and no box."""
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def image(axes: Axes, values: NDArray[Any], *, cmap: str | Colormap = "gray", norm: Normalize | None = None) -> AxesImage:
    """An image without physical axes; NaN is drawn as unseen."""
    drawn = axes.imshow(np.ma.masked_invalid(values), cmap=cmap, norm=norm, interpolation="nearest")
    axes.set_facecolor(UNSEEN)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return drawn


def colour_bar(drawn: AxesImage, label: str, ticks: dict[float, str] | None = None, extend: Literal["neither", "both"] = "neither") -> None:
    """The scale of an image beside it, with its unit."""
    axes = drawn.axes
    bar = axes.figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02, extend=extend)
    bar.set_label(label, fontsize=LABEL)
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)
    if ticks:
        bar.set_ticks(list(ticks), labels=list(ticks.values()))


def scale_bar(axes: Axes, pixel_size: float | None, size: float = SMALL) -> None:
    """A bar of known length: in m, µm, nm …, or in px where the pixel size is unknown."""
    unit = {"units": "px", "dimension": "pixel-length"} if pixel_size is None else {"units": "m", "dimension": "si-length"}
    style = {"location": "lower left", "length_fraction": 0.25, "box_alpha": 0.75, "border_pad": 0.5, "font_properties": {"size": size}}
    axes.add_artist(ScaleBar(1 if pixel_size is None else pixel_size, **unit, **style))
