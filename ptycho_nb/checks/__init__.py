"""What looks wrong with a scan or a reconstruction, and what to try."""

from __future__ import annotations

from collections.abc import Callable

from ptycho_nb.checks import patterns, positions, results
from ptycho_nb.checks.finding import Finding, Severity
from ptycho_nb.checks.patterns import good_pixels
from ptycho_nb.checks.results import noise_r_factor, r_factors
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

__all__ = ["RECONSTRUCTION_CHECKS", "SCAN_CHECKS", "Finding", "Severity", "checks", "good_pixels", "noise_r_factor", "r_factors"]


def checks(subject: Scan | Reconstruction, scan: Scan | None = None) -> list[Finding]:
    """What looks wrong, the gravest first; empty when all looks well.

    Parameters
    ----------
    subject : Scan or Reconstruction
    scan : Scan, optional
        What a reconstruction was made from: with it the misfit is judged too.
    """
    if isinstance(subject, Scan):
        found = [check(subject) for check in SCAN_CHECKS.values()]
    else:
        found = [check(subject, scan) for check in RECONSTRUCTION_CHECKS.values()]
    order = list(Severity)[::-1]
    return sorted((f for f in found if f), key=lambda f: order.index(f.severity))


SCAN_CHECKS: dict[str, Callable[[Scan], Finding | None]] = {
    "few": positions.few,
    "units": positions.units,
    "overlap": positions.overlap,
    "line": positions.line,
    "duplicates": positions.duplicates,
    "grid": positions.grid,
    "holes": positions.holes,
    "corner": patterns.corner,
    "centre": patterns.centre,
    "window": patterns.window,
    "hot": patterns.hot,
    "dead": patterns.dead,
    "saturated": patterns.saturated,
    "dropped": patterns.dropped,
    "dose": patterns.dose,
    "energy": patterns.energy,
}

RECONSTRUCTION_CHECKS: dict[str, Callable[[Reconstruction, Scan | None], Finding | None]] = {
    "diverged": results.diverged,
    "misfit": results.misfit,
    "unlearned": results.unlearned,
    "window": results.window,
    "holes": results.holes,
    "vortices": results.vortices,
    "bound": results.bound,
}
