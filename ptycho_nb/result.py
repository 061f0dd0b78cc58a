"""What a run leaves: the object, the probe and the positions that explain the photons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptycho_nb.errors import InputError, unknown
from ptycho_nb.files import StrPath
from ptycho_nb.history import History, State
from ptycho_nb.losses import LOSSES
from ptycho_nb.patches import EMPTY
from ptycho_nb.physics import expected_photons
from ptycho_nb.readers import open_arrays, own_values, save_arrays
from ptycho_nb.scan import Canvas, Scan

BATCH = 64  # patterns predicted at once
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
        return np.asarray(self.coverage > EMPTY * self.coverage.max())

    def matches(self, scan: Scan) -> bool:
        """Whether it can be of this scan: as many patterns, as wide, none farther from its place than a fit moves it or half its width."""
        if len(self.positions) != scan.M or self.probe.shape[-1] != scan.N:
            return False
        fit = self.settings.get("refinement")
        moved = fit.get("max_shift", 0.0) if isinstance(fit, dict) else 0.0
        return bool(np.abs(self.positions - scan.positions).max() <= max(scan.N / 2, moved))

    def predicted(self, patterns: NDArray[Any] | list[int]) -> NDArray[np.float32]:
        """Photons (B, N, N) that object and probe give for some patterns of the scan, by index."""
        canvas, positions = self._padded()
        chosen = torch.as_tensor(np.asarray(patterns, dtype=np.int64))
        if not len(chosen) or int(chosen.min()) < 0 or int(chosen.max()) >= len(positions):
            raise InputError(f"The patterns asked for are none or reach outside 0 to {len(positions) - 1}; choose among the scan's own.")
        return np.asarray(self._expected(canvas, positions, chosen).numpy(), dtype=np.float32)

    def _expected(self, canvas: torch.Tensor, positions: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Photons (B, N, N) of some patterns, brightness and background included."""
        photons = expected_photons(canvas, torch.from_numpy(self.probe), positions[chosen])
        if self.brightness is not None:
            photons = photons * torch.from_numpy(self.brightness)[chosen, None, None].to(photons.dtype)
        return photons if self.background is None else photons + torch.from_numpy(self.background)

    def r_factor(self, scan: Scan) -> float:
        """R = sum |sqrt I - sqrt y| / sum sqrt y over all believed pixels of all patterns.

        No measure of quality: more freedom always lowers it. Compare it at equal freedom and with
        the R of the photon noise alone.

        Raises
        ------
        InputError
            The scan has another number of patterns.
        """
        mask = torch.from_numpy(scan.mask)
        difference = total = 0.0  # a batch at a time: metrics.r_factor would need all photons at once
        for expected, measured in self._pairs(scan):
            amplitude = measured.sqrt()
            difference += float(((expected.sqrt() - amplitude).abs() * mask).sum())
            total += float((amplitude * mask).sum())
        return difference / total

    def misfit(self, scan: Scan, loss: str, patterns: NDArray[Any] | None = None) -> float:
        """Mean loss a pixel (``losses.LOSSES``) on some patterns of the scan, all if none are named."""
        if loss not in LOSSES:
            raise InputError(unknown("loss", loss, LOSSES))
        mask = torch.from_numpy(scan.mask)
        parts = [(float(LOSSES[loss](i, y, mask)), len(y)) for i, y in self._pairs(scan, patterns)]
        return sum(value * count for value, count in parts) / sum(count for _, count in parts)

    def _pairs(self, scan: Scan, patterns: NDArray[Any] | None = None) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Expected and measured photons, a batch at a time."""
        if len(self.positions) != scan.M or self.probe.shape[-1] != scan.N:
            raise InputError(
                f"The reconstruction is of {len(self.positions)} patterns of width {self.probe.shape[-1]}, "
                f"the scan has {scan.M} of {scan.N}: give the scan it was made from."
            )
        chosen = np.arange(scan.M) if patterns is None else np.asarray(patterns)
        canvas, positions = self._padded()
        for first in range(0, len(chosen), BATCH):
            some = chosen[first : first + BATCH]
            yield self._expected(canvas, positions, torch.from_numpy(some)), torch.from_numpy(scan.intensity[some])

    def _padded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The object with room for every patch, clear (1) outside, and the positions on it."""
        N = self.probe.shape[-1]
        positions = self.positions - self.origin
        before = np.maximum(0, N // 2 + 1 - np.floor(positions.min(0))).astype(int)
        after = np.maximum(0, np.ceil(positions.max(0)) + N // 2 + 1 - self.object.shape).astype(int)
        padded = np.pad(self.object, list(zip(before, after, strict=True)), constant_values=1)
        return torch.from_numpy(padded), torch.from_numpy(positions + before)

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
