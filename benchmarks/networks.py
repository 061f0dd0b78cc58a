"""What each entry of a table is worth: the same time with it and without it, on two simulated scans.

    python networks.py [--seconds 60] [--only network loss ...] [--quick]

A line changes one setting of the default run; each run gets the same wall time on one thread.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

from measure import machine, one_thread, table, train_for, triple

from ptycho_nb import DataConfig, InferenceConfig, ModelConfig, Scan, SimulationConfig, TrainingConfig, reconstruct, simulate_scan

HEAD = ["table", "entry", "scan", "epochs", "amplitude SSIM", "phase SSIM", "phase MAE [rad]", "validation loss"]


@dataclass(frozen=True)
class Entry:
    """One setting changed."""

    table: str
    name: str
    training: dict[str, object] = field(default_factory=dict)
    model: dict[str, object] = field(default_factory=dict)
    data: dict[str, object] = field(default_factory=dict)
    inference: dict[str, object] = field(default_factory=dict)


ENTRIES = (
    Entry("default", "all defaults"),
    Entry("network", "global_map", model={"network": "global_map"}),
    Entry("network", "cnn", model={"network": "cnn"}),
    Entry("network", "fourier", model={"network": "fourier"}),
    Entry("activation", "cnn, swish", model={"network": "cnn", "amp_activation": "swish"}),
    Entry("activation", "cnn, softplus", model={"network": "cnn", "amp_activation": "softplus"}),
    Entry("activation", "cnn, relu", model={"network": "cnn", "amp_activation": "relu"}),
    Entry("loss", "amplitude", training={"loss": "amplitude"}),
    Entry("loss", "poisson", training={"loss": "poisson"}),
    Entry("loss", "total variation 0.01", training={"total_variation": 0.01}),
    Entry("grouping", "gridsize 1", data={"gridsize": 1}),
    Entry("grouping", "gridsize 2, nearest", data={"gridsize": 2}),
    Entry("grouping", "gridsize 2, quadrants", data={"gridsize": 2, "grouping": "quadrants"}),
    Entry("grouping", "gridsize 3, nearest", data={"gridsize": 3}),
    Entry("grouping", "gridsize 4, nearest", data={"gridsize": 4}),
    Entry("optimiser", "adam", training={"optimizer": "adam"}),
    Entry("optimiser", "sgd", training={"optimizer": "sgd"}),
    Entry("schedule", "constant", training={"scheduler": "constant"}),
    Entry("schedule", "plateau", training={"scheduler": "plateau"}),
    Entry("schedule", "exponential", training={"scheduler": "exponential"}),
    Entry("precision", "bfloat16", training={"precision": "bfloat16"}),
    Entry("synchronise", "never", inference={"synchronise": "never"}),
    Entry("synchronise", "always", inference={"synchronise": "always"}),
)


def scans(quick: bool) -> list[Scan]:
    """Photographs under a lens, and fibres under a Gaussian beam with fewer photons."""
    size = {"height": 136, "width": 152} if quick else {}
    first = SimulationConfig(object="picture", probe="zone_plate", seed=11, **size)
    second = SimulationConfig(object="lines", probe="gaussian", scan="spiral", nphotons=1e5, seed=12, **size)
    return [simulate_scan(config) for config in (first, second)]


def line(entry: Entry, scan: Scan, seconds: float, base: TrainingConfig) -> list[str]:
    """The row of one entry on one scan."""
    result = train_for(scan, seconds, base.replace(**entry.training), ModelConfig(**entry.model), DataConfig(**entry.data))
    found = reconstruct(result.model, scan, InferenceConfig(**entry.inference))
    judged = f"{result.history['val_loss'][-1]:.4f}" if "val_loss" in result.history else ""
    return [entry.table, entry.name, scan.name, str(result.history.epochs), *triple(found, scan), judged]


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="for each run")
    parser.add_argument("--only", nargs="*", default=[], help="tables, such as network loss grouping")
    parser.add_argument("--quick", action="store_true", help="see that it works: three seconds each on small scans")
    arguments = parser.parse_args()
    one_thread()
    print(machine() + "\n")
    base = TrainingConfig(accelerator="cpu")
    known = scans(arguments.quick)
    print(table(HEAD, []))
    for entry in ENTRIES:
        if arguments.only and entry.table not in arguments.only:
            continue
        for scan in known:
            row = line(entry, scan, 3 if arguments.quick else arguments.seconds, base)
            print(table(HEAD, [row]).splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
