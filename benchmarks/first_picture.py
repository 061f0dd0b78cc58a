"""Is the first picture of an unseen scan better from the network's guess than from a flat object, and does a fit from there end sooner?

    python first_picture.py [SCAN.npz ...] [--seconds 0.6] [--seed 7]

T and H (``pictures_scan.py``), the files named, and four simulated scans of 384 x 416 px drawn with ``--seed``; the
network has seen none of their pictures. First both starts in the same time, the guess included, each with as many epochs
over the whole scan as fit in. Then whole fits: from flat, from flat with a third of the epochs, and with a third from
the guess.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
from measure import machine, one_thread, table, timed, triple
from peers import drawn
from pictures_scan import PICTURES, REGION, pictures_scan

from ptycho_nb import Control, Reconstruction, RefinementConfig, Scan, initial_guess, load_scan, refine
from ptycho_nb.compare import short
from ptycho_nb.quick_look.look import pace, recipe
from ptycho_nb.refinement import passes

STARTS = ("flat", "network")
Scores = Callable[[Reconstruction], tuple[str, ...]]


def first(scan: Scan, seconds: float, scores: Scores, times: int) -> list[list[str]]:
    """A row a start, the medians of several looks."""
    initial_guess(scan)  # the weights are read once
    rows = []
    for start in STARTS:
        found = []
        for _ in range(times):
            speed = pace(scan, Control())
            left = seconds - (initial_guess(scan).seconds if start == "network" else 0.0)
            epochs = max(1, math.ceil(speed * left / scan.M))
            config = recipe(scan, epochs).replace(initial_object=start, time_limit=seconds)
            took, one = timed(lambda config=config: refine(scan, config=config))
            found.append((took, *map(float, scores(one))))
        took, *values = np.median(np.array(found), axis=0)
        rows.append([scan.name, str(scan.M), start, f"{took:.2f}", *(f"{value:.3f}" for value in values)])
    return rows


def whole(scan: Scan, scores: Scores) -> list[list[str]]:
    """Whole fits: from flat, shorter, and from the guess."""
    epochs = passes(RefinementConfig(), scan).epochs
    third = short(epochs)
    rows = []
    for start, count in (("flat", epochs), ("flat", third), ("network", third), ("network", epochs)):
        time, found = timed(lambda start=start, count=count: refine(scan, config=RefinementConfig(epochs=count, initial_object=start)))
        rows.append([scan.name, start, str(count), f"{time:.2f}", *scores(found)])
    return rows


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs="*", help="files that load_scan reads, with a known object")
    parser.add_argument("--seconds", type=float, default=0.6, help="for the first picture")
    parser.add_argument("--seed", type=int, default=7, help="draws the simulated scans")
    parser.add_argument("--quick", action="store_true", help="see that it works")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    scans = [] if arguments.quick else [pictures_scan(name) for name in PICTURES]
    scans += [load_scan(path) for path in arguments.scans] + drawn(arguments.seed, "quick" if arguments.quick else "best")
    scores = {scan.name: (lambda found, scan=scan: triple(found, scan, REGION if scan.name in PICTURES else None)) for scan in scans}
    named = ["amplitude SSIM", "phase SSIM", "phase MAE [rad]"]
    rows = [row for scan in scans for row in first(scan, arguments.seconds, scores[scan.name], 1 if arguments.quick else 3)]
    print(f"\n{table(['scan', 'patterns', 'start', 'seconds', *named], rows)}", flush=True)
    rows = [row for scan in scans for row in whole(scan, scores[scan.name])]
    print(f"\n{table(['scan', 'start', 'epochs', 'seconds', *named], rows)}")


if __name__ == "__main__":
    main()
