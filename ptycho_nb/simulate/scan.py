"""A scan that was never measured: the photons that a made-up experiment gives."""

from __future__ import annotations

from ptycho_nb.config import SimulationConfig
from ptycho_nb.scan import Scan
from ptycho_nb.simulate.experiment import Experiment


def simulate_scan(config: SimulationConfig | None = None) -> Scan:
    """The scan that the experiment of ``config`` would record, its truth known.

    Patterns are Poisson draws of ``physics.expected_photons``; a pattern where the object is
    clear holds ``nphotons`` on average. Object, path, position error and noise draw from streams of
    their own, so a change of dose keeps the object. The global random state is left alone.

    Raises
    ------
    InputError
        The probe does not fit its window, the object holds fewer than two positions, or the
        patterns do not fit the memory.
    """
    return Experiment.of(config or SimulationConfig()).record()
