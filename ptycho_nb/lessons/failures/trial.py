"""One run on a simulated scan: what is measured, and how it is reconstructed."""

from __future__ import annotations

from dataclasses import dataclass

from ptycho_nb.config import Config, RefinementConfig, SimulationConfig
from ptycho_nb.history import Control
from ptycho_nb.metrics import Region
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.simulate import simulate_scan
from ptycho_nb.training import train

RIM = 6  # px beyond half a window: what all paths of the table reach lies inside


@dataclass(frozen=True)
class Trial:
    """A simulated scan and the settings of one run on it.

    Attributes
    ----------
    simulation : SimulationConfig
        On a square object, so that swapped positions stay on it.
    configs : tuple of configs
        One RefinementConfig for an iterative fit; a TrainingConfig, a ModelConfig and a
        DataConfig for a network.
    swapped : bool
        The file names the rows of the positions columns.
    transposed : bool
        Rows and columns are swapped when it is read, ``scan.oriented(transpose=True)``.
    """

    simulation: SimulationConfig
    configs: tuple[Config, ...]
    swapped: bool = False
    transposed: bool = False

    @property
    def fitted(self) -> RefinementConfig | None:
        """The settings of an iterative fit; None for a network."""
        first = self.configs[0]
        return first if isinstance(first, RefinementConfig) else None

    @property
    def region(self) -> Region:
        """Rows and columns of the object that every such scan covers."""
        rim = self.simulation.N // 2 + RIM
        return slice(rim, self.simulation.height - rim), slice(rim, self.simulation.width - rim)

    def scan(self) -> Scan:
        """The scan as it is read; its truth stays known."""
        scan = simulate_scan(self.simulation)
        if self.swapped:
            scan = scan.replace(positions=scan.positions[:, ::-1], true_positions=None)
        if self.transposed:
            scan = scan.oriented(transpose=True).replace(truth=scan.truth)
        return scan

    def reconstruct(self, scan: Scan, control: Control) -> Reconstruction:
        """The object that these settings give; of a network with the history of its training."""
        if self.fitted is not None:
            return refine(scan, config=self.fitted, control=control)
        training = train(scan, *self.configs, control=control)  # type: ignore[arg-type]  # the three of a network
        found = reconstruct(training.model, scan)
        return found.replace(state=training.state, history=training.history, seconds=found.seconds + training.seconds)
