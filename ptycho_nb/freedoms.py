"""Which freedoms of the iterative fit the data ask for: modes, positions, brightness, background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import Control, Listener, State
from ptycho_nb.quantities import figures
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

HELD = 0.05  # of the pixels of each pattern, kept out of every fit
CERTAIN = 3.0  # standard errors by which the misfit must be lower
WORTH = 0.002  # of the misfit, the least gain that counts
PLAIN, TOGETHER = "as set", "all that help"


@dataclass(frozen=True, eq=False)
class Freedom:
    """One fit with more freedom than the plain one, judged on detector pixels that neither saw.

    Attributes
    ----------
    name : str
    config : RefinementConfig
        The settings to take for it.
    misfit : float
        Mean loss of a pixel kept out.
    gain : float
        By which share of itself the plain fit's misfit is lowered; negative where it rises.
    error : float
        Standard error of ``gain``, from the differences pattern by pattern.
    seconds : float
    result : Reconstruction
        Of the fit, which did without the pixels kept out.
    """

    name: str
    config: RefinementConfig
    misfit: float
    gain: float
    error: float
    seconds: float
    result: Reconstruction

    @property
    def helps(self) -> bool:
        """Whether the misfit is lower by more than chance and by enough to count."""
        return self.gain > max(WORTH, CERTAIN * self.error)

    @property
    def plain(self) -> bool:
        """Whether it is the fit as it is set, with no freedom more."""
        return self.name == PLAIN

    @property
    def single(self) -> bool:
        """Whether it has one freedom more, not all that help."""
        return self.name not in (PLAIN, TOGETHER)

    @property
    def words(self) -> str:
        """The verdict in one line."""
        if self.plain:
            return f"{PLAIN}: misfit {figures(self.misfit, 4)} on held-out pixels"
        told = "helps" if self.helps else "does not help"
        return f"{self.name}: {told}, misfit on held-out pixels {figures(-100 * self.gain, 2)} ± {figures(100 * self.error, 1)} %"

    def __repr__(self) -> str:
        return f"<Freedom {self.words}>"


def rank_freedoms(
    scan: Scan, config: RefinementConfig | None = None, *, listener: Listener | None = None, control: Control | None = None
) -> list[Freedom]:
    """Fits with one freedom more each, then one with all that help; the lowest misfit on held-out pixels first.

    More freedom always explains the fitted pixels better, noise included. So a twentieth of the
    detector pixels, others in each pattern, is kept out of every fit, and a freedom helps where it
    predicts these better: by more than three standard errors, and by 0.2 % at least. It takes about
    nine fits' time.

    Parameters
    ----------
    scan : Scan
    config : RefinementConfig, optional
        The plain fit's.
    listener : callable, optional
        Gets the ``History`` of each fit in turn.
    control : Control, optional
        A stop ends the fit under way, which is not judged, and tries no further ones; of the plain
        fit there is what it came to.

    References
    ----------
    Brünger, Nature 355, 472 (1992): data kept aside tell a better model from a freer one.
    """
    control = control or Control()
    plain = (config or RefinementConfig()).replace(held_pixels=HELD, holdout=0.0)

    def fitted(name: str, changes: Mapping[str, Any]) -> Freedom:
        result = refine(scan, None, plain.replace(**changes), listener=listener, control=control)
        gain, error = (0.0, 0.0) if not tried else _gain(_judged(tried[0].result), _judged(result))
        wanted = (config or RefinementConfig()).replace(**changes)
        return Freedom(name, wanted, float(_judged(result).mean()), gain, error, result.seconds, result)

    tried: list[Freedom] = []  # the plain fit first
    tried.append(fitted(PLAIN, {}))
    modes = plain.probe_modes or len(scan.probe)
    for name, changes in FREEDOMS.items():
        if not control.stopping and _frees(changes, plain, modes):
            tried += _judgeable(fitted(name, changes), control)
    together = _together(tried)
    if len(together) > 1 and not control.stopping:
        tried += _judgeable(fitted(TOGETHER, {k: v for name in together for k, v in FREEDOMS[name].items()}), control)
    return sorted(tried, key=lambda one: -one.gain)


def _frees(changes: Mapping[str, Any], plain: RefinementConfig, modes: int) -> bool:
    """Whether the changes let a fit do more than the plain one, which has so many probe modes."""
    return plain.replace(**changes) != plain and changes.get("probe_modes", modes + 1) > modes


def _judgeable(one: Freedom, control: Control) -> list[Freedom]:
    """The fit, unless it was cut off or diverged; a time limit is the same for all."""
    whole = one.result.state is State.DONE or (one.result.state is State.STOPPED and not control.stopping)
    return [one] if whole else []


def _together(tried: list[Freedom]) -> list[str]:
    """Names of those that help, of those that set the same thing the best."""
    chosen: dict[str, Freedom] = {}
    for one in sorted((t for t in tried if t.helps), key=lambda t: t.gain):
        chosen[next(iter(FREEDOMS[one.name]))] = one
    return [one.name for one in chosen.values()]


def _judged(result: Reconstruction) -> NDArray[np.float64]:
    """Misfit on the pixels kept out, by pattern."""
    return np.asarray(result.optimiser["judged"], dtype=np.float64)


def _gain(plain: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """By which share the second is lower on average, and the standard error of that."""
    better = (plain - other) / plain.mean()
    return float(better.mean()), float(better.std(ddof=1) / np.sqrt(len(better)))


FREEDOMS: dict[str, dict[str, Any]] = {
    "two probe modes": {"probe_modes": 2},
    "three probe modes": {"probe_modes": 3},
    "positions, each by itself": {"refine_positions": True, "position_model": "free"},
    "positions, a smooth drift": {"refine_positions": True, "position_model": "drift"},
    "positions, scale and rotation": {"refine_positions": True, "position_model": "affine"},
    "brightness of each pattern": {"refine_brightness": True},
    "a background": {"refine_background": True},
}
