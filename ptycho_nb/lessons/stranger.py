"""A stranger's file: a scan whose arrays have odd names, units and axes, with a detector that has bad pixels.

It is made up, so that the object is known, and written the way files come from a beamline that
nobody has heard of.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import SimulationConfig
from ptycho_nb.errors import InputError
from ptycho_nb.readers.request import HC
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan

NAME = "run0042.npz"
ENERGY_KEV = 8.0
DISTANCE_MM = 1000.0
DETECTOR_PIXEL_UM = 55.0
STAGE_UM = (1843.2, -310.6)  # where the stage stood: horizontal, vertical
BEAM_OFF = (5, -4)  # rows, columns that the beam misses the middle by
HOT = ((60, 140), (96, 12), (171, 40))  # detector pixels that count by themselves
HOT_COUNTS = 2500
DEAD = ((103, 92), (110, 101), (99, 97))  # detector pixels that never count
EXPERIMENT = SimulationConfig(
    object="picture",
    N=200,
    height=318,
    width=354,
    overlap=0.7,
    nphotons=2e5,
    probe_diameter=36,
    defocus=1.5,
    phase_range=1.6,
    pixel_size=None,
    seed=3,
)


@dataclass(frozen=True, eq=False)
class Stranger:
    """A file of unknown make, and what only its maker knows.

    Attributes
    ----------
    path : Path
        The file.
    made : Scan
        What was measured, in photons and object pixels, truth and probe known.
    """

    path: Path
    made: Scan

    def truth(self, result: Reconstruction) -> NDArray[np.complex64]:
        """The known object (H, W) on the grid of a reconstruction of this file.

        It is brought to the reconstruction's pixel size and to where its positions lie, as far as
        whole pixels go; its edge is repeated beyond what is known.

        Raises
        ------
        InputError
            The reconstruction is of another scan, or has no pixel size.
        """
        if len(result.positions) != self.made.M or result.pixel_size is None:
            raise InputError(f"The reconstruction is not one of {self.path.name} in units of length; give that of a scan loaded from it.")
        assert self.made.truth is not None
        assert self.made.pixel_size is not None
        seen = self.made.on_detector(crop=2 * round(self.made.N * self.made.pixel_size / result.pixel_size / 2))
        assert seen.truth is not None
        offset = np.rint(_middle(result.positions) - _middle(seen.positions) - result.origin).astype(int)
        rows, columns = (
            np.clip(np.arange(n) - o, 0, size - 1) for n, o, size in zip(result.object.shape, offset, seen.truth.shape, strict=True)
        )
        return seen.truth[np.ix_(rows, columns)]


def leave_file(folder: str | os.PathLike[str]) -> Stranger:
    """Write the stranger's file into a folder; each time the same.

    Its arrays: ``raw`` (200, 200, M), counts; ``motor`` (M, 2), horizontal and vertical position of
    the beam on the sample [µm]; ``E_keV``, ``L_mm``, ``pix_um``. There is no probe.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    made = simulate_scan(EXPERIMENT)
    pixel = HC / (ENERGY_KEV * 1e3) * DISTANCE_MM * 1e-3 / (made.N * DETECTOR_PIXEL_UM * 1e-6)
    made = made.replace(pixel_size=pixel)
    path = Path(folder) / NAME
    try:
        np.savez(path, **_arrays(made, pixel))
    except OSError as error:
        raise InputError(f"{path.name} cannot be written: {error.strerror}; give a folder that can.") from error
    return Stranger(path, made)


def _arrays(made: Scan, pixel: float) -> dict[str, Any]:
    """What the file holds."""
    raw = np.roll(made.intensity, BEAM_OFF, axis=(1, 2)).astype(np.uint16)
    for row, column in HOT:
        raw[:, row, column] += HOT_COUNTS
    for row, column in DEAD:
        raw[:, row, column] = 0
    return {
        "raw": np.ascontiguousarray(np.moveaxis(raw, 0, -1)),
        "motor": made.positions[:, ::-1] * pixel * 1e6 + STAGE_UM,
        "E_keV": np.float64(ENERGY_KEV),
        "L_mm": np.float64(DISTANCE_MM),
        "pix_um": np.float64(DETECTOR_PIXEL_UM),
    }


def _middle(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middle of the box round positions (M, 2)."""
    return np.asarray((positions.min(0) + positions.max(0)) / 2)
