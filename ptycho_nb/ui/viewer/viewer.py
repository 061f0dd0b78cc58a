"""Images side by side that zoom and pan together, with a read-out, a line, a picked point and marks over them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from ptycho_nb.errors import InputError, unknown
from ptycho_nb.ui.drawing import closed_in_words, is_closed
from ptycho_nb.ui.viewer.marks import checked
from ptycho_nb.ui.viewer.shots import WIDEST, Shot, side_by_side

log = logging.getLogger(__name__)

HOME = Path(__file__).parent
SCRIPTS = ("geometry.js", "pieces.js", "viewer.js")  # one module, in this order
MODES = ("pan", "line", "point")
LEAST = 4.0  # px: no closer look than this
MARGIN = 0.25  # of the region, that a sharper part has more on each side, so that a small move needs no other

Region = tuple[float, float, float, float]
Place = tuple[float, float]


class Viewer(anywidget.AnyWidget):
    """Images of one field side by side; what one does to one of them is done to all.

    Wheel, drag, keys and buttons zoom and pan. The wheel zooms only after a click on an image, so
    that it does not hold up who scrolls past. Several views of one viewer move together.

    Coordinates are (row, col) in pixels of the data: whole numbers are the middles of pixels, as
    indices are. A region counts edges: (0, 0, H, W) is the whole field.

    Parameters
    ----------
    height : int
        Of an image on the screen at most [CSS px].
    modes : sequence of str
        Those that have a button, of "pan", "line", "point".

    Attributes
    ----------
    region : (top, left, bottom, right) in px, or () while there is nothing to show
        What is seen; more where the images have another shape. It is kept inside the field and at least 4 px wide.
    mode : "pan", "line" or "point"
        What a drag or a click does.
    line : ((row, col), (row, col)) or ()
        The line that was drawn last.
    point : (row, col) or ()
        The point that was picked last.
    marks : list of dict
        Drawn over each image: "kind" and "at" as in ``marks.KINDS``, a circle's "radius", and where wanted "label" and "dashed".
    fixed : list of dict
        Marks beneath those, not sent again when those move.
    pixel_size : float or None
        Of the data [m]; None gives lengths in px.
    shape : (H, W), or () while there is nothing to show
        Of the data.
    """

    _esm = "\n".join((HOME / name).read_text(encoding="utf-8") for name in SCRIPTS)  # as text: a path would be watched by a thread
    _css = (HOME / "viewer.css").read_text(encoding="utf-8")

    region = traitlets.Tuple().tag(sync=True)
    mode = traitlets.Unicode("pan").tag(sync=True)
    line = traitlets.Tuple().tag(sync=True)
    point = traitlets.Tuple().tag(sync=True)
    marks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    fixed: traitlets.List[Any] = traitlets.List().tag(sync=True)
    pixel_size = traitlets.Float(None, allow_none=True).tag(sync=True)
    height = traitlets.Int(320).tag(sync=True)
    shape = traitlets.Tuple().tag(sync=True)
    _modes: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _live: traitlets.List[Any] = traitlets.List().tag(sync=True)  # what a listener waits for: sent during a drag, not only at its end
    _shots: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _sharp = traitlets.Dict().tag(sync=True)  # a part of the field, sharper than the shots

    def __init__(self, *, height: int = 320, modes: Sequence[str] = MODES) -> None:
        wrong = [mode for mode in modes if mode not in MODES]
        if wrong:
            raise InputError(unknown("mode", wrong[0], MODES))
        self._given: tuple[Shot, ...] = ()
        super().__init__(height=height, _modes=list(modes))
        self.on_msg(self._asked)

    def put(self, shots: Sequence[Shot], *, shape: tuple[int, ...], keep_region: bool = True) -> None:
        """Show these, in one message to the browser.

        Parameters
        ----------
        shots : sequence of Shot
            All of the same field. None of them empties the viewer.
        shape : (H, W)
            Of the data; the images may be decimated.
        keep_region : bool
            Keep what is looked at; the whole field is shown in any case where the shape is another.

        Raises
        ------
        InputError
            No shape, or something that is no image.
        """
        if len(shape) != 2 or min(shape) < 1:
            raise InputError(f"A viewer's shape is {shape!r:.40}; it must be (rows, columns) of the data.")
        states = [shot.state for shot in shots]
        kept = keep_region and bool(shots) and self.shape == tuple(shape)
        with self.hold_sync():
            self._given = tuple(shots)
            self.shape = tuple(int(n) for n in shape) if shots else ()
            self._sharp, self._shots = {}, states
            if not kept:
                self.region = (0.0, 0.0, *map(float, self.shape)) if shots else ()

    def reset(self) -> None:
        """Show the whole field."""
        self.region = (0.0, 0.0, *map(float, self.shape)) if self.shape else ()

    def on_region(self, listener: Callable[[Region], object]) -> None:
        """Call ``listener`` with each new region, at most ten a second."""
        self._listen("region", listener)

    def on_line(self, listener: Callable[[tuple[Place, Place]], object]) -> None:
        """Call ``listener`` with each new line, at most ten a second; with () where it is taken away."""
        self._listen("line", listener)

    def on_point(self, listener: Callable[[Place], object]) -> None:
        """Call ``listener`` with each new point; with () where it is taken away."""
        self._listen("point", listener)

    def _listen(self, name: str, listener: Callable[[Any], object]) -> None:
        def told(change: dict[str, Any]) -> None:
            try:
                listener(change["new"])
            except Exception:  # a traceback would land in whichever cell ran last
                log.exception("A listener of the viewer failed.")

        self.observe(told, name)
        self._live = [*self._live, name]

    @traitlets.validate("region")
    def _inside(self, proposal: dict[str, Any]) -> tuple[float, ...]:
        """The region moved into the field, and no smaller than one can look at."""
        region = _numbers("region", proposal["value"], (4,))
        if not region or not self.shape:
            return region
        top, left, bottom, right = region
        if bottom <= top or right <= left:
            raise InputError(f"A viewer's region is {region}; it must be (top, left, bottom, right), top above bottom.")
        rows, columns = _within(top, bottom, self.shape[0]), _within(left, right, self.shape[1])
        return rows[0], columns[0], rows[1], columns[1]

    @traitlets.validate("line")
    def _two_ends(self, proposal: dict[str, Any]) -> tuple[Any, ...]:
        return _numbers("line", proposal["value"], (2, 2))

    @traitlets.validate("point")
    def _one_place(self, proposal: dict[str, Any]) -> tuple[Any, ...]:
        return _numbers("point", proposal["value"], (2,))

    @traitlets.validate("marks", "fixed")
    def _plain(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        return checked(proposal["value"])

    @traitlets.validate("pixel_size")
    def _length(self, proposal: dict[str, Any]) -> float | None:
        size = proposal["value"]
        if size is not None and not 0 < size < np.inf:
            raise InputError(f"A viewer's pixel_size is {size}; it must be a length above 0, in metres, or None.")
        return size

    @traitlets.validate("mode")
    def _known(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in MODES:
            raise InputError(unknown("mode", proposal["value"], MODES))
        return str(proposal["value"])

    def _asked(self, _: Any, content: Any, __: Any) -> None:
        """The browser looks closer than its images are sharp: send what it looks at."""
        if content != "sharper" or not self.region or not self.shape:
            return
        top, left, bottom, right = self.region
        more = MARGIN * (bottom - top), MARGIN * (right - left)
        height, width = self.shape
        rows = int(max(top - more[0], 0)), int(np.ceil(min(bottom + more[0], height)))
        columns = int(max(left - more[1], 0)), int(np.ceil(min(right + more[1], width)))
        if max(rows[1] - rows[0], columns[1] - columns[0]) < max(height, width) > WIDEST:
            box = rows[0] / height, columns[0] / width, rows[1] / height, columns[1] / width
            self._sharp = {"box": [rows[0], columns[0], rows[1], columns[1]], "parts": [shot.part(box) for shot in self._given]}

    def close(self) -> None:
        """Take it from every page, with all that belongs to it."""
        self.unobserve_all()
        self._given = ()
        super().close()
        self.layout.close()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The viewer; its images as a picture where widgets cannot be shown."""
        found: tuple[dict[str, Any], dict[str, Any]] | None = super()._repr_mimebundle_()
        data, about = found or ({}, {})
        still = {"image/png": base64.b64encode(side_by_side(self._given)).decode()} if self._given else {}
        return data | still | {"text/plain": repr(self)}, about

    def __repr__(self) -> str:
        if is_closed(self):
            return closed_in_words(self)
        if not self._given:
            return "<Viewer: nothing to show yet>"
        return f"<Viewer: {', '.join(shot.title for shot in self._given)}; {self.shape[0]} × {self.shape[1]} px>"


def _within(low: float, high: float, n: int) -> tuple[float, float]:
    """Two edges moved into 0 to n, no closer than one can look at."""
    least = min(LEAST, n)
    if low >= 0 and high <= n and high - low >= least:
        return low, high  # to the last bit: the browser must not get back another number than it sent
    size = min(max(high - low, least), float(n))
    start = min(max((low + high - size) / 2, 0.0), n - size)
    return start, start + size


def _numbers(what: str, given: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Nested tuples of finite floats of this shape; an empty one where nothing was given."""
    if len(given) == 0:
        return ()
    try:
        found = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != shape or not np.isfinite(found).all():
        raise InputError(f"A viewer's {what} is {given!r:.60}; it must be {' by '.join(map(str, shape))} finite numbers.")
    return tuple(found.tolist()) if len(shape) == 1 else tuple(map(tuple, found.tolist()))
