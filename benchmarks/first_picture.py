"""Is the first picture of a scan that nobody has seen better with a network's finish, and does a fit that begins there end sooner?

    python train_finish.py FOLDER --out finish.safetensors
    python first_picture.py finish.safetensors [SCAN.npz ...] [--seconds 0.6] [--seed 7]

T and H (``pictures_scan.py``), the files named, and four simulated scans of 384 x 416 px drawn with ``--seed``; the
network has seen none of their pictures. In the same time, the whole scan: a flat start's fit that uses all of it, and
one that leaves three epochs' time for the network and is changed by it; what the patterns held out prefer is told. Then
whole fits: from flat, from flat with a third of the epochs, and with a third from the network's picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from finish import FinishingNet, Made, finished, trained
from measure import machine, one_thread, table, timed, triple
from peers import drawn
from pictures_scan import PICTURES, REGION, pictures_scan

from ptycho_nb import Control, Reconstruction, RefinementConfig, Scan, load_scan, refine
from ptycho_nb.compare import short
from ptycho_nb.quick_look import unseen
from ptycho_nb.quick_look.look import pace, recipe
from ptycho_nb.refinement import passes

FINISH = 3  # epochs' time that the finish takes


def rough(scan: Scan, seconds: float, speed: float) -> Reconstruction:
    """A look at the whole scan in that time, at so many patterns a second."""
    epochs = max(1, int(speed * seconds / scan.M))
    return refine(scan, config=recipe(scan, epochs).replace(time_limit=seconds))


def with_finish(scan: Scan, seconds: float, speed: float, network: FinishingNet) -> Made:
    """The look and its finishes in that time, each with the misfit on patterns held out."""
    epochs = max(2, int(speed * seconds / scan.M) - FINISH)
    config = recipe(scan, epochs).replace(time_limit=max(0.1, seconds * epochs / (epochs + FINISH)), mend_slow_phase=False)
    found = refine(scan, config=config)
    judges = unseen(scan, found)
    return finished(scan, found, np.setdiff1d(np.arange(scan.M), judges), judges, network)


def first(scan: Scan, seconds: float, scores: Callable[[Reconstruction], tuple[str, ...]], network: FinishingNet) -> list[list[str]]:
    """A row for the flat start and one for the network."""
    speed = pace(scan, Control())
    flat_time, flat = timed(lambda: rough(scan, seconds, speed))
    time, made = timed(lambda: with_finish(scan, seconds, speed, network))
    change = f"{made['network'][1] / made['nothing'][1] - 1:+.1%}"
    best = min(made, key=lambda name: made[name][1])
    return [
        [scan.name, str(scan.M), "flat", f"{flat_time:.2f}", *scores(flat), ""],
        [scan.name, str(scan.M), "network", f"{time:.2f}", *scores(made["network"][0]), f"{change}; least with {best}"],
    ]


def whole(scan: Scan, seconds: float, scores: Callable[[Reconstruction], tuple[str, ...]], network: FinishingNet) -> list[list[str]]:
    """Whole fits: from flat, shorter, and from the network's picture."""
    epochs = passes(RefinementConfig(), scan).epochs
    third = RefinementConfig(epochs=short(epochs))
    start = with_finish(scan, seconds, pace(scan, Control()), network)["network"][0]
    runs = {
        f"flat, {epochs} epochs": lambda: refine(scan),
        f"flat, {third.epochs} epochs": lambda: refine(scan, config=third),
        f"network, then {third.epochs} epochs": lambda: refine(scan, start.replace(method="Network"), third),
    }
    rows = []
    for name, run in runs.items():
        time, found = timed(run)
        rows.append([scan.name, name, f"{time + (seconds if 'network' in name else 0):.2f}", *scores(found)])
    return rows


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="that train_finish.py wrote")
    parser.add_argument("scans", nargs="*", help="files that load_scan reads, with a known object")
    parser.add_argument("--seconds", type=float, default=0.6, help="for the first picture")
    parser.add_argument("--seed", type=int, default=7, help="draws the simulated scans")
    parser.add_argument("--quick", action="store_true", help="see that it works")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    network = trained(arguments.weights)
    scans = [] if arguments.quick else [pictures_scan(name) for name in PICTURES]
    scans += [load_scan(path) for path in arguments.scans] + drawn(arguments.seed, "quick" if arguments.quick else "best")
    scores = {scan.name: (lambda found, scan=scan: triple(found, scan, REGION if scan.name in PICTURES else None)) for scan in scans}
    named = ["amplitude SSIM", "phase SSIM", "phase MAE [rad]"]
    rows = [row for scan in scans for row in first(scan, arguments.seconds, scores[scan.name], network)]
    print(f"\n{table(['scan', 'patterns', 'start', 'seconds', *named, 'misfit held out'], rows)}", flush=True)
    rows = [row for scan in scans for row in whole(scan, arguments.seconds, scores[scan.name], network)]
    print(f"\n{table(['scan', 'fit', 'seconds', *named], rows)}")


if __name__ == "__main__":
    main()
