"""What each freedom of the iterative fit is worth: on scans with one known fault each, and on measured ones.

    python freedoms.py [--seed 7] [--quick] [siemens_star_real64.npz ...]

Every fit leaves out a twentieth of the detector pixels, others in each pattern, and is judged on
them (``rank_freedoms``). Where the object is known its scores stand beside that, so that one sees
whether pixels kept out rank the fits as the truth does.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from measure import machine, one_thread, table, triple
from scipy.stats import spearmanr

from ptycho_nb import RefinementConfig, Scan, SimulationConfig, load_scan, rank_freedoms, simulate_scan
from ptycho_nb.metrics import compare_objects
from ptycho_nb.physics import expected_photons

HEAD = ["fault", "freedom", "misfit on pixels kept out", "helps", "R", "amplitude SSIM", "phase SSIM", "seconds"]


def faulty(fault: str, seed: int, side: int = 220) -> Scan:
    """A simulated scan with one fault that the plain fit does not know of."""
    modes = 3 if fault == "three modes" else 1
    config = SimulationConfig(object="picture", height=side - 20, width=side + 10, nphotons=3e5, probe_modes=modes, seed=seed)
    scan, rng = simulate_scan(config), np.random.default_rng(seed)
    if fault == "three modes":  # the file brings one of them
        return scan.replace(probe=scan.probe[:1] * np.sqrt(np.sum(np.abs(scan.probe) ** 2) / np.sum(np.abs(scan.probe[0]) ** 2)))
    true, time = scan.true_positions, np.linspace(0, 1, scan.M)
    wrong = {
        "position noise of 0.5 px": true + rng.normal(0, 0.5, true.shape),
        "drift": true + np.stack([2 * time**2, 1.5 * np.sin(2.5 * time)], 1),
        "scale 1.2 %, rotation 0.8°": true.mean(0) + 1.012 * (true - true.mean(0)) @ _turn(np.deg2rad(0.8)),
    }
    if fault in wrong:
        return scan.replace(positions=wrong[fault])
    photons = expected_photons(torch.from_numpy(scan.truth), torch.from_numpy(scan.true_probe), torch.from_numpy(true)).double().numpy()
    if fault == "beam fluctuates by 10 %":
        photons *= rng.normal(1, 0.1, (scan.M, 1, 1)).clip(0.5)
    if fault == "background of 10 %":
        axis = np.arange(scan.N) - scan.N // 2
        glow = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * (0.28 * scan.N) ** 2))
        photons += 0.1 * photons.sum((1, 2)).mean() * glow / glow.sum()
    return scan.replace(intensity=rng.poisson(photons).astype(np.float32))


def _turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def rows(name: str, scan: Scan, config: RefinementConfig) -> list[list[object]]:
    """A row for each fit, the best first; where the truth is known, how far both agree on the order."""
    ranked = rank_freedoms(scan, config)
    found = []
    for one in ranked:
        scores = triple(one.result, scan)[:2] if scan.truth is not None else ("", "")
        change, misfit = f"{-100 * one.gain:+.2f} ± {100 * one.error:.2f} %", f"{one.result.r_factor(scan):.4f}"
        found.append([name, one.name, change, "yes" if one.helps else "", misfit, *scores, f"{one.seconds:.1f}"])
    if scan.truth is not None:
        phase = [compare_objects(one.result.object, scan.truth, one.result.scanned).phase.ssim for one in ranked]
        agreed = spearmanr([one.gain for one in ranked], phase).statistic
        found.append([name, "rank correlation with the phase SSIM", f"{agreed:.2f}", "", "", "", "", ""])
    return found


FAULTS = (
    "none",
    "position noise of 0.5 px",
    "drift",
    "scale 1.2 %, rotation 0.8°",
    "beam fluctuates by 10 %",
    "background of 10 %",
    "three modes",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs="*", help="measured scans")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="see that it works: small scans, two epochs")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    config = RefinementConfig(epochs=2 if arguments.quick else None)
    told: list[list[object]] = []
    for fault in FAULTS:
        told += rows(fault, faulty(fault, arguments.seed, 130 if arguments.quick else 220), config)
    for path in arguments.scans:
        scan = load_scan(path)
        told += rows(f"measured: {scan.name}", scan, config)
    print("\n" + table(HEAD, told))


if __name__ == "__main__":
    main()
