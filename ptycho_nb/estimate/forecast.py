"""Time and memory of a whole run, put together from its parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ptycho_nb.config import DataConfig, InferenceConfig, ModelConfig, RefinementConfig, TrainingConfig
from ptycho_nb.estimate.pace import Part, iterative, network
from ptycho_nb.estimate.room import memory_needed
from ptycho_nb.history import Control
from ptycho_nb.memory import memory
from ptycho_nb.readers.source import size
from ptycho_nb.scan import Scan


@dataclass(frozen=True)
class Estimate:
    """What a run will take on this machine.

    Attributes
    ----------
    seconds : float
        Wall time of the whole run [s], at most its time limits; NaN where the timing was stopped before a step.
    steps : int
        Steps in all.
    steps_per_epoch : int
        Of the network's training; of the iterative fit where that is all.
    seconds_per_step : float
        Likewise [s].
    bytes : int
        Main memory that the run needs beside the scan.
    available : int
        Main memory that is free.
    """

    seconds: float
    steps: int
    steps_per_epoch: int
    seconds_per_step: float
    bytes: int
    available: int

    @property
    def fits(self) -> bool:
        """Whether the memory that is free will do."""
        return self.bytes <= self.available

    @property
    def words(self) -> str:
        """ "about 40 s here", and where memory is short, that it is and the way out."""
        said = "no estimate: it was stopped" if math.isnan(self.seconds) else f"{_about(self.seconds)} here"
        if self.fits:
            return said
        wanted, free = size(self.bytes), size(self.available)
        return f"{said}. It needs about {wanted} of memory and {free} are free: crop or bin the patterns, or use fewer of them."


def estimate(
    scan: Scan,
    *,
    refinement: RefinementConfig | None = None,
    training: TrainingConfig | None = None,
    model: ModelConfig | None = None,
    data: DataConfig | None = None,
    inference: InferenceConfig | None = None,
    control: Control | None = None,
) -> Estimate:
    """What a run with these settings will take, from ten timed steps of itself after one to warm up.

    ``refinement`` alone, or nothing, is the iterative fit; any of the others without it the
    network; both the network, then the iterative fit. The very functions that will run are
    timed and stopped, on a part of the scan where it is large, for about a second each. A run
    draws all it draws from its own seeds, so that a later one gives what it would have given.

    Parameters
    ----------
    scan : Scan
    refinement, training, model, data, inference : configs, optional
        As for ``refine`` and ``train``; defaults where left out.
    control : Control, optional
        A stop ends the timing within a step.

    Raises
    ------
    ConfigError
        The scan is too small for such settings, or the device is not there.
    """
    control = control or Control()
    parts: list[Part] = []
    trains = any(config is not None for config in (training, model, data, inference))
    if trains:
        configs = (training or TrainingConfig(), model or ModelConfig(), data or DataConfig(), inference or InferenceConfig())
        parts.append(network(scan, *configs, control=control))
    if refinement is not None or not trains:
        parts.append(iterative(scan, refinement or RefinementConfig.preset("best"), control=control))
    return Estimate(
        seconds=sum(part.seconds for part in parts),
        steps=sum(part.steps for part in parts),
        steps_per_epoch=parts[0].steps_per_epoch,
        seconds_per_step=parts[0].seconds_per_step,
        bytes=memory_needed(scan, refinement=refinement, training=training, model=model, data=data, inference=inference),
        available=memory().available,
    )


def _about(seconds: float) -> str:
    """A time to one or two figures, as one would say it."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 100:
        return f"about {seconds:.0f} s" if seconds < 20 else f"about {5 * round(seconds / 5)} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h" if seconds < 20 * 3600 else f"about {seconds / 3600:.0f} h"
