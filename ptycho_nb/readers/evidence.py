"""What the numbers themselves tell: counts or amplitude, and where zero frequency lies.

No decision is made from a name alone unless the name says it outright, and each is a note.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.errors import ScanError
from ptycho_nb.readers.source import quoted

SAMPLE = 64  # patterns looked at
CLEARLY = 1.5  # times more weight in the one place than in the other
NORMALISED = 1.5  # greatest value of patterns scaled to about one
TRANSMISSION = (0.2, 1.3)  # mean photons over the empty beam's: what objects let through
SAYS_AMPLITUDE = ("amplitude", "modulus", "diffamp")
SAYS_COUNTS = ("intensit", "count")


def origin(values: NDArray[Any], believed: NDArray[np.bool_], notes: list[str]) -> str:
    """``"centre"`` or ``"corner"``: where the mean pattern has its weight.

    Diffraction falls off from zero frequency, so the half-wide box round it holds most of the
    light: round the middle, or across the four corners.

    Raises
    ------
    ScanError
        Neither holds clearly more.
    """
    mean = np.where(believed, values[sampled(len(values))].mean(0, dtype=np.float64), 0)
    inner, outer = _box(mean), _box(np.fft.fftshift(mean))
    shares = f"{inner:.0%} of the light lies in its middle half, {outer:.0%} in its corners"
    if inner > CLEARLY * outer:
        notes.append(f"Zero frequency is taken at the pattern's centre: {shares}.")
        return "centre"
    if outer > CLEARLY * inner:
        notes.append(f"Zero frequency is taken at the pattern's corner and moved: {shares}.")
        return "corner"
    raise ScanError("Zero frequency may lie at the centre or at the corner of the patterns; say zero_frequency='centre' or 'corner'.")


def quantity(values: NDArray[Any], name: str, energy: float | None, notes: list[str]) -> str:
    """``"counts"`` or ``"amplitude"``: which of the two the values are.

    Parameters
    ----------
    values : real, shape (M, R, C)
        Finite, not negative, bad pixels zero.
    name : str
        Of the array, believed only where it says the quantity outright.
    energy : float or None
        Photons of the empty beam, from the probe or the file.

    Raises
    ------
    ScanError
        Nothing tells.
    """
    if values.dtype.kind in "biu":
        notes.append(f"The patterns are whole numbers ({values.dtype}) and read as counts.")
        return "counts"
    some = values[sampled(len(values))]
    if _whole(some, 1.0):
        notes.append("The patterns are whole numbers and read as counts.")
        return "counts"
    if square_root_of_counts(values):
        notes.append("The patterns' squares are whole numbers; they are read as amplitude, sqrt(counts).")
        return "amplitude"
    scale = "their squares sum to (N/2)², the scale of PtychoPINN's normalised amplitude"
    found = ("amplitude", scale) if ptychopinn_scale(values) else _told(some, name, energy)
    if found is None:
        raise ScanError(f"The patterns {quoted(name)} may be counts or amplitude = sqrt(counts); say quantity='counts' or 'amplitude'.")
    notes.append(f"The patterns are read as {found[0]}: {found[1]}.")
    return found[0]


def normalised(values: NDArray[Any]) -> bool:
    """Whether the patterns are scaled to about one, so that photons are unknown."""
    return values.dtype.kind == "f" and float(values.max(initial=0)) <= NORMALISED and not _whole(values[sampled(len(values))], 1.0)


def square_root_of_counts(values: NDArray[Any]) -> bool:
    """Whether the squares are whole numbers."""
    return values.dtype.kind == "f" and _whole(values[sampled(len(values))], 2.0)


def ptychopinn_scale(amplitude: NDArray[Any]) -> bool:
    """Whether the mean pattern's squares sum to (N/2)², the scale of PtychoPINN's files."""
    total = sum(float(np.square(pattern, dtype=np.float64).sum()) for pattern in amplitude) / len(amplitude)
    return amplitude.dtype.kind == "f" and abs(total / (amplitude.shape[-1] / 2) ** 2 - 1) < 1e-2


def _told(some: NDArray[Any], name: str, energy: float | None) -> tuple[str, str] | None:
    """Quantity and reason for values that are not whole in any sense."""
    if any(word in name.lower() for word in SAYS_AMPLITUDE):
        return "amplitude", f"the array is called {quoted(name)}"
    if any(word in name.lower() for word in SAYS_COUNTS):
        return "counts", f"the array is called {quoted(name)}"
    if energy is None:
        return None
    sums = {"counts": some.sum(dtype=np.float64), "amplitude": np.square(some, dtype=np.float64).sum()}
    low, high = TRANSMISSION
    fits = [kind for kind, total in sums.items() if low <= total / len(some) / energy <= high]
    return (fits[0], "so their photons agree with the probe's") if len(fits) == 1 else None


def _whole(values: NDArray[Any], power: float) -> bool:
    """Whether the values to this power are whole numbers, as far as their type can tell."""
    powered = np.power(values[values > 0][:200_000].astype(np.float64), power)
    rounding = 4 * power * float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 0.0
    tested = powered[(powered > 0.5) & (powered * rounding < 0.02)]
    if len(tested) < max(1, 0.5 * np.count_nonzero(powered * rounding < 0.02)):
        return False  # most lie near zero, where rounding to a whole number says nothing
    return bool(np.mean(np.abs(tested - np.round(tested)) < 1e-3 + tested * rounding) > 0.999)


def _box(mean: NDArray[np.float64]) -> float:
    """Share of the light in the middle half."""
    R, C = mean.shape
    return float(mean[R // 4 : R - R // 4, C // 4 : C - C // 4].sum() / max(mean.sum(), 1e-300))


def sampled(M: int) -> NDArray[np.intp]:
    """Some patterns from first to last."""
    return np.unique(np.linspace(0, M - 1, min(M, SAMPLE)).astype(np.intp))
