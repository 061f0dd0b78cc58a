"""What a run leaves: the object, the probe and the positions that explain the photons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ptycho_nb
from ptycho_nb.errors import InputError
from ptycho_nb.files import StrPath
from ptycho_nb.history import History, State
from ptycho_nb.readers import open_arrays, own_values, save_arrays
from ptycho_nb.scan import Canvas, Scan

FORM = "ptycho_nb-reconstruction"  # what a saved file says it is
ARRAYS = {"object": ("complex64", 2), "coverage": ("float32", 2), "probe": ("complex64", 3), "positions": ("float64", 2)}
ADDED = {"brightness": ("float64", 1), "background": ("float32", 2)}  # arrays of some
OPTIMISER = "optimiser."  # in front of the names of the optimiser's arrays


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """An object with the probe and positions that go with it.

    Attributes
    ----------
    object : complex64, shape (H, W)
        Transmission: amplitude and phase [rad].
    coverage : float32, shape (H, W)
        Photons that fell on each object pixel, summed over the scan.
    probe : complex64, shape (P, N, N)
        Incoherent modes [sqrt(photons)], the strongest first.
    positions : float64, shape (M, 2)
        Probe centres (row, col) [px], as corrected.
    origin : (int, int)
        ``object[r, c]`` lies at position ``origin + (r, c)``.
    pixel_size : float or None
        Width of an object pixel [m].
    method : str
        "Network", "Iterative" or "Network, then iterative".
    state : State
        How the run ended.
    history : History or None
        Losses by epoch and step.
    seconds : float
        Wall time that it took [s].
    settings : dict
        The configs behind it, as plain JSON.
    name : str
        The scan's name.
    optimiser : dict of arrays
        Where an iterative fit stands, for ``refine(scan, resume_from=...)``; else empty.
    brightness : float64, shape (M,), or None
        Of each pattern, one on average, where it was fitted.
    background : float32, shape (N, N), or None
        Photons under each pattern, where they were fitted.
    """

    object: NDArray[np.complex64]
    coverage: NDArray[np.float32]
    probe: NDArray[np.complex64]
    positions: NDArray[np.float64]
    origin: tuple[int, int]
    pixel_size: float | None
    method: str
    state: State
    history: History | None = None
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    name: str = "scan"
    optimiser: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    brightness: NDArray[np.float64] | None = None
    background: NDArray[np.float32] | None = None

    @property
    def canvas(self) -> Canvas:
        """Where the object array lies."""
        return Canvas(self.origin, (self.object.shape[0], self.object.shape[1]))

    @property
    def scanned(self) -> tuple[slice, slice]:
        """Rows and columns of the object inside the bounding box of the probe centres, at least one of each."""
        low = np.maximum(np.ceil(self.positions.min(0)) - self.origin, 0).astype(int)
        high = np.minimum(np.floor(self.positions.max(0)) - self.origin + 1, self.object.shape).astype(int)
        high = np.maximum(high, low + 1)
        return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))

    @property
    def covered(self) -> NDArray[np.bool_]:
        """True, shape (H, W), where the probe left enough light to say anything of the object."""
        return np.asarray(self.coverage > ptycho_nb.EMPTY * self.coverage.max())

    def matches(self, scan: Scan) -> bool:
        """Whether it can be of this scan: as many patterns, as wide, none farther from its place than a fit moves it or half its width."""
        if len(self.positions) != scan.M or self.probe.shape[-1] != scan.N:
            return False
        fit = self.settings.get("refinement")
        moved = fit.get("max_shift", 0.0) if isinstance(fit, dict) else 0.0
        return bool(np.abs(self.positions - scan.positions).max() <= max(scan.N / 2, moved))

    def predicted(self, patterns: NDArray[Any] | list[int]) -> NDArray[np.float32]:
        """Photons (B, N, N) that object and probe give for some patterns of the scan, by index."""
        return self._prediction().photons(np.asarray(patterns, dtype=np.int64))

    def r_factor(self, scan: Scan) -> float:
        """R = sum |sqrt I - sqrt y| / sum sqrt y over all believed pixels of all patterns.

        No measure of quality: more freedom always lowers it. Compare it at equal freedom and with
        the R of the photon noise alone.

        Raises
        ------
        InputError
            The scan has another number of patterns.
        """
        return self._prediction(scan).r_factor(scan.intensity, scan.mask)

    def misfit(self, scan: Scan, loss: str, patterns: NDArray[Any] | None = None) -> float:
        """Mean loss a pixel (``losses.LOSSES``) on some patterns of the scan, all if none are named."""
        chosen = np.arange(scan.M) if patterns is None else np.asarray(patterns)
        return self._prediction(scan).misfit(scan.intensity, scan.mask, loss, chosen)

    def _prediction(self, scan: Scan | None = None) -> ptycho_nb.Prediction:
        """What explains the photons; of the scan it was made from, where one is given."""
        if scan is not None and (len(self.positions) != scan.M or self.probe.shape[-1] != scan.N):
            raise InputError(
                f"The reconstruction is of {len(self.positions)} patterns of width {self.probe.shape[-1]}, "
                f"the scan has {scan.M} of {scan.N}: give the scan it was made from."
            )
        return ptycho_nb.Prediction(self.object, self.probe, self.positions - self.origin, self.brightness, self.background)

    def twin(self) -> Reconstruction:
        """The other solution that fits as well: object and probe turned by 180° and conjugated, both position axes reversed.

        A free probe admits both; ``r_factor`` is the same up to the window's edge row, since an even
        window has no middle pixel. At the positions as measured it does not fit: a stage whose
        directions are known excludes it. So does the sign of the phase, which matter makes negative
        in X-ray transmission.
        """
        H, W = self.object.shape
        turned = np.roll(self.probe[:, ::-1, ::-1], 1, axis=(-2, -1))  # about [N // 2, N // 2]
        return self.replace(
            object=np.ascontiguousarray(self.object[::-1, ::-1].conj()),
            coverage=np.ascontiguousarray(self.coverage[::-1, ::-1]),
            probe=np.ascontiguousarray(turned.conj()),
            positions=-self.positions,
            origin=(-(self.origin[0] + H - 1), -(self.origin[1] + W - 1)),
            optimiser={},
        )

    def replace(self, **changes: Any) -> Reconstruction:
        """The same reconstruction with some attributes changed."""
        return replace(self, **changes)

    def save(self, path: StrPath, *, inputs: Iterable[StrPath] = ()) -> None:
        """Written to ``path``, .npz or .h5, whole or not at all; ``load`` gives back every bit of it.

        Raises
        ------
        InputError
            The file cannot be written, or is one of ``inputs``.
        """
        plain = {
            "origin": [int(at) for at in self.origin],
            "pixel_size": self.pixel_size,
            "method": self.method,
            "state": str(self.state),
            "history": None if self.history is None else self.history.to_dict(),
            "seconds": self.seconds,
            "settings": self.settings,
            "name": self.name,
        }
        arrays = {OPTIMISER + name: values for name, values in self.optimiser.items()}
        arrays |= {"object": self.object, "coverage": self.coverage, "probe": self.probe, "positions": self.positions}
        added = {"brightness": self.brightness, "background": self.background}
        arrays |= {name: values for name, values in added.items() if values is not None}
        save_arrays(path, FORM, arrays=arrays, plain=plain, inputs=inputs)

    @classmethod
    def load(cls, path: StrPath) -> Reconstruction:
        """What ``save`` wrote; an iterative fit can go on from it.

        Raises
        ------
        InputError
            The file is missing, damaged, of a newer version or no reconstruction.
        """
        with open_arrays(path) as source:
            values = own_values(source)
            form = "" if values is None else str(values["format"])
            wanted = [name for name in source.headers if name in ARRAYS or name in ADDED or name.startswith(OPTIMISER)]
            arrays = {name: source.read(name) for name in wanted} if form == FORM else {}
        if values is None:
            raise InputError(f"{source.label} is no saved reconstruction; give a file that Reconstruction.save wrote.")
        if form != FORM:
            raise InputError(f"{source.label} holds a {form[:40]}, not a reconstruction; scans are read by load_scan.")
        _fits(arrays, source.label)
        try:
            return _restored(arrays, values)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{source.label}: what it says of its run cannot be read; save the reconstruction again.") from error

    def __repr__(self) -> str:
        H, W = self.object.shape
        return f"<Reconstruction {self.name}: {self.method}, {H} x {W}, {self.state}, {self.seconds:.1f} s>"


def _fits(arrays: Mapping[str, NDArray[Any]], label: str) -> None:
    """Object, coverage, probe and positions of a saved file are there and belong together."""
    for name, (dtype, axes) in ARRAYS.items():
        values = arrays.get(name)
        if values is None or values.dtype != dtype or values.ndim != axes or not values.size:
            found = "is missing" if values is None else f"is {values.dtype} of shape {values.shape}"
            raise InputError(f"{label}: {name!r} {found}; it must be {dtype} with {axes} axes: save the reconstruction again.")
    lengths = {"brightness": (len(arrays["positions"]),), "background": arrays["probe"].shape[1:]}
    for name, (dtype, _) in ADDED.items():
        if name in arrays and (arrays[name].dtype != dtype or arrays[name].shape != lengths[name]):
            raise InputError(f"{label}: {name!r} must be {dtype} of shape {lengths[name]}; save the reconstruction again.")
    object, coverage, probe, positions = (arrays[name].shape for name in ARRAYS)
    if coverage != object or probe[1] != probe[2] or probe[1] % 2 or positions[1] != 2:
        raise InputError(f"{label}: object, coverage, probe and positions do not fit each other; save the reconstruction again.")
    if not np.isfinite(arrays["positions"]).all():
        raise InputError(f"{label}: a position is NaN or infinite; every pattern needs a finite (row, column).")


def _restored(arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> Reconstruction:
    """A reconstruction from the arrays and the JSON of its file."""
    row, column = values["origin"]
    return Reconstruction(
        object=arrays["object"],
        coverage=arrays["coverage"],
        probe=arrays["probe"],
        positions=arrays["positions"],
        origin=(int(row), int(column)),
        pixel_size=None if values["pixel_size"] is None else float(values["pixel_size"]),
        method=str(values["method"]),
        state=State(values["state"]),
        history=None if values["history"] is None else History.from_dict(values["history"]),
        seconds=float(values["seconds"]),
        settings=dict(values["settings"]),
        name=str(values["name"]),
        optimiser={name.removeprefix(OPTIMISER): stored for name, stored in arrays.items() if name.startswith(OPTIMISER)},
        brightness=arrays.get("brightness"),
        background=arrays.get("background"),
    )
