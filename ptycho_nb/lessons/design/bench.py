"""The parts of a made-up experiment, kept until a setting that they depend on changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptycho_nb.config import SimulationConfig
from ptycho_nb.metrics import step
from ptycho_nb.simulate import Experiment, simulate_mask, simulate_object, simulate_positions, simulate_probe

PARTS: dict[str, tuple[Callable[[SimulationConfig], Any], tuple[str, ...]]] = {  # what makes a part, and all that it depends on
    "mask": (simulate_mask, ("N", "beamstop")),
    "probes": (
        simulate_probe,
        (
            "probe",
            "N",
            "nphotons",
            "probe_diameter",
            "defocus",
            "central_stop",
            "astigmatism",
            "coma",
            "probe_modes",
            "mode_decay",
            "probe_error",
        ),
    ),
    "positions": (
        simulate_positions,
        ("scan", "N", "height", "width", "overlap", "probe_diameter", "jitter", "position_error", "seed"),
    ),
    "object": (simulate_object, ("object", "height", "width", "amplitude_min", "phase_range", "seed")),
}


class Bench:
    """Sets experiments up; what a changed setting leaves alone is not made again."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[Any, ...], Any]] = {}

    def experiment(self, config: SimulationConfig) -> Experiment:
        """The same as ``Experiment.of(config)``, sooner.

        Raises
        ------
        InputError
            The parts do not go together.
        """
        mask, probes, positions, truth = (self._part(name, config) for name in PARTS)
        (true_probe, probe), (true_positions, reported) = probes, positions
        return Experiment(config, truth, true_probe, probe, true_positions, reported, mask)

    def step(self, config: SimulationConfig) -> float:
        """sqrt(area per position) of the true positions [px], by ``metrics.step``."""
        true, _ = self._part("positions", config)
        return float(self._known("step", self._kept["positions"][0], lambda: step(true)))

    def _part(self, name: str, config: SimulationConfig) -> Any:
        make, settings = PARTS[name]
        return self._known(name, tuple(getattr(config, setting) for setting in settings), lambda: make(config))

    def _known(self, name: str, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        kept = self._kept.get(name)
        if kept is None or kept[0] != key:
            kept = self._kept[name] = (key, make())
        return kept[1]
