"""Which array of a file is what: by the names in use, by the arguments given, or proposed by shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ptycho_nb.errors import ScanError, unknown
from ptycho_nb.readers.source import ArrayInfo, Source, quoted

# Names without case, dots and underscores, the likelier first. Sources: the NPZ files of
# PtychoPINN, tike, ptychodus and py4DSTEM as found in their documentation and test data.
NAMES: dict[str, tuple[str, ...]] = {
    "patterns": (
        *("intensity", "intensities", "diffraction", "diff3d", "diffractionpatterns", "diffractiondata", "patterns", "data", "dp", "dps"),
        *("amplitude", "amplitudes", "counts", "frames", "images", "cbed", "measurements", "measuredintensity", "diffamp", "ptychodata"),
    ),
    "positions": ("positions", "scan", "probepositions", "positionspx", "coords", "coordinates", "scanpositions", "pos", "translation"),
    "x": ("xcoords", "x", "probepositionxm", "positionx", "positionxm", "posx", "xpos", "xpositions", "columns"),
    "y": ("ycoords", "y", "probepositionym", "positiony", "positionym", "posy", "ypos", "ypositions", "rows"),
    "probe": ("probe", "probeguess", "probes", "probearray", "illumination"),
    "truth": ("truth", "objectguess", "objecttrue", "trueobject", "object", "objectarray", "obj"),
    "true_probe": ("trueprobe", "probetrue"),
    "true_positions": ("truepositions",),
    "mask": ("mask", "validpixels", "goodpixels"),
    "bad_pixels": ("badpixels", "hotpixels", "badpixelmask"),
    "meta": ("meta", "metadata"),
    "energy_ev": ("energyev", "probeenergyev", "photonenergyev"),
    "distance_m": ("distancem", "detectordistancem", "detectorobjectdistancem"),
    "detector_pixel_m": ("detectorpixelm", "detectorpixelsizem"),
    "pixel_size": ("pixelsize", "pixelsizem", "objectpixelwidthm", "pixelwidthm", "probepixelwidthm"),
    "nphotons": ("nphotons", "photons", "probephotoncount"),
}
REAL = ("patterns", "positions", "x", "y")  # without which there is no scan
SCALARS = ("energy_ev", "distance_m", "detector_pixel_m", "pixel_size", "nphotons")


def find(source: Source, given: Mapping[str, str | None]) -> dict[str, str]:
    """The name of the array in each role: those ``given`` first, else by the names in use.

    Raises
    ------
    ScanError
        A given name is not in the file, patterns or positions are not real numbers, or they are not
        found; then every array is listed with its shape, type and a proposed role.
    """
    found = {role: name for role, names in NAMES.items() if (name := _named(source.headers, role, names))}
    chosen = {role: name for role, name in given.items() if name is not None}
    for role, name in chosen.items():
        if name not in source.headers:
            raise ScanError(f"{source.label}, {role}=: {unknown('array', name, source.headers)}")
    if "positions" in chosen:
        found = {role: name for role, name in found.items() if role not in ("x", "y")}
    elif {"x", "y"} & chosen.keys() or {"x", "y"} <= found.keys():
        found.pop("positions", None)
    taken = set(chosen.values())
    found = {role: name for role, name in found.items() if name not in taken} | chosen
    placed = "positions" in found or {"x", "y"} <= found.keys()
    missing = [role for role in REAL if role not in found and not (placed and role != "patterns")]
    of_no_use = {role: name for name, role in _no_numbers(source.headers).items() if role in missing and name not in taken}
    for role, name in (of_no_use | found).items():
        _check_real(source, role, name)
    if "patterns" not in found or not placed:
        raise ScanError(_listing(source, found))
    return found


def proposals(headers: Mapping[str, ArrayInfo]) -> list[ArrayInfo]:
    """Every array with the role its name has in use, or else its shape suggests."""
    roles = {name: role for role, names in NAMES.items() if (name := _named(headers, role, names))}
    known = roles.keys() | _no_numbers(headers).keys()
    shaped = _by_shape({name: info for name, info in headers.items() if name not in known}, _count(headers, roles))
    return [replace(info, role=roles.get(name, shaped.get(name, ""))) for name, info in headers.items()]


def _no_numbers(headers: Mapping[str, ArrayInfo]) -> dict[str, str]:
    """The role of each array that is called like patterns or positions and does not hold real numbers."""
    plain = {name: _plain(name) for name, info in headers.items() if not info.real and (info.shape or info.dtype.hasobject)}
    return {name: role for name, word in plain.items() for role in REAL if word in NAMES[role]}


def _check_real(source: Source, role: str, name: str) -> None:
    info = source.headers[name]
    if role in REAL and not info.real:
        kind = "Python objects (a pickle)" if info.dtype.hasobject else "text" if info.dtype.kind in "SU" else str(info.dtype)[:40]
        raise ScanError(f"{source.label}: {quoted(name)} holds {kind}; {role} are real numbers: save them so, or name others by {role}=.")


def _named(headers: Mapping[str, ArrayInfo], role: str, names: tuple[str, ...]) -> str | None:
    plain = {_plain(name): name for name, info in reversed(list(headers.items())) if _may_be(info, role)}
    return next((plain[n] for n in names if n in plain), None)


def _plain(name: str) -> str:
    return "".join(c for c in name.rsplit("/", 1)[-1].lower() if c.isalnum())


def _may_be(info: ArrayInfo, role: str) -> bool:
    """Whether shape and type allow the role."""
    if role == "meta":
        return info.dtype.kind in "SUu"
    if not info.numeric:
        return False
    shape, is_complex = info.squeezed, info.dtype.kind == "c"
    if role == "patterns":
        return len(info.shape) >= 3 and info.real
    if role in ("positions", "true_positions"):
        flat = len(shape) <= 2 and 2 in info.shape
        return len(info.shape) >= 2 and not is_complex and (flat or (len(shape) == 3 and shape[-1] == 2))
    if role in ("x", "y"):
        return len(info.shape) >= 1 and len(shape) <= 2 and not is_complex
    if role in SCALARS:
        return not shape and not is_complex
    return len(shape) >= 2


def _count(headers: Mapping[str, ArrayInfo], roles: Mapping[str, str]) -> int | None:
    """Patterns in the file, as far as one can see."""
    shapes = [info.squeezed for name, info in headers.items() if roles.get(name) == "patterns" or len(info.squeezed) == 3]
    return shapes[0][0] if shapes else None


def _by_shape(headers: Mapping[str, ArrayInfo], count: int | None) -> dict[str, str]:
    roles = {}
    for name, info in headers.items():
        shape, is_complex = info.squeezed, info.dtype.kind == "c"
        if not info.numeric:
            continue
        if len(shape) in (2, 3) and not is_complex and (shape[-1] == 2 or (shape[0] == 2 and len(shape) == 2)):
            roles[name] = "positions"
        elif len(shape) >= 3 and not is_complex:
            roles[name] = "patterns"
        elif len(shape) == 1 and shape[0] == count and info.dtype.kind == "f":
            roles[name] = "y" if "x" in roles.values() else "x"
        elif len(shape) in (2, 3) and is_complex:
            roles[name] = "probe"
    return roles


def _listing(source: Source, found: Mapping[str, str]) -> str:
    """The sentence for a file whose arrays have unknown names, and the list to choose from."""
    missing = "diffraction patterns" if "patterns" not in found else "positions"
    arrays = proposals(source.headers)
    shown = arrays[:40]
    lines = [f"  {i.name[:60]}  {i.shape}  {str(i.dtype)[:20]}" + (f"  ({i.role}?)" if i.role else "") for i in shown]
    more = [f"  … and {len(arrays) - 40} more"] if len(arrays) > 40 else []
    want = {i.role: i.name for i in reversed(arrays) if i.role in ("patterns", "positions", "x", "y", "probe")}
    if "positions" in want:
        want = {role: name for role, name in want.items() if role not in ("x", "y")}
    needed = [f"{role}={want[role][:60]!r}" for role in ("patterns", "positions", "x", "y", "probe") if role in want]
    call = ", ".join(needed) or "patterns=…, positions=…"
    return "\n".join([f"{source.label}: no {missing} found by name. It holds:", *lines, *more, f"Name them: load_scan(…, {call})."])
