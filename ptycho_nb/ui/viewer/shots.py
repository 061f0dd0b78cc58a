"""What a viewer shows: images with their words, values and scales; and how they travel to the browser."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.font_manager import findfont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ptycho_nb.errors import InputError
from ptycho_nb.figures.picture import plain
from ptycho_nb.quantities import figures

WIDEST = 512  # px a side of what travels
STOPS = 24  # colours that stand for a colour map
HALF = 1e-3, 6e4  # greatest sizes between which half precision gives three figures, as the read-out does
SMALLEST, GAP, LINE = 256, 12, 20  # px in the static picture: a side, between images, a line of text
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Bar:
    """The colour scale beside an image.

    Attributes
    ----------
    colours : tuple of str
        From low to high, each as #rrggbb.
    low, high : float or str
        The values of the first and the last colour; a text stands as it is.
    unit : str
    """

    colours: tuple[str, ...]
    low: float | str
    high: float | str
    unit: str = ""

    @classmethod
    def of(cls, name: str, low: float | str, high: float | str, unit: str = "") -> Bar:
        """The scale of one of matplotlib's colour maps."""
        return cls(tuple(to_hex(colour) for colour in matplotlib.colormaps[name](np.linspace(0, 1, STOPS))), low, high, unit)

    @property
    def state(self) -> dict[str, Any]:
        """What the browser is told."""
        if not all(COLOUR.fullmatch(colour) for colour in self.colours):
            raise InputError(f"A bar's colours are {self.colours!r:.60}; each must be written as #rrggbb.")
        return {"colours": list(self.colours), "low": number(self.low), "high": number(self.high), "unit": self.unit}


@dataclass(frozen=True, eq=False)
class Shot:
    """One image of a viewer.

    Attributes
    ----------
    image : PIL.Image or uint8 array, shape (h, w) or (h, w, 3)
        It covers the viewer's whole field; decimated or not.
    title : str
        Short; the read-out names the values by it.
    words : str
        What the image shows, for those who do not see it.
    values : real array, shape (h', w'), optional
        What the read-out shows of the field; not finite where there is nothing.
    unit : str
        Of the values.
    bar : Bar, optional
    """

    image: Image.Image | NDArray[np.uint8]
    title: str
    words: str
    values: NDArray[Any] | None = None
    unit: str = ""
    bar: Bar | None = None

    @property
    def picture(self) -> Image.Image:
        """The image as PIL's.

        Raises
        ------
        InputError
            It is no image of bytes.
        """
        if isinstance(self.image, Image.Image):
            return self.image
        array = np.asarray(self.image)
        if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or not array.size:
            raise InputError(f"The image {self.title!r:.40} is {array.dtype} {array.shape}; it must be uint8 (h, w) or (h, w, 3).")
        return Image.fromarray(np.ascontiguousarray(array))

    @property
    def state(self) -> dict[str, Any]:
        """What the browser is told: words, and the whole field at no more than 512 px a side."""
        words = {"title": self.title, "words": self.words, "unit": self.unit, "bar": self.bar and self.bar.state}
        return words | self.part((0.0, 0.0, 1.0, 1.0))

    def part(self, box: tuple[float, float, float, float]) -> dict[str, Any]:
        """PNG and values of a part of the field, given as (top, left, bottom, right) in 0 to 1, at no more than 512 px a side."""
        found: dict[str, Any] = {"image": _png(_cut(self.picture, box)), "values": None, "size": [0, 0]}
        if self.values is not None:
            values = _sampled(np.asarray(self.values), box)
            largest = float(np.max(np.abs(values), where=np.isfinite(values), initial=0))
            kind = np.float16 if HALF[0] < largest < HALF[1] else np.float32
            found |= {"values": values.astype(kind).tobytes(), "size": list(values.shape)}
        return found


def number(value: float | str) -> str:
    """Three figures with a true minus; a text as it is."""
    return value if isinstance(value, str) else figures(value)


def side_by_side(shots: Sequence[Shot]) -> bytes:
    """The images beside each other under their titles, as PNG: what a saved notebook shows."""
    images = [_cut(shot.picture, (0.0, 0.0, 1.0, 1.0)).convert("RGB") for shot in shots]
    width, height = max((image.size for image in images), key=max)
    times = max(1, SMALLEST // max(width, height))  # small ones in whole multiples of their pixels, so that one sees them
    size = width * times, height * times
    page = Image.new("RGB", (len(images) * (size[0] + GAP) - GAP, size[1] + LINE), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.truetype(findfont("DejaVu Sans"), 13)
    for i, (shot, image) in enumerate(zip(shots, images, strict=True)):
        left = i * (size[0] + GAP)
        pen.text((left, 2), plain(shot.title), fill="black", font=font)
        page.paste(image.resize(size, Image.Resampling.NEAREST), (left, LINE))
    return _png(page)


def _cut(image: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """A part of an image as means over its pixels."""
    top, left, bottom, right = box[0] * image.height, box[1] * image.width, box[2] * image.height, box[3] * image.width
    step = max(bottom - top, right - left) / WIDEST
    if step <= 1:
        return image.crop((round(left), round(top), round(right), round(bottom)))
    size = max(round((right - left) / step), 1), max(round((bottom - top) / step), 1)
    smooth = image.convert("RGB") if image.mode == "P" else image
    return smooth.resize(size, Image.Resampling.BOX, box=(left, top, right, bottom))


def _sampled(values: NDArray[Any], box: tuple[float, float, float, float]) -> NDArray[Any]:
    """Some of the values of a part: samples, since means of a wrapped phase are wrong."""
    ends = [(round(low * n), round(high * n)) for low, high, n in zip(box[:2], box[2:], values.shape, strict=True)]
    step = max(1.0, max(high - low for low, high in ends) / WIDEST)
    places = []
    for low, high in ends:
        count = max(round((high - low) / step), 1)
        places.append(low + ((np.arange(count) + 0.5) * (high - low) / count).astype(int))
    return values[np.ix_(*places)]


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "png", compress_level=1)
    return stream.getvalue()
