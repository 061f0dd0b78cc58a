"""Two scans of pictures, T and H, and how far network and iterative fit come on them.

    python pictures_scan.py [--scan T] [--seconds 120] [--quick]

T is the camera man in amplitude and coins in phase, with strong low frequencies; H the
astronaut and gravel, fine texture; pictures that come with scikit-image. The object is 360 x
360 px, amplitude 0.5 to 1, phase -1 to 1 rad; 42 x 42 whole positions 7 ± 1.5 px apart; a
defocused lens without a stop, 90 % of its energy within 12 px of the middle; a million photons
in a pattern on average; the probe is known. Scores leave out the outer 36 px.
"""

from __future__ import annotations

import argparse
import statistics

import numpy as np
import torch
from measure import machine, one_thread, table, timed, train_for, triple
from skimage import color, data, transform

from ptycho_nb import DataConfig, ModelConfig, RefinementConfig, Scan, SimulationConfig, Training, TrainingConfig, reconstruct, refine
from ptycho_nb.physics import expected_photons
from ptycho_nb.simulate.probes import simulate_probe

SIDE, EDGE, PLACES, STEP, JITTER = 360, 36, 42, 7, 1.5  # px, px, positions a side, px, px
REGION = (slice(EDGE, SIDE - EDGE), slice(EDGE, SIDE - EDGE))
TIMES = 3  # an iterative fit is timed
PICTURES = {"T": ("camera", "coins"), "H": ("astronaut", "gravel")}


def pictures_scan(name: str, *, photons: float = 1e6, places: int = PLACES, seed: int = 0) -> Scan:
    """The scan called T or H; fewer ``places`` a side make a smaller one in the middle."""
    rng = np.random.default_rng(seed)
    amplitude, phase = (picture(each) for each in PICTURES[name])
    truth = ((0.5 + 0.5 * amplitude) * np.exp(1j * (2 * phase - 1))).astype(np.complex64)
    first = (SIDE - STEP * (places - 1)) // 2
    grid = first + STEP * np.stack(np.meshgrid(np.arange(places), np.arange(places), indexing="ij"), -1).reshape(-1, 2)
    positions = np.rint(grid + rng.uniform(-JITTER, JITTER, grid.shape))
    optics = SimulationConfig(probe="zone_plate", central_stop=0, probe_diameter=24, nphotons=photons)
    probe = simulate_probe(optics)[0]
    expected = expected_photons(torch.from_numpy(truth), torch.from_numpy(probe), torch.from_numpy(positions)).double().numpy()
    gain = photons / expected.sum((1, 2)).mean()
    probe *= np.float32(np.sqrt(gain))
    counts = rng.poisson(gain * expected).astype(np.float32)
    return Scan(counts, positions, probe, truth=truth, true_probe=probe, true_positions=positions, name=name)


def picture(name: str) -> np.ndarray:
    """A picture of scikit-image as (360, 360), 0 to 1."""
    image = {"camera": data.camera, "coins": data.coins, "astronaut": data.astronaut, "gravel": data.gravel}[name]()
    gray = color.rgb2gray(image) if image.ndim == 3 else image / 255
    resized = transform.resize(gray, (SIDE, SIDE), anti_aliasing=True)
    return (resized - resized.min()) / np.ptp(resized)


def iterative(scan: Scan, epochs: list[int]) -> list[list[object]]:
    """A row for each number of epochs from a flat start; medians of the seconds."""
    rows: list[list[object]] = []
    for count in epochs:
        rounds = [timed(lambda count=count: refine(scan, config=RefinementConfig(epochs=count, refine_probe=False))) for _ in range(TIMES)]
        seconds, found = statistics.median(taken for taken, _ in rounds), rounds[0][1]
        rows.append(["Iterative", f"{count} epochs", f"{seconds:.2f}", *triple(found, scan, REGION)])
    return rows


def network(scan: Scan, trained: Training, epochs: list[int]) -> list[list[object]]:
    """A row for the network alone, and one for each number of iterative epochs after it."""
    stitched, start = timed(lambda: reconstruct(trained.model, scan))
    whole = trained.seconds + stitched
    steps = f"{trained.history.epochs} epochs"
    rows: list[list[object]] = [["Network", steps, f"{whole:.1f}", *triple(start, scan, REGION)]]
    for count in epochs:
        more, found = timed(lambda count=count: refine(scan, start, RefinementConfig(epochs=count, refine_probe=False)))
        rows.append(["Network, then iterative", f"{steps}, then {count}", f"{whole:.1f} + {more:.2f}", *triple(found, scan, REGION)])
    return rows


def main() -> None:
    """Print a table for each scan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scan", choices=[*PICTURES, "both"], default="both")
    parser.add_argument("--seconds", type=float, default=120, help="for the network")
    parser.add_argument("--network", default=ModelConfig().network)
    parser.add_argument("--gridsize", type=int, default=DataConfig().gridsize)
    parser.add_argument("--precision", default=TrainingConfig().precision)
    parser.add_argument("--learning-rate", type=float, default=TrainingConfig().learning_rate)
    parser.add_argument("--quick", action="store_true", help="see that it works")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    training = TrainingConfig(precision=arguments.precision, learning_rate=arguments.learning_rate, accelerator="cpu")
    model, groups = ModelConfig(network=arguments.network), DataConfig(gridsize=arguments.gridsize)
    for name in PICTURES if arguments.scan == "both" else [arguments.scan]:
        scan = pictures_scan(name, places=14 if arguments.quick else PLACES)
        rows = iterative(scan, [2] if arguments.quick else [4, 6, 8, 15, 32, 64])
        trained = train_for(scan, 5 if arguments.quick else arguments.seconds, training, model, groups)
        rows += network(scan, trained, [2] if arguments.quick else [2, 4, 8])
        head = ["method", "length", "seconds", "amplitude SSIM", "phase SSIM", "phase MAE [rad]"]
        print(f"\n{scan!r}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()
