"""What a slow phase from the patterns' tilts is worth to a first picture.

    python first_picture.py [--seed 7] [--quick]

On four simulated scans drawn with ``--seed``: twelve epochs from a flat start, with the smaller and the
larger probe steps, and ``first_picture``, eleven epochs with the mending between. Seconds are
of the processor, set-up included.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from measure import machine, one_thread, table, triple
from peers import drawn

from ptycho_nb import refine
from ptycho_nb.start import first_picture
from ptycho_nb.start.warm import EARLY

HEAD = ["scan", "patterns", "start", "amplitude SSIM", "phase SSIM", "phase MAE [rad]", "CPU seconds"]
EPOCHS = 12
WAYS = {
    "flat": lambda scan: refine(scan, config=EARLY.replace(epochs=EPOCHS, probe_learning_rate=0.03)),
    "flat, probe rate as below": lambda scan: refine(scan, config=EARLY.replace(epochs=EPOCHS)),
    "slow phase mended": first_picture,
}


def main() -> None:
    """Print the table and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="draws the scans")
    parser.add_argument("--quick", action="store_true", help="see that it works: small scans")
    arguments = parser.parse_args()
    one_thread()
    print(machine() + "\n")
    rows, scores = [], {name: [] for name in WAYS}
    for scan in drawn(arguments.seed, arguments.quick):
        for name, way in WAYS.items():
            began = time.process_time()
            found = way(scan)
            seconds = time.process_time() - began
            rows.append([scan.name, scan.M, name, *triple(found, scan), f"{seconds:.2f}"])
            scores[name].append([float(value) for value in rows[-1][3:]])
    means = [["mean", "", name, *(f"{value:.3f}" for value in np.mean(values, 0))] for name, values in scores.items()]
    print(table(HEAD, [*rows, *means]))


if __name__ == "__main__":
    main()
