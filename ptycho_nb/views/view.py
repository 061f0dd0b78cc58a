"""What is shown of an object: cut, turned, flattened, unwrapped, with limits and colours. Screen and export draw this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import ViewConfig
from ptycho_nb.errors import InputError
from ptycho_nb.metrics import Region
from ptycho_nb.quantities import figures
from ptycho_nb.result import Reconstruction
from ptycho_nb.views.flat import flattened
from ptycho_nb.views.scales import TICKS, Limits, by_hand, phase_colours, robust

LIT = 0.02  # of the greatest coverage: where less light fell, an object is mostly noise and is not shown


@dataclass(frozen=True, eq=False, repr=False)
class View:
    """What is shown of an object.

    Attributes
    ----------
    amplitude, phase : float32, shape (h, w)
        The phase in rad; NaN where too little light fell.
    box : (slice, slice)
        Its rows and columns in the object array; in that of the twin where the twin is shown.
    inside : (slice, slice)
        Rows and columns of the view that were scanned: limits and statistics are taken there.
    amplitude_limits, phase_limits : (float, float)
        What is drawn darkest and brightest; the phase in rad.
    amplitude_map, phase_map : str
        Names of matplotlib's colour maps.
    phase_ticks : dict of float to str, or None
        Places and words of a scale that runs round a full turn.
    ramp : (float, float) or None
        Taken off along rows and columns [rad/px].
    pixel_size : float or None
        Width of a pixel [m].
    name, method : str
        The scan's and the method's.
    config : ViewConfig
        What was asked for.
    """

    amplitude: NDArray[np.float32]
    phase: NDArray[np.float32]
    box: Region
    inside: Region
    amplitude_limits: Limits
    phase_limits: Limits
    amplitude_map: str
    phase_map: str
    phase_ticks: dict[float, str] | None
    ramp: tuple[float, float] | None
    pixel_size: float | None
    name: str
    method: str
    config: ViewConfig

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns (h, w) [px]."""
        return self.amplitude.shape[0], self.amplitude.shape[1]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """True, shape (h, w), where limits and statistics are taken: lit pixels that were scanned."""
        return _judged(np.isfinite(self.amplitude), self.inside)

    @property
    def amplitude_words(self) -> str:
        """What the amplitude shows, for those who do not see it."""
        span = _span(self.amplitude_limits)
        return f"Amplitude of {self.name}, {self.method}: {self._size}, drawn from {span} in {self.amplitude_map}"

    @property
    def phase_words(self) -> str:
        """What the phase shows, for those who do not see it."""
        kind = "Unwrapped phase" if self.config.unwrap else "Phase"
        return f"{kind} of {self.name}, {self.method}: {self._size}, drawn from {_span(self.phase_limits)} rad in {self.phase_map}"

    @property
    def caption(self) -> str:
        """What was done to the object before it was drawn, in sentences."""
        part = {"all": "the whole canvas", "covered": "what was well lit", "scanned": "the scanned region"}[self.config.crop]
        said = [f"{self.name}, {self.method}: amplitude and phase of {part}, {self._size}", "The mean phase is taken off"]
        if self.ramp is not None:
            down, across = (figures(slope, 2) for slope in self.ramp)
            said.append(f"A phase ramp of {down} and {across} rad/px along rows and columns is taken off")
        if self.config.unwrap:
            said.append("The phase is unwrapped")
        if self.config.twin:
            said.append("The twin is shown: turned by 180° and complex conjugate")
        return ". ".join([*said, f"Amplitude from {_span(self.amplitude_limits)}, phase from {_span(self.phase_limits)} rad"]) + "."

    @property
    def _size(self) -> str:
        return f"{self.shape[0]} × {self.shape[1]} px"

    def __repr__(self) -> str:
        return f"<View of {self.name}: {self.method}, {self.shape[0]} x {self.shape[1]}>"


def view(result: Reconstruction, config: ViewConfig | None = None) -> View:
    """The object of a result as it is to be shown.

    Its mean phase over the scanned region, which is free, is taken off.

    Raises
    ------
    InputError
        No pixel got light or is finite, or a limit set by hand leaves no range.
    """
    config = config or ViewConfig()
    shown = result.twin() if config.twin else result
    lit = np.isfinite(shown.object) & (shown.coverage > LIT * shown.coverage.max())
    if not np.isfinite(shown.object).any():
        raise InputError(f"The object of {shown.name[:40]} holds no finite number; lower the learning rate and run again.")
    if not lit.any():
        raise InputError(f"The object of {shown.name[:40]} got no light anywhere; there is nothing to show.")
    box = BOXES[config.crop](shown, lit)
    inside = _within(shown.scanned, box)
    lit = lit[box]
    judged = _judged(lit, inside)
    found = np.where(lit, shown.object[box], 0).astype(np.complex128)
    phase, ramp = flattened(found, lit, judged, remove_ramp=config.remove_ramp, unwrap=config.unwrap)
    amplitude = np.where(lit, np.abs(found), np.nan)
    amplitude_limits = by_hand("amplitude", robust(amplitude[judged]), config.amplitude_low, config.amplitude_high)
    phase_map, phase_limits = phase_colours(phase[judged], config)
    return View(
        amplitude=amplitude.astype(np.float32),
        phase=phase.astype(np.float32),
        box=box,
        inside=inside,
        amplitude_limits=amplitude_limits,
        phase_limits=phase_limits,
        amplitude_map=config.amplitude_map,
        phase_map=phase_map,
        phase_ticks=TICKS if phase_limits == (-np.pi, np.pi) else None,
        ramp=ramp,
        pixel_size=shown.pixel_size,
        name=shown.name,
        method=shown.method,
        config=config,
    )


def _span(limits: Limits) -> str:
    """From where to where, in words."""
    return f"{figures(limits[0])} to {figures(limits[1])}"


def _judged(lit: NDArray[np.bool_], inside: Region) -> NDArray[np.bool_]:
    """The lit pixels that were scanned, or all lit ones if there is none."""
    judged = np.zeros_like(lit)
    judged[inside] = lit[inside]
    return judged if judged.any() else lit


def _bounds(lit: NDArray[np.bool_]) -> Region:
    """The least box round what was lit."""
    rows, columns = (np.flatnonzero(lit.any(axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _scanned(result: Reconstruction, lit: NDArray[np.bool_]) -> Region:
    """The scanned region, or what was lit if it holds no light."""
    return result.scanned if lit[result.scanned].any() else _bounds(lit)


def _within(region: Region, box: Region) -> Region:
    """A region of the object array counted in the box."""
    rows, columns = (slice(max(r.start - b.start, 0), max(min(r.stop, b.stop) - b.start, 0)) for r, b in zip(region, box, strict=True))
    return rows, columns


BOXES: dict[str, Callable[[Reconstruction, NDArray[np.bool_]], Region]] = {
    "all": lambda result, lit: (slice(0, lit.shape[0]), slice(0, lit.shape[1])),
    "covered": lambda result, lit: _bounds(lit),
    "scanned": _scanned,
}
