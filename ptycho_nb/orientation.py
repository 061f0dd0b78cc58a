"""The eight ways round that the positions of a scan may be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import nan

from ptycho_nb.scan import Scan


@dataclass(frozen=True)
class Orientation:
    """One way round of the positions, as ``Scan.oriented`` takes it, and how well it fits.

    Attributes
    ----------
    transpose, flip_rows, flip_columns : bool
        As for ``Scan.oriented``.
    misfit : float
        R over patterns that the short fit did not see; NaN where none was made.
    equal : Orientation or None
        The other one that fits exactly as well: with a free probe, both axes flipped once more.
    """

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False
    misfit: float = nan
    equal: Orientation | None = None

    @property
    def words(self) -> str:
        """Which it is: "as recorded", "rows and columns swapped", "rows and columns swapped, then rows flipped"…"""
        flips = [name for name, flipped in (("rows", self.flip_rows), ("columns", self.flip_columns)) if flipped]
        flipped = f"{' and '.join(flips)} flipped"
        if self.transpose:
            return f"rows and columns swapped, then {flipped}" if flips else "rows and columns swapped"
        return flipped if flips else "as recorded"

    def apply(self, scan: Scan) -> Scan:
        """The scan with its positions this way round."""
        return scan.oriented(transpose=self.transpose, flip_rows=self.flip_rows, flip_columns=self.flip_columns)


CHOICES = tuple(Orientation(transpose, rows, columns) for transpose, rows, columns in product((False, True), repeat=3))
