"""What leaves for a paper or another program: pictures in print sizes, 32-bit TIFF, every array."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import tifffile

from ptycho_nb import __version__
from ptycho_nb.errors import InputError, unknown
from ptycho_nb.figures import COLUMN, PAGE, Picture, printed, printed_image
from ptycho_nb.files import StrPath, file_name, shown, write_atomic
from ptycho_nb.result import Reconstruction
from ptycho_nb.views import View

WIDTHS = (COLUMN, PAGE)  # mm
RESOLUTIONS = (300, 600)  # dots per inch
PICTURES, IMAGES, ARRAYS = (".png", ".pdf"), (".tif",), (".npz", ".h5")
STEM = 40  # bytes of a scan's name in the name of a file

Maker = Callable[[View, float], Picture]


class Content(NamedTuple):
    """One thing to export.

    Attributes
    ----------
    words : str
        What it is.
    suffixes : tuple of str
        Of the files it can be written as, the usual one first.
    parts : tuple of str
        Of the object: "amplitude", "phase".
    make : callable or None
        Gives its picture, so many mm wide; None where it is no picture.
    """

    words: str
    suffixes: tuple[str, ...]
    parts: tuple[str, ...] = ()
    make: Maker | None = None


def save_picture(
    path: StrPath, subject: View, what: str = "pair", *, width: float = COLUMN, dpi: float = 300, inputs: Iterable[StrPath] = ()
) -> Path:
    """A picture in print size, as .png or as .pdf with its fonts inside; its absolute path.

    Parameters
    ----------
    path : path
        One that exists is replaced.
    subject : View
    what : str
        Of ``CONTENTS``, one that is a picture.
    width : float
        Of the whole picture [mm].
    dpi : float
        Dots per inch; of the images in a PDF, whose text and lines have none.
    inputs : paths
        Files that the object was made from; they are never overwritten.

    Raises
    ------
    InputError
        There is no such picture, no such format, or the file cannot be written.
    """
    make = content(what).make
    if make is None:
        raise InputError(unknown("picture", what, [name for name, entry in CONTENTS.items() if entry.make is not None]))
    suffix(path, PICTURES)
    make(subject, width).save(path, inputs=inputs, dpi=dpi)
    return Path(path).absolute()


def save_tiff(path: StrPath, subject: View, *parts: str, inputs: Iterable[StrPath] = ()) -> Path:
    """Amplitude, phase [rad] or both as 32-bit floats, a slice each, NaN where too little light fell; its absolute path.

    The file is of ImageJ's kind: labels, pixel size in µm and the limits of the view are in it,
    and every TIFF reader reads it.

    Parameters
    ----------
    path : path
        .tif or .tiff; one that exists is replaced.
    subject : View
    parts : str
        "amplitude", "phase"; both where none is named.
    inputs : paths
        Files that the object was made from; they are never overwritten.

    Raises
    ------
    InputError
        There is no such part, another suffix, or the file cannot be written.
    """
    suffix(path, (".tif", ".tiff"))
    slices = {"amplitude": (subject.amplitude, "amplitude"), "phase": (subject.phase, "phase [rad]")}
    chosen = parts or tuple(slices)
    if lacking := [part for part in chosen if part not in slices]:
        raise InputError(unknown("part of an object", lacking[0], slices))
    stack = np.stack([slices[part][0] for part in chosen]).astype(np.float32)
    about: dict[str, Any] = {"axes": "ZYX", "Labels": [slices[part][1] for part in chosen], "Info": subject.caption}
    if len(chosen) == 1:
        about["min"], about["max"] = subject.amplitude_limits if chosen[0] == "amplitude" else subject.phase_limits
    scale: dict[str, Any] = {}
    if subject.pixel_size is not None:
        per_um = 1e-6 / subject.pixel_size
        scale, about["unit"] = {"resolution": (per_um, per_um)}, "um"

    def write(stream: BinaryIO) -> None:
        tifffile.imwrite(stream, stack, imagej=True, metadata=about, software=f"ptycho_nb {__version__}", **scale)

    write_atomic(path, write, inputs=inputs)
    return Path(path).absolute()


def save_arrays(path: StrPath, result: Reconstruction, *, inputs: Iterable[StrPath] = ()) -> Path:
    """The whole reconstruction, .npz or .h5, which ``Reconstruction.load`` reads; its absolute path."""
    result.save(path, inputs=inputs)
    return Path(path).absolute()


def content(what: str) -> Content:
    """The entry of that name.

    Raises
    ------
    InputError
        There is none.
    """
    if what not in CONTENTS:
        raise InputError(unknown("thing to export", what, CONTENTS))
    return CONTENTS[what]


def proposed_name(result: Reconstruction, what: str, ending: str) -> str:
    """A name for a file: scan, method and what is in it, fit for every system."""
    stem = file_name(result.name).encode()[:STEM].decode(errors="ignore")
    return f"{file_name(f'{stem}_{result.method.lower()}_{what}'.replace(', ', '_'))}{ending}"


def suffix(path: StrPath, allowed: Iterable[str]) -> str:
    """The ending of a name, in small letters.

    Raises
    ------
    InputError
        It is none of those allowed.
    """
    found, endings = Path(path).suffix.lower(), tuple(allowed)
    if found not in endings:
        raise InputError(f"{shown(path)} must be named *{' or *'.join(endings)}; the ending says what is written.")
    return found


CONTENTS: dict[str, Content] = {
    "pair": Content("Amplitude and phase", (*PICTURES, *IMAGES), ("amplitude", "phase"), lambda view, width: printed(view, width=width)),
    "amplitude": Content("Amplitude", (*PICTURES, *IMAGES), ("amplitude",), lambda view, width: printed(view, "amplitude", width=width)),
    "phase": Content("Phase", (*PICTURES, *IMAGES), ("phase",), lambda view, width: printed(view, "phase", width=width)),
    "amplitude_image": Content("Amplitude, image alone", PICTURES, (), lambda view, width: printed_image(view, "amplitude", width=width)),
    "phase_image": Content("Phase, image alone", PICTURES, (), lambda view, width: printed_image(view, "phase", width=width)),
    "result": Content("Every array of the result", ARRAYS),
}
