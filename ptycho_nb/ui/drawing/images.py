"""Arrays as small pictures inside the page, each with a text for those who do not see it."""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray
from PIL import Image

from ptycho_nb.figures import Picture, domain_colours
from ptycho_nb.figures.colours import limits, phase_scale
from ptycho_nb.figures.picture import UNSEEN
from ptycho_nb.quantities import figures
from ptycho_nb.ui.drawing.markup import Markup, joined, tag

WIDEST = 256  # px
SHADES = 255  # of a colour map; the last of 256 is for what was not seen


def object_images(found: NDArray[np.complexfloating[Any, Any]], *, inside: tuple[slice, slice]) -> Markup:
    """Amplitude in gray and phase in colours of the scanned part of an object, at most 256 px wide.

    The mean phase, which is free, is taken off; contrast runs from the 0.1 to the 99.9 per cent point.

    Parameters
    ----------
    found : complex, shape (H, W)
    inside : (slice, slice)
        Its rows and columns that were scanned.
    """
    seen = found[inside]
    height, width = seen.shape
    small = shrunk(seen, WIDEST)
    small = small * np.exp(-1j * np.angle(small.sum()))
    amplitude, phase = np.abs(small), np.angle(small)
    gray = limits(amplitude)
    name, norm, _ = phase_scale(phase)
    size = f"{height} × {width} px"
    return joined(
        picture(coloured(amplitude, gray, "gray"), f"Amplitude, {_ends(gray)}", f"Object amplitude, {size}"),
        picture(coloured(phase, norm, name), f"Phase, {_ends(norm)} rad", f"Object phase, {size}"),
    )


def _ends(norm: Normalize) -> str:
    """What is drawn lowest and highest, in words."""
    return f"{figures(float(norm.vmin or 0))} to {figures(float(norm.vmax or 0))}"


def probe_image(probe: NDArray[np.complexfloating[Any, Any]]) -> Markup:
    """The strongest mode (P, N, N) of a probe: brightness its amplitude, hue its phase."""
    small = shrunk(probe[0], WIDEST // 2)
    colours = np.uint8(255 * np.clip(domain_colours(small), 0, 1))
    modes = "" if len(probe) == 1 else f", mode 1 of {len(probe)}"
    words = f"Probe{modes}, {probe.shape[-1]} px wide, amplitude as brightness"
    return tag("div", picture(Image.fromarray(colours), f"Probe{modes}: hue is phase", words), class_="pnb-probe")


def picture(image: Image.Image, caption: str, words: str) -> Markup:
    """An image in the page with what it shows under it."""
    stream = io.BytesIO()
    image.save(stream, "png", compress_level=1)
    data = base64.b64encode(stream.getvalue()).decode()
    shown = tag("img", src=Markup(f"data:image/png;base64,{data}"), alt=f"{words}. {caption}.", width=image.width, height=image.height)
    return tag("figure", shown, tag("figcaption", caption))


def inlined(drawn: Picture, words: str) -> Markup:
    """A whole figure in the page, with what it shows for those who do not see it."""
    data = base64.b64encode(drawn._repr_png_()).decode()
    return tag("img", src=Markup(f"data:image/png;base64,{data}"), alt=f"{words}.", class_="pnb-wide")


def shrunk(values: NDArray[Any], widest: int) -> NDArray[Any]:
    """Means over blocks, so that no side is longer than ``widest``; the rest of an incomplete block is left out."""
    step = -(-max(values.shape) // widest)
    rows, columns = (max(n // step, 1) for n in values.shape)
    if step == 1:
        return values
    step_rows, step_columns = min(step, values.shape[0]), min(step, values.shape[1])
    kept = values[: rows * step_rows, : columns * step_columns]
    return np.asarray(kept.reshape(rows, step_rows, columns, step_columns).mean((1, 3)))


def coloured(values: NDArray[Any], norm: Normalize, colours: str) -> Image.Image:
    """Real values (h, w) as an image of 256 colours, a byte a pixel; what is no number in the colour of the unseen."""
    with np.errstate(all="ignore"):
        share = np.nan_to_num(np.asarray(norm(np.nan_to_num(values)), dtype=float))
    levels = np.uint8(np.round((SHADES - 1) * np.clip(share, 0, 1)))
    image = Image.fromarray(np.where(np.isfinite(values), levels, SHADES).astype(np.uint8), "P")
    table = np.uint8(255 * matplotlib.colormaps[colours](np.linspace(0, 1, SHADES))[:, :3])
    image.putpalette(table.tobytes() + bytes.fromhex(UNSEEN[1:]))
    return image
