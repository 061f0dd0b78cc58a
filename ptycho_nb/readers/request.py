"""What a person may say about a file that the file does not say itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ptycho_nb.errors import ScanError, unknown

UNITS = {"px": None, "m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9}
QUANTITIES = ("counts", "amplitude")
ORIGINS = ("centre", "corner")
HC = 1.239841984e-6  # Planck constant times speed of light [eV m], SI 2019


@dataclass(frozen=True)
class Request:
    """The arguments of ``load_scan``; None leaves a thing to the file and the evidence.

    Raises
    ------
    ScanError
        A choice that does not exist, or a length or energy that is not positive.
    """

    patterns: str | None = None
    positions: str | None = None
    x: str | None = None
    y: str | None = None
    probe: str | None = None
    position_unit: str | None = None
    quantity: str | None = None
    zero_frequency: str | None = None
    energy_ev: float | None = None
    distance_m: float | None = None
    detector_pixel_m: float | None = None
    probe_diameter: float | None = None
    center: ArrayLike | None = None
    crop: int | None = None
    bin: int | None = None
    mask: Any = None

    def __post_init__(self) -> None:
        choices = {"position_unit": (self.position_unit, UNITS), "quantity": (self.quantity, QUANTITIES)}
        choices |= {"zero_frequency": (self.zero_frequency, ORIGINS)}
        for name, (value, allowed) in choices.items():
            if value is not None and value not in allowed:
                raise ScanError(unknown(name, value, allowed))
        for name, number in (self.lengths | {"probe_diameter": self.probe_diameter}).items():
            if number is not None and not positive(number):
                raise ScanError(f"{name} is {str(number)[:40]}; it must be a positive number.")

    @property
    def names(self) -> dict[str, str | None]:
        """Arrays named by their role."""
        mask = self.mask if isinstance(self.mask, str) else None
        return {"patterns": self.patterns, "positions": self.positions, "x": self.x, "y": self.y, "probe": self.probe, "mask": mask}

    @property
    def only_window(self) -> bool:
        """Whether nothing is said but which part of the detector to keep."""
        window = {"center", "crop", "bin", "mask"}
        return not isinstance(self.mask, str) and all(v is None for k, v in self.__dict__.items() if k not in window)

    @property
    def lengths(self) -> dict[str, float | None]:
        """The parts of the object's pixel size."""
        return {"energy_ev": self.energy_ev, "distance_m": self.distance_m, "detector_pixel_m": self.detector_pixel_m}


def positive(value: Any) -> bool:
    """Whether it is one finite number above zero."""
    number = np.asarray(value)
    return number.ndim == 0 and number.dtype.kind in "iuf" and bool(np.isfinite(number) and number > 0)
