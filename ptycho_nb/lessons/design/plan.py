"""A scan before it is measured: where the light falls, how it is sampled, what the detector will count, what looks wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycho_nb.checks import SCAN_CHECKS, Finding, Severity
from ptycho_nb.config import SimulationConfig
from ptycho_nb.figures import light_of
from ptycho_nb.lessons.design.bench import Bench
from ptycho_nb.metrics import probe_diameter
from ptycho_nb.quantities import count, length
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import Experiment
from ptycho_nb.simulate.experiment import NOISE, stream

APPLY = ("overlap", "line", "grid", "holes", "window", "dose", "dropped")  # checks that a plan can fail; the others are of recorded files
FEWEST, MOST, PIXELS = 16, 49, 2**18  # patterns of the sample that is checked, and the pixels that it is to hold
RESOLVED = 2.0  # oversampling from which on the window holds the autocorrelation of the exit wave

Real = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Design:
    """What an experiment gives, as far as that is known without a reconstruction.

    Attributes
    ----------
    experiment : Experiment
        Object, probe and path.
    step : float
        sqrt(area per position) [px].
    """

    experiment: Experiment
    step: float

    @property
    def config(self) -> SimulationConfig:
        """The settings that it follows from."""
        return self.experiment.config

    @property
    def M(self) -> int:
        """Patterns in the scan."""
        return len(self.experiment.positions)

    @cached_property
    def diameter(self) -> float:
        """Diameter that holds 90 % of the probe's energy [px], by ``metrics.probe_diameter``."""
        return probe_diameter(self.experiment.true_probe)

    @property
    def overlap(self) -> float:
        """Linear overlap, 1 - step / diameter, as ``metrics.overlap`` has it."""
        return 1 - self.step / self.diameter

    @property
    def span(self) -> tuple[float, float]:
        """Height and width of the rectangle that the probe's centre covers [px]."""
        rows, columns = np.ptp(self.experiment.true_positions, axis=0)
        return float(rows), float(columns)

    @property
    def oversampling(self) -> float:
        """Width of the window over that of the probe, N / diameter, along each axis.

        It is about the width of a speckle in detector pixels. The Fourier transform of a pattern is
        the autocorrelation of the exit wave, twice as wide as the probe: from 2 on the window holds
        it. Enough overlap makes up for less.

        References
        ----------
        Miao, Sayre & Chapman, J. Opt. Soc. Am. A 15, 1662 (1998), for oversampling; Edo et al.,
        Phys. Rev. A 87, 053850 (2013), for what overlap makes up for.
        """
        return self.config.N / self.diameter

    @cached_property
    def from_the_middle(self) -> NDArray[np.intp]:
        """Numbers of the patterns (M,), the nearest to the middle of the field first, ring by square ring."""
        positions = self.experiment.true_positions
        away = np.abs(positions - (positions.min(0) + positions.max(0)) / 2).max(1)
        return np.argsort(away, kind="stable")

    @property
    def pattern(self) -> int:
        """Number of the pattern nearest the middle of the scan."""
        return int(self.from_the_middle[0])

    @cached_property
    def expected(self) -> Real:
        """Mean photons (N, N) of the pattern in the middle; not a number behind the beamstop."""
        return np.where(self.experiment.mask, self.experiment.expected([self.pattern])[0], np.nan)

    @cached_property
    def counted(self) -> Real:
        """One measurement (N, N) of the pattern in the middle, with photon noise."""
        drawn = stream(self.config, NOISE).poisson(np.nan_to_num(self.expected.astype(np.float64)))
        return np.where(self.experiment.mask, drawn, np.nan)

    @cached_property
    def light(self) -> tuple[NDArray[np.float64], tuple[int, int]]:
        """Photons that fall on each object pixel (h, w) in the whole scan, and the position of the first pixel."""
        return light_of(self.experiment.true_probe, self.experiment.true_positions)

    @cached_property
    def sample(self) -> Scan:
        """The middle of the scan, as it would be recorded."""
        count = int(np.clip(PIXELS // self.config.N**2, FEWEST, MOST))
        return self.experiment.record(np.sort(self.from_the_middle[:count]))

    @cached_property
    def findings(self) -> list[Finding]:
        """What looks wrong, the gravest first: those ``checks`` of a scan that a plan can fail, on its middle."""
        order = list(Severity)[::-1]
        found = [SCAN_CHECKS[name](self.sample) for name in APPLY]
        return sorted((f for f in found if f is not None), key=lambda f: order.index(f.severity))

    @property
    def facts(self) -> dict[str, str]:
        """The numbers, in words with their units."""
        config, pixel, (rows, columns) = self.config, self.config.pixel_size, self.span
        clear = "2 or more resolves the speckles" if self.oversampling >= RESOLVED else "below 2, speckles are not resolved"
        return {
            "Patterns": f"{self.M:,} of {config.N} × {config.N} px",
            "Step": f"{self._across(self.step)}, sqrt(area per position)",
            "Probe": f"90 % of its energy within {self._across(self.diameter)}",
            "Overlap": f"{100 * self.overlap:.0f} % linear, 1 − step / diameter",
            "Field of view": f"{self._field(rows, columns)}, covered by the probe's centre",
            "Object pixel": "not stated: lengths are in px" if pixel is None else f"{length(pixel)}, λz / (N · detector pixel)",
            "Oversampling": f"{self.oversampling:.1f} px across a speckle, N / diameter: {clear}",
            "Photons": self._photons(),
            "Light": f"{count(float(np.median(self._lit())))} photons on a typical object pixel in the whole scan",
            "Position error": f"{self._across(config.position_error)} (standard deviation)" if config.position_error else "none",
        }

    def _photons(self) -> str:
        seen = self.expected[self.experiment.mask]
        dark = float(np.mean(seen < 1))
        return (
            f"{count(float(seen.sum()))} in the middle pattern: {count(float(seen.mean()))} a pixel on average,"
            f" {count(float(seen.max()))} in the brightest, below 1 in {100 * dark:.0f} % of the pixels"
        )

    def _lit(self) -> NDArray[np.float64]:
        """The light on the pixels that the probe's centre covers."""
        fell, origin = self.light
        low, high = (np.rint(edge(self.experiment.true_positions, axis=0)).astype(int) - origin for edge in (np.min, np.max))
        return fell[low[0] : high[0] + 1, low[1] : high[1] + 1]

    def _across(self, pixels: float) -> str:
        metric = "" if self.config.pixel_size is None else f" = {length(pixels * self.config.pixel_size)}"
        return f"{pixels:.3g} px{metric}"

    def _field(self, rows: float, columns: float) -> str:
        size = self.config.pixel_size
        return f"{rows:.0f} × {columns:.0f} px" + ("" if size is None else f" = {length(rows * size)} × {length(columns * size)}")

    def __str__(self) -> str:
        wide = max(map(len, self.facts))
        told = [f"{name:{wide}}  {words}" for name, words in self.facts.items()]
        return "\n".join([*told, *(str(f) for f in self.findings)])

    def __repr__(self) -> str:
        found = f"{len(self.findings)} findings"
        return f"<Design: {self.M} patterns of {self.config.N} x {self.config.N}, overlap {100 * self.overlap:.0f} %, {found}>"


def design(config: SimulationConfig | None = None, bench: Bench | None = None) -> Design:
    """What the experiment of ``config`` gives, without recording it: its simulator is that of ``simulate_scan``.

    Parameters
    ----------
    config : SimulationConfig, optional
    bench : Bench, optional
        Keeps what a changed setting leaves alone; one for a series of designs makes them quick.

    Raises
    ------
    InputError
        The probe does not fit its window, or the object holds fewer than two positions.
    """
    config, bench = config or SimulationConfig(), bench or Bench()
    return Design(bench.experiment(config), bench.step(config))
