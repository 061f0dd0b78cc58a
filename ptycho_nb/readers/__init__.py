"""Scans from files: one format a gate, each safe with a stranger's file, and one way from arrays to a Scan."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import ArrayLike

from ptycho_nb.errors import ScanError
from ptycho_nb.files import StrPath, open_input, shown
from ptycho_nb.readers.assembly import build
from ptycho_nb.readers.hdf5 import hdf5_source
from ptycho_nb.readers.npz import bz2_source, npz_source
from ptycho_nb.readers.own import own_scan, own_values, save_arrays, save_scan
from ptycho_nb.readers.request import Request
from ptycho_nb.readers.roles import proposals
from ptycho_nb.readers.source import ArrayInfo, Budget, Source, mapping_source
from ptycho_nb.scan import Scan

__all__ = ["READERS", "ArrayInfo", "Source", "inspect_file", "load_scan", "open_arrays", "own_values", "save_arrays", "save_scan"]


def load_scan(
    path_or_mapping: StrPath | Mapping[str, Any],
    *,
    patterns: str | None = None,
    positions: str | None = None,
    x: str | None = None,
    y: str | None = None,
    probe: str | None = None,
    position_unit: Literal["px", "m", "mm", "um", "nm"] | None = None,
    quantity: Literal["counts", "amplitude"] | None = None,
    zero_frequency: Literal["centre", "corner"] | None = None,
    energy_ev: float | None = None,
    distance_m: float | None = None,
    detector_pixel_m: float | None = None,
    probe_diameter: float | None = None,
    center: ArrayLike | None = None,
    crop: int | None = None,
    bin: int | None = None,
    mask: ArrayLike | None = None,
) -> Scan:
    """A scan from a file (.npz, .npz.bz2, or .h5 of ptycho_nb) or from a mapping of arrays.

    Arrays are known by the names in use, counts or amplitude and the place of zero frequency by
    the numbers; ``Scan.notes`` says what was read and assumed, and each argument overrides one
    assumption. A file of other names is answered with the list of its arrays.

    Parameters
    ----------
    patterns, positions, x, y, probe : str, optional
        Names of the arrays in the file: patterns (M, N, N) or (N, N, M), positions (M, 2) as
        (row, col) or ``y`` (rows) and ``x`` (columns) apart, probe (N, N) or (P, N, N).
    position_unit : "px", "m", "mm", "um" or "nm", optional
        Of the positions; by default as the array's name ends, else object pixels.
    quantity : "counts" or "amplitude", optional
        What the patterns hold; amplitude = sqrt(counts).
    zero_frequency : "centre" or "corner", optional
        Where it lies in the patterns.
    energy_ev, distance_m, detector_pixel_m : float, optional
        Photon energy [eV], sample to detector and width of a detector pixel [m]: together the
        object's pixel size λz/(N p).
    probe_diameter : float, optional
        Diameter that holds 90 % of the beam on the sample, in the unit of the positions. A probe that
        is estimated is put so far out of focus; without it the estimate is a beam in focus. The mean
        pattern does not tell the sign of the defocus: ``rank_orientations`` shows a wrong one as
        both axes flipped, which gives the twin.
    center, crop, bin, mask : optional
        The part of the detector to keep, as in ``Scan.on_detector``; ``mask`` may also be the
        name of an array, and counts in the file's own layout.

    Raises
    ------
    ScanError
        The file or the arrays are no scan, or an argument is needed: one sentence that names it.
    """
    said = Request(
        patterns=patterns,
        positions=positions,
        x=x,
        y=y,
        probe=probe,
        position_unit=position_unit,
        quantity=quantity,
        zero_frequency=zero_frequency,
        energy_ev=energy_ev,
        distance_m=distance_m,
        detector_pixel_m=detector_pixel_m,
        probe_diameter=probe_diameter,
        center=center,
        crop=crop,
        bin=bin,
        mask=mask,
    )
    if isinstance(path_or_mapping, Mapping):
        return _scan(mapping_source(path_or_mapping), said, "scan")
    with open_arrays(path_or_mapping) as source:
        return _scan(source, said, _name(path_or_mapping))


def inspect_file(path: StrPath) -> list[ArrayInfo]:
    """Every array of a file, with shape, type and the role it seems to have; none is read.

    Raises
    ------
    ScanError
        The file cannot be read.
    """
    with open_arrays(path) as source:
        return proposals(source.headers)


@contextmanager
def open_arrays(path: StrPath) -> Iterator[Source]:
    """The arrays of a file behind the gate of its format, to be read while it is open.

    Raises
    ------
    ScanError
        There is no reader for the suffix, or the gate refuses the file.
    """
    if not isinstance(path, str | os.PathLike):
        raise ScanError(f"A scan is loaded from a path or a mapping of arrays, not from a {type(path).__name__}.")
    suffix = _suffix(path)
    with open_input(path, ScanError) as stream, READERS[suffix](stream, shown(path), Budget.of_memory()) as source:
        yield source


def _scan(source: Source, said: Request, name: str) -> Scan:
    own = own_values(source) if said.only_window else None
    if own is None:
        with np.errstate(all="ignore"):  # what overflows is infinite, and told as such
            return build(source, said, name)
    scan = own_scan(source, own)
    if all(wish is None for wish in (said.center, said.crop, said.bin, said.mask)):
        return scan
    return scan.on_detector(center=said.center, crop=said.crop, bin=said.bin, mask=said.mask)


def _suffix(path: StrPath) -> str:
    name = Path(path).name.lower()
    for suffix in sorted(READERS, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    if os.path.isdir(path):
        raise ScanError(f"{shown(Path(path).absolute())} is a folder; give the file in it that holds the arrays.")
    found = Path(name).suffix[:12]
    what = f"no reader for {found!r}" if found else "a file without a suffix"
    raise ScanError(f"{shown(path)}: {what}; ptycho_nb reads {', '.join(READERS)}: save the arrays as NPZ.")


def _name(path: StrPath) -> str:
    name = shown(path)
    return name[: len(name) - len(_suffix(path))] or name


Gate = Callable[[BinaryIO, str, Budget], AbstractContextManager[Source]]
READERS: dict[str, Gate] = {".npz": npz_source, ".npz.bz2": bz2_source, ".h5": hdf5_source, ".hdf5": hdf5_source}
