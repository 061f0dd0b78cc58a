"""Pty-Chi, CDTools and ptycho_nb in turn on the same scans, one thread each, by the same metrics.

    sh make_peers_env.sh PEERS
    python peers.py --peers PEERS [--seed 7] [SCAN.npz ...]

Each scan named, and four simulated ones drawn with ``--seed``, are fitted by ``refine(scan)``
with its defaults, timed as the call alone, and by Pty-Chi's and CDTools' Adam with step decay (60
epochs; 20 on a scan without a known object), timed as their epochs alone. Objects are scored against the
known one, or, without one, by two half-data fits that start flat and share only the probe, and by R, where
each program fits once by the amplitude loss and once by Poisson's: R and seconds are comparable by the same loss. Where
the probe that made a scan is known, two references stand below: ours with four times the epochs, and so
long with that probe given and held.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from measure import machine, one_thread, table, timed, triple

from ptycho_nb import Reconstruction, RefinementConfig, Scan, SimulationConfig, State, load_scan, refine, simulate_scan
from ptycho_nb.refinement import passes
from ptycho_nb.resolution import compared as agreement
from ptycho_nb.resolution import halves

DRIVERS = {"Pty-Chi": "run_ptychi.py", "CDTools": "run_cdtools.py"}
SCORES = ["R", "amplitude SSIM", "phase SSIM", "phase MAE [rad]", "half-data half-period [px]"]
HEAD = ["scan", "program", *SCORES, "seconds", "its time over ours"]
KNOWN_EPOCHS, MEASURED_EPOCHS = 60, 20
LONGER = 4  # times the epochs of a reference


@dataclass(frozen=True)
class Peer:
    """Another program, in the environment of the peers."""

    name: str
    python: Path
    epochs: int | None = None
    loss: str = "amplitude"

    def fit(self, scan: Scan) -> tuple[float, Reconstruction]:
        """Seconds of its epochs, and what it found."""
        epochs = self.epochs or (KNOWN_EPOCHS if scan.truth is not None else MEASURED_EPOCHS)
        origin, shape = scan.canvas
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder, "scan.npz"), Path(folder, "found.npz")
            np.savez(given, intensity=scan.intensity, positions=scan.positions - origin, probe=scan.probe, shape=np.array(shape))
            command = [
                self.python,
                Path(__file__).with_name(DRIVERS[self.name]),
                given,
                found,
                "--epochs",
                str(epochs),
                "--loss",
                self.loss,
            ]
            environment = {**os.environ, "PYTHONPATH": "", "MPLBACKEND": "Agg"}
            subprocess.run([str(part) for part in command], check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            with np.load(found) as result:
                return float(result["seconds"]), _as_ours(result["object"], result["probe"], scan, self.name)


def _as_ours(found: np.ndarray, probe: np.ndarray, scan: Scan, name: str) -> Reconstruction:
    coverage = np.ones(found.shape, np.float32)
    origin = scan.canvas.origin
    return Reconstruction(found, coverage, probe, scan.positions, origin, scan.pixel_size, name, State.DONE, name=scan.name)


def ours(config: RefinementConfig | None) -> Callable[[Scan], tuple[float, Reconstruction]]:
    """``refine`` with these settings; its defaults where there are none."""
    return lambda scan: timed(lambda: refine(scan, config=config))


def drawn(seed: int, preset: str = "standard") -> list[Scan]:
    """Four simulated scans of that size, each another object, drawn at random."""
    rng = np.random.default_rng(seed)
    scans = []
    for name in rng.permutation(["lines", "dead_leaves", "gaussian_field", "siemens_star", "picture"])[:4]:
        config = SimulationConfig.preset(
            preset,
            object=str(name),
            probe=str(rng.choice(["gaussian", "zone_plate"])),
            scan=str(rng.choice(["jittered", "spiral", "random"])),
            overlap=float(rng.uniform(0.65, 0.75)),
            nphotons=float(10 ** rng.uniform(4.5, 6.5)),
            defocus=float(rng.uniform(0.8, 1.5)),
            probe_error=float(rng.uniform(-0.15, 0.15)),
            seed=int(rng.integers(2**31)),
        )
        scans.append(simulate_scan(config))
    return scans


def compared(scan: Scan, peers: list[Peer], config: RefinementConfig | None, times: int) -> list[list[str]]:
    """A row for each peer and one for ours, in turn ``times`` times; medians of the seconds."""
    programs: dict[str, Callable[[Scan], tuple[float, Reconstruction]]] = {peer.name: peer.fit for peer in peers}
    programs["ptycho_nb"] = ours(config)
    same: dict[str, str] = {}  # ours that a peer is compared with, where that is not the default
    if scan.truth is None:  # R measures amplitudes: it tells who is nearer only among fits by the same loss
        same = {peer.name: "ptycho_nb, amplitude loss" for peer in peers}
        programs["ptycho_nb, amplitude loss"] = ours((config or RefinementConfig()).replace(loss="amplitude"))
        programs |= {f"{peer.name}, Poisson loss": replace(peer, loss="poisson").fit for peer in peers}
    rounds = [{name: fit(scan) for name, fit in programs.items()} for _ in range(times)]
    seconds = {name: statistics.median(r[name][0] for r in rounds) for name in programs}
    rows = []
    for name, fit in programs.items():
        found = rounds[0][name][1]
        quality = triple(found, scan) if scan.truth is not None else ("", "", "")
        resolution = "" if scan.truth is not None else f"{agreement(*(fit(half)[1] for half in halves(scan))).half_period:.2f}"
        ratio = "" if name.startswith("ptycho_nb") else f"{seconds[name] / seconds[same.get(name, 'ptycho_nb')]:.1f}"
        rows.append([scan.name, name, f"{found.r_factor(scan):.4f}", *quality, resolution, f"{seconds[name]:.2f}", ratio])
    if scan.truth is not None and scan.true_probe is not None:
        rows += [_reference(scan, name, *timed(fit)) for name, fit in _references(scan, scan.true_probe, config).items()]
        true = _as_ours(scan.truth, scan.true_probe, scan, "truth")
        rows.append([scan.name, "the truth itself", f"{true.r_factor(scan):.4f}", "1", "1", "0", "", "", ""])
    return rows


def _references(scan: Scan, true_probe: np.ndarray, config: RefinementConfig | None) -> dict[str, Callable[[], Reconstruction]]:
    """What our engine reaches with more time, and with the probe that made the scan given and held."""
    config = config or RefinementConfig()
    longer = config.replace(epochs=LONGER * passes(config, scan).epochs)
    return {
        f"ptycho_nb, {LONGER} times the epochs": lambda: refine(scan, config=longer),
        "ptycho_nb, true probe held": lambda: refine(scan.replace(probe=true_probe), config=longer.replace(refine_probe=False)),
    }


def _reference(scan: Scan, name: str, seconds: float, found: Reconstruction) -> list[str]:
    return [scan.name, name, f"{found.r_factor(scan):.4f}", *triple(found, scan), "", f"{seconds:.2f}", ""]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs="*", help="files that load_scan reads")
    parser.add_argument("--peers", type=Path, required=True, help="the environment that make_peers_env.sh made")
    parser.add_argument("--seed", type=int, default=0, help="draws the simulated scans")
    parser.add_argument("--no-simulated", action="store_true", help="the named files only")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=DRIVERS, nargs="+", default=list(DRIVERS), help="these peers")
    parser.add_argument("--quick", action="store_true", help="see that it works: two epochs, once")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    peers = [Peer(name, arguments.peers / "bin" / "python", 2 if arguments.quick else None) for name in arguments.only]
    config = RefinementConfig(epochs=2) if arguments.quick else None
    scans = [load_scan(path) for path in arguments.scans]
    scans += [] if arguments.no_simulated else drawn(arguments.seed, "quick" if arguments.quick else "standard")
    rows = [row for scan in scans for row in compared(scan, peers, config, 1 if arguments.quick else arguments.repeats)]
    print(f"\nsimulated scans drawn with seed {arguments.seed}\n\n{table(HEAD, rows)}")


if __name__ == "__main__":
    main()
