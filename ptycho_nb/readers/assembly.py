"""From the arrays of a file and what a person says of them to a Scan."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from ptycho_nb.errors import ScanError
from ptycho_nb.readers import axes, evidence
from ptycho_nb.readers.defects import defects, mask_defects
from ptycho_nb.readers.photons import as_photons, dim, energy, estimate_probe, fit_probe, transmission
from ptycho_nb.readers.request import HC, UNITS, Request, positive
from ptycho_nb.readers.roles import SCALARS, find
from ptycho_nb.readers.source import WORKING, Budget, Source, quoted
from ptycho_nb.scan import Detector, Scan, check_values

LONGEST_TEXT = 2**20  # bytes of metadata


@dataclass
class Parts:
    """A scan in the making, in the order in which its parts are known."""

    source: Source
    request: Request
    found: dict[str, str]
    notes: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    unit: str = "px"  # of the positions

    def array(self, role: str) -> NDArray[Any] | None:
        """The file's array in a role, or None."""
        return self.source.read(self.found[role]) if role in self.found else None

    def number(self, role: str) -> float | None:
        """A positive number: as given, as an array of the file, or in its metadata."""
        given = self.request.lengths.get(role)
        if given is not None:
            return float(given)
        stored = self.array(role)
        for value in (None if stored is None else stored.reshape(-1)[0], *(self.metadata.get(key) for key in IN_METADATA[role])):
            if value is not None and positive(value):
                return float(value)
        return None


def build(source: Source, request: Request, name: str) -> Scan:
    """The scan in a source, by names, evidence and request; every assumption becomes a note.

    Raises
    ------
    ScanError
        Something is missing, contradictory or not decidable; the sentence names the argument.
    """
    parts = Parts(source, request, find(source, request.names))
    parts.metadata |= _metadata(parts)
    positions, corner = _positions(parts)
    header = source.headers[parts.found["patterns"]]
    Budget.of_memory(WORKING).take(3 * header.nbytes + 12 * math.prod(header.shape), f"{source.label}, as photons,")
    patterns = source.read(header.name)
    values = axes.as_patterns(patterns, len(positions), parts.notes)
    parts.notes.insert(0, f"{source.label}: patterns {quoted(parts.found['patterns'])} {patterns.shape}, {len(positions)} positions.")
    values, mask = _clean(parts, values)
    shape = (int(values.shape[1]), int(values.shape[2]))
    window = Detector.of(shape, request.center, request.crop, request.bin)
    grid = _grid(parts, shape, corner)
    pixels = grid.pixels(positions)
    truth = _truth(parts, pixels)
    probe, photons = _lit(parts, values, mask, transmission(truth, pixels))
    dim(photons, parts.notes)
    intensity, believed = window.patterns(photons, mask)
    true_probe, true_positions = _true_probe(parts, shape), parts.array("true_positions")
    diameter = _diameter(parts, grid, window)
    modes = estimate_probe(intensity, believed, diameter, parts.notes) if probe is None else window.probe(probe)
    parts.notes += [] if window.whole else [window.sentence]
    return Scan(
        intensity,
        window.positions(pixels),
        modes,
        truth=None if truth is None else window.object(truth),
        true_probe=None if true_probe is None else window.probe(true_probe),
        true_positions=None if true_positions is None else window.positions(grid.pixels(axes.as_positions(true_positions, parts.notes))),
        mask=believed,
        pixel_size=window.pixel_size(grid.size),
        name=name,
        notes=tuple(parts.notes),
        metadata=parts.metadata,
    )


def _metadata(parts: Parts) -> dict[str, Any]:
    """The JSON object under ``meta``, when there is one."""
    name = parts.found.get("meta")
    if name is None:
        return {}
    info = parts.source.headers[name]
    if info.nbytes > LONGEST_TEXT or info.dtype.kind not in "SUu":
        parts.notes.append(f"{quoted(name)} is left out: it is no text of at most 1 MiB.")
        return {}
    stored = parts.source.read(name)
    try:
        text = stored.tobytes().decode() if stored.dtype.kind in "Su" else str(stored.reshape(-1)[0])
        read = json.loads(text.rstrip("\0"))
    except (ValueError, RecursionError, IndexError):
        read = None
    if not isinstance(read, dict):
        parts.notes.append(f"{quoted(name)} is left out: it is no JSON object.")
        return {}
    return read


def _positions(parts: Parts) -> tuple[NDArray[np.float64], bool]:
    """Positions (M, 2) in the file's unit, and whether they are the corners of the patches."""
    stored = parts.array("positions")
    if stored is None:
        rows, cols = (axes.as_axis(parts.source.read(parts.found[role]), parts.found[role]) for role in ("y", "x"))
        if len(rows) != len(cols):
            raise ScanError(f"There are {len(rows)} row and {len(cols)} column coordinates; each pattern needs one of both.")
        return np.stack([rows, cols], axis=1), False
    probe = parts.source.headers.get(parts.found.get("probe", ""))
    corner = parts.found["positions"] == "scan" and probe is not None and len(probe.shape) >= 5
    if corner:
        parts.notes.append("The layout is tike's: positions are patch corners (row, column); half a pattern's width is added.")
    return axes.as_positions(stored, parts.notes), corner


def _clean(parts: Parts, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Patterns with zero frequency at the centre and bad pixels zero, and the mask."""
    values, mask = mask_defects(values, _mask(parts, values), parts.notes)
    if not mask.any():
        raise ScanError("The mask leaves no detector pixel; True marks the pixels to believe: invert it with ~mask.")
    check_values(values)
    given = "centre" if parts.request.center is not None else None  # which names the pixel as it was measured
    where = parts.request.zero_frequency or given or evidence.origin(values, mask, parts.notes)
    if where == "corner":
        return np.fft.fftshift(values, axes=(-2, -1)), np.fft.fftshift(mask)
    return values, mask


def _mask(parts: Parts, values: NDArray[Any]) -> NDArray[np.bool_]:
    shape, given = values.shape[1:], parts.request.mask
    mask = np.ones(shape, dtype=bool)
    if given is not None and not isinstance(given, str):
        mask = np.asarray(given)
        if mask.shape != shape or mask.dtype != bool:
            raise ScanError(f"mask= is {mask.dtype} of shape {mask.shape}; it must be boolean {shape}, True where a pixel is good.")
    for role in ("mask", "bad_pixels"):
        stored = parts.array(role)
        if stored is None:
            continue
        name, flags = parts.found[role], axes.squeeze(stored, 2)
        if flags.shape != shape or flags.dtype.kind not in "biu":
            parts.notes.append(f"{quoted(name)} of shape {stored.shape} is left out: a mask is {shape} of 0 and 1.")
            continue
        keep = flags == 0 if role == "bad_pixels" else flags != 0
        if role == "mask" and (light := _light(values))[~keep].sum() > light[keep].sum():
            parts.notes.append(f"{quoted(name)} marks bad pixels with 1, for most light lies where it is 0; it is read so.")
            keep = ~keep
        parts.notes.append(f"{quoted(name)} leaves out {int((~keep).sum())} of {keep.size} detector pixels.")
        mask = mask & keep
    return mask


def _light(values: NDArray[Any]) -> NDArray[np.float64]:
    """A rough mean pattern (R, C) in which a defect does not shine: without sentinels, each pixel as those round it."""
    some = values[evidence.sampled(len(values))]
    mean = np.where(defects(some), 0, some.mean(0, dtype=np.float64))
    smooth: NDArray[np.float64] = median_filter(np.maximum(np.nan_to_num(mean, posinf=0), 0), 3, mode="wrap")
    return smooth


@dataclass(frozen=True)
class Grid:
    """What turns positions as they are stored into object pixels of the measured detector.

    Attributes
    ----------
    unit : float64, shape (2,)
        Object pixels along rows and columns in one unit of the positions.
    offset : float64, shape (2,)
        From a stored position to the centre of its patch [px].
    size : float or None
        Width of an object pixel along the rows [m].
    """

    unit: NDArray[np.float64]
    offset: NDArray[np.float64]
    size: float | None

    def pixels(self, stored: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (M, 2) [px]."""
        return stored * self.unit + self.offset


def _grid(parts: Parts, shape: tuple[int, int], corner: bool) -> Grid:
    """The object pixels of a measured detector of this shape; ``corner`` where positions are those of patches' corners."""
    parts.unit, lengths = _unit(parts), {role: parts.number(role) for role in ("energy_ev", "distance_m", "detector_pixel_m")}
    sizes = None
    if None not in lengths.values():
        wavelength = HC / lengths["energy_ev"]  # type: ignore[operator]
        sizes = wavelength * lengths["distance_m"] / (np.array(shape) * lengths["detector_pixel_m"])  # type: ignore[operator]
        parts.notes.append(f"The object pixel is {sizes[0]:.4g} m, from energy, distance and detector pixel.")
    elif (stored := _stored_size(parts)) is not None:
        sizes = np.full(2, stored)
    size = None if sizes is None else float(sizes[0])
    offset = np.array(shape) / 2 if corner else np.zeros(2)
    metres = UNITS[parts.unit]
    if metres is None:
        return Grid(np.ones(2), offset, size)
    if sizes is None:
        missing = ", ".join(f"{role}=" for role, value in lengths.items() if value is None)
        raise ScanError(f"Positions in {parts.unit} need the object's pixel size λz/(N p); give {missing}.")
    return Grid(metres / sizes, offset, size)


def _diameter(parts: Parts, grid: Grid, window: Detector) -> float | None:
    """Diameter of the beam on the sample [object pixels of the kept window], where it is given; in px those along the rows."""
    given = parts.request.probe_diameter
    return None if given is None else float(given * grid.unit[0] / window.stretch[0])


def _unit(parts: Parts) -> str:
    if parts.request.position_unit is not None:
        return parts.request.position_unit
    name = parts.found.get("positions") or parts.found["y"]
    unit = name.lower().rsplit("_", 1)[-1]
    if UNITS.get(unit) is not None:
        parts.notes.append(f"The positions are taken in {unit}, by the name {quoted(name)}.")
        return unit
    return "px"


def _stored_size(parts: Parts) -> float | None:
    size = parts.number("pixel_size")
    angstrom = parts.metadata.get("pixel_A")
    if size is None and angstrom is not None and positive(angstrom):
        size = float(angstrom) * 1e-10
    return size


def _truth(parts: Parts, positions: NDArray[np.float64]) -> NDArray[Any] | None:
    """The known object, when the file's positions lie on it."""
    stored = parts.array("truth")
    if stored is None:
        return None
    name, truth = parts.found["truth"], axes.squeeze(stored, 2)
    if truth.ndim != 2 or not np.isfinite(truth).all() or not np.ptp(np.abs(truth)) + np.ptp(np.angle(truth)):
        reason = "it is no plain two-dimensional object"
    elif parts.unit != "px" or ((positions < 0) | (positions > np.array(truth.shape) - 1)).any():
        reason = "the positions do not lie on it"
    else:
        parts.notes.append(f"{quoted(name)} is taken as the known object, {truth.shape[0]} x {truth.shape[1]} px.")
        return truth
    parts.notes.append(f"The object {quoted(name)} of shape {stored.shape} is left out: {reason}.")
    return None


def _true_probe(parts: Parts, shape: tuple[int, int]) -> NDArray[Any] | None:
    stored = parts.array("true_probe")
    return None if stored is None else axes.as_probe(stored, shape, parts.notes)


def _lit(
    parts: Parts, values: NDArray[Any], mask: NDArray[np.bool_], through: float | None
) -> tuple[NDArray[Any] | None, NDArray[np.float32]]:
    """Probe, where one is stored, and patterns, both in photons."""
    stored, shape = parts.array("probe"), (int(values.shape[1]), int(values.shape[2]))
    probe = None if stored is None else axes.as_probe(stored, shape, parts.notes)
    if probe is not None and (not np.isfinite(probe).all() or not probe.any()):
        word = "zero everywhere" if np.isfinite(probe).all() else "not finite everywhere"
        raise ScanError(f"The probe {quoted(parts.found['probe'])} is {word}; repair it, or leave it out to have one estimated.")
    given, beam = parts.number("nphotons"), energy(probe)
    beam = beam if given is None else given
    kind = parts.request.quantity or evidence.quantity(values, parts.found["patterns"], beam, parts.notes)
    expected = given if given is not None else None if beam is None else beam * (through or 1.0)
    photons = as_photons(values, kind, expected, parts.notes)
    return None if probe is None else fit_probe(probe, photons, mask, through, parts.notes), photons


IN_METADATA: dict[str, tuple[str, ...]] = {
    **{role: (role,) for role in SCALARS},
    "nphotons": ("nphotons", "photons"),
    "pixel_size": ("pixel_size", "pixel_size_m"),
}
