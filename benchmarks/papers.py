"""The tasks of two papers on PtychoPINN, as commands, at a size two cores carry.

    python papers.py lines [--size 128] [--network global_map] [--quick]
    python papers.py star [--patterns 64 256 1024 4096] [--network cnn] [--quick]

``lines``: random lines blurred at three widths, no phase, a raster of 4 px, N = 64, a billion photons; networks with
gridsize 1 (single patterns) and 2 (groups of four overlapping ones), under the ideal disc and under a
structured probe, trained on one object and judged on another. The paper has ``--size 392 --network cnn``,
60 epochs and two objects; its structured probe is a measured one, here it is a zone plate out of focus.

``star``: networks that saw the upper half of a Siemens star, or fewer of its patterns, judged on the lower half; with the
photons as teacher, and with the known object. The paper has 512 to 16,384 patterns of a measured
star and its own reconstruction as truth; here scan and truth are simulated.

PSNR takes the truth's own range. PtychoPINN's takes a peak of 255 for images of the size of 1, which adds
48.13 dB where the range is 1: a column of its own, never to be compared with the other.

References
----------
Hoidn, Mishra & Mehta, Sci. Rep. 13, 22789 (2023); Hoidn, Mishra, Henke, Vong & Seaberg,
arXiv 2602.21361 (2026), table of simulated lines and data-efficiency curve.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from measure import machine, one_thread, table, timed
from scipy.ndimage import gaussian_filter
from skimage.draw import line

from ptycho_nb import (
    DataConfig,
    ModelConfig,
    Reconstruction,
    RefinementConfig,
    Scan,
    SimulationConfig,
    TrainingConfig,
    reconstruct,
    refine,
    simulate_scan,
    train,
)
from ptycho_nb.compare import short
from ptycho_nb.metrics import Region, align, mae, psnr, ssim
from ptycho_nb.physics import expected_photons
from ptycho_nb.refinement import passes as planned
from ptycho_nb.scan import MARGIN
from ptycho_nb.simulate.probes import simulate_probe

N, STEP, PHOTONS, LINES_A_SIDE = 64, 4, 1e9, 400  # px, px, photons a pattern, lines over twice the side
PROBES = {
    "ideal": {"probe": "disk", "probe_diameter": 20.7, "defocus": 0.0},  # a radius of 10.9 px, the package's default at N = 64
    "structured": {"probe": "zone_plate", "probe_diameter": 24.0},
}
STAR_BATCH = 16  # as in the paper
PEAK_255 = 20 * math.log10(255)
PUBLISHED = {  # amplitude SSIM and PSNR as PtychoPINN counts it [dB], arXiv 2602.21361
    ("ideal", 1): (0.620, 60.67),
    ("structured", 1): (0.904, 68.89),
    ("ideal", 2): (0.952, 71.34),
    ("structured", 2): (0.968, 73.03),
}
SCORES = ["amplitude SSIM", "amplitude MAE", "amplitude PSNR [dB]", "PtychoPINN's amplitude PSNR [dB]"]


def blurred_lines(size: int, rng: np.random.Generator) -> np.ndarray:
    """Amplitude (size, size) up to 1: straight lines one pixel wide, blurred by 1, 5 and 10 px and added up 1 : 2 : 5."""
    wide = 2 * size
    canvas = np.zeros((wide, wide))
    for ends in rng.integers(0, wide, (LINES_A_SIDE, 4)):
        canvas[line(*ends.tolist())] = 1
    summed = sum(weight * gaussian_filter(canvas, sigma) for weight, sigma in ((1, 1), (2, 5), (5, 10)))
    middle = summed[size // 2 : size // 2 + size, size // 2 : size // 2 + size]
    return middle / middle.max()


def lines_scan(kind: str, size: int, seed: int) -> Scan:
    """A raster over blurred lines, seen through a probe of ``PROBES``."""
    rng = np.random.default_rng(seed)
    truth = blurred_lines(size, rng).astype(np.complex64)
    probe = simulate_probe(SimulationConfig(N=N, nphotons=PHOTONS, **PROBES[kind]))[0]
    places = np.arange(N // 2 + MARGIN, size - N // 2 - MARGIN + 1, STEP)
    positions = np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2).astype(float)
    expected = expected_photons(torch.from_numpy(truth), torch.from_numpy(probe), torch.from_numpy(positions)).double().numpy()
    gain = PHOTONS / expected.sum((1, 2)).mean()  # the paper counts photons behind the object
    counts = rng.poisson(gain * expected).astype(np.float32)
    probe *= np.float32(math.sqrt(gain))
    return Scan(counts, positions, probe, truth=truth, true_probe=probe, true_positions=positions, name=f"lines-{kind}-{seed}")


def amplitude_scores(found: Reconstruction, scan: Scan) -> list[str]:
    """SSIM, MAE and PSNR of the amplitude, and PSNR as PtychoPINN counts it."""
    pair = align(found.object, scan.truth, found.scanned)
    image, truth = np.abs(pair.object), np.abs(pair.truth)
    theirs = PEAK_255 - 10 * math.log10(float(np.square(image - truth).mean()))
    return [f"{ssim(image, truth):.3f}", f"{mae(image, truth):.4f}", f"{psnr(image, truth):.2f}", f"{theirs:.2f}"]


def lines(size: int, epochs: int, model: ModelConfig, seed: int) -> Iterator[list[object]]:
    """Rows of the lines: network on its own and on another object, the fit there, and both together."""
    for gridsize, kind in product((1, 2), PROBES):
        own, other = (lines_scan(kind, size, seed + k) for k in range(2))
        case = [kind, gridsize]
        training = TrainingConfig(epochs=epochs, seed=seed, accelerator="cpu")
        seconds, trained = timed(lambda o=own, g=gridsize, t=training: train(o, t, model, DataConfig(gridsize=g)))
        yield [*case, "Network, its own object", f"{seconds:.0f}", *amplitude_scores(reconstruct(trained.model, own), own)]
        took, start = timed(lambda m=trained.model, o=other: reconstruct(m, o))
        yield [*case, "Network, another object", f"{took:.1f}", *amplitude_scores(start, other)]
        config = RefinementConfig(refine_probe=False)
        brief = config.replace(epochs=short(planned(config, other).epochs))
        took, both = timed(lambda o=other, s=start, b=brief: refine(o, s, b))
        yield [*case, "Network, then iterative, another object", f"{took:.1f}", *amplitude_scores(both, other)]
        if gridsize == 1:
            took, fitted = timed(lambda o=other, c=config: refine(o, config=c))
            yield [kind, "", "Iterative, another object", f"{took:.1f}", *amplitude_scores(fitted, other)]
        similarity, theirs = PUBLISHED[kind, gridsize]
        yield [*case, "published: PtychoPINN, its lines and probe", "", f"{similarity:.3f}", "", "", f"{theirs:.2f}"]


def star(patterns: list[int], epochs: int, model: ModelConfig, gridsize: int, seed: int) -> Iterator[list[object]]:
    """Rows of the data ladder: patterns, teacher, epochs, seconds, scores on the half seen and on the other."""
    side = round(N + 2 * MARGIN + 0.3 * 24 * math.sqrt(2.2 * max(patterns)))
    whole = simulate_scan(SimulationConfig(object="siemens_star", height=side, width=side, overlap=0.7, seed=seed))
    middle = np.median(whole.positions[:, 0])
    upper, lower = (whole.select(np.flatnonzero(side)) for side in (whole.positions[:, 0] <= middle, whole.positions[:, 0] > middle))
    rng = np.random.default_rng(seed)
    for count in patterns:
        chosen = _near(upper, min(count, upper.M), rng)
        passes = math.ceil(epochs * max(patterns) / len(chosen))  # every run takes as many steps
        for teacher in ("unsupervised", "supervised"):
            training = TrainingConfig(epochs=passes, objective=teacher, seed=seed, accelerator="cpu", batch_size=STAR_BATCH)
            part = upper.select(chosen)
            seconds, trained = timed(lambda p=part, t=training: train(p, t, model, DataConfig(gridsize=gridsize)))
            scores = [cell for half in (upper, lower) for cell in _halves(reconstruct(trained.model, half), half)]
            yield [len(chosen), teacher, passes, f"{seconds:.0f}", *scores]


def _near(scan: Scan, count: int, rng: np.random.Generator) -> np.ndarray:
    """The patterns nearest to one place, so that even few of them overlap."""
    centre = scan.positions[rng.integers(scan.M)] if count < scan.M else scan.positions.mean(0)
    return np.sort(np.argsort(np.square(scan.positions - centre).sum(1))[:count])


def _halves(found: Reconstruction, half: Scan) -> list[str]:
    region: Region = found.scanned
    pair = align(found.object, half.truth, region)
    known = np.angle(pair.truth)
    phase = known + np.angle(pair.object * pair.truth.conj())
    return [f"{ssim(np.abs(pair.object), np.abs(pair.truth)):.3f}", f"{ssim(phase, known):.3f}"]


def main() -> None:
    """Print the table of one task, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["lines", "star"])
    parser.add_argument("--size", type=int, default=128, help="of the lines, px a side; the paper: 392")
    parser.add_argument("--patterns", type=int, nargs="+", default=[64, 256, 1024, 4096], help="of the upper half; the paper: 512 to 16384")
    parser.add_argument("--epochs", type=int, help="60 for the lines, as in the paper; for the most patterns of the star 20")
    parser.add_argument("--network", help="global_map for the lines, cnn for the star; the papers' is nearest to cnn")
    parser.add_argument("--filters", type=float, default=0.125, help="width of the cnn over the standard one; the papers: 1")
    parser.add_argument("--gridsize", type=int, default=2, help="of the star's groups")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="see that it works")
    arguments = parser.parse_args()
    one_thread()
    print(machine() + "\n")
    if arguments.task == "lines":
        model = ModelConfig(network=arguments.network or "global_map", n_filters_scale=arguments.filters)
        rows = lines(100 if arguments.quick else arguments.size, arguments.epochs or (2 if arguments.quick else 60), model, arguments.seed)
        head = ["probe", "gridsize", "method", "seconds", *SCORES]
    else:
        model = ModelConfig(network=arguments.network or "cnn", n_filters_scale=arguments.filters)
        counts = [16, 32] if arguments.quick else arguments.patterns
        rows = star(counts, arguments.epochs or (1 if arguments.quick else 20), model, arguments.gridsize, arguments.seed)
        halves = [f"{half}: {part} SSIM" for half in ("half seen", "other half") for part in ("amplitude", "phase")]
        head = ["patterns", "objective", "epochs", "seconds", *halves]
    print(table(head, []))
    for row in rows:
        print(table(head, [row]).splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
