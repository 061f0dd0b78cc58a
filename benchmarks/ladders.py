"""How far each method comes as the dose falls and as the overlap falls, and whether the held-out misfit knows.

    python ladders.py [--objects dead_leaves ...] [--networks 1] [--figures FOLDER] [--quick]

Every rung is a simulated scan of the same object and probe: 100 to 10 million photons a pattern at
70 % overlap, and 80 to 30 % overlap at 100,000 photons. A tenth of the patterns, well covered, is
held out; network, iterative fit, and network then iterative see the others, with the amplitude and
the Poisson loss, and the fits with and without total variation (TV). The error is the RMS difference
of the aligned object from the truth over the RMS of the truth.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from measure import machine, one_thread, table, timed
from scipy.stats import spearmanr

from ptycho_nb import (
    DataConfig,
    Reconstruction,
    RefinementConfig,
    SimulationConfig,
    TrainingConfig,
    reconstruct,
    refine,
    simulate_scan,
    train,
)
from ptycho_nb.compare import short
from ptycho_nb.figures.picture import DASHES, LABEL, LINES, SMALL, Picture, quiet, title
from ptycho_nb.metrics import align, compare_aligned
from ptycho_nb.refinement import passes
from ptycho_nb.refinement.start import held_out

DOSES, DOSE_OVERLAP = (1e2, 1e3, 1e4, 1e5, 1e6, 1e7), 0.7
OVERLAPS, OVERLAP_DOSE = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3), 1e5
LOSSES = ("amplitude", "poisson")
STRENGTHS = (0.0, 0.25)  # of the total variation
COLOURS = dict(zip(("Iterative", "Network", "Network, then iterative"), LINES, strict=False))
GRIDS = (1, 2, 3, 4)
HARD = {"dose": (1e2, 1e3), "overlap": (0.4, 0.3)}  # where a network should win
JUDGES = 0.1  # share of the patterns held out


@dataclass(frozen=True)
class Rung:
    """One step of a ladder."""

    ladder: str
    value: float
    config: SimulationConfig

    @property
    def label(self) -> str:
        """The photons of a pattern, or the overlap, as one reads it."""
        return f"{self.value:.0e}".replace("e+0", "e") if self.ladder == "dose" else f"{100 * self.value:.0f} %"


@dataclass(frozen=True)
class Found:
    """What one method made of one rung."""

    rung: Rung
    method: str
    loss: str
    prior: bool
    amplitude: float
    phase: float
    error: float
    misfits: tuple[float, float]
    seconds: float

    @property
    def object(self) -> str:
        """What was looked at."""
        return self.rung.config.object

    @property
    def column(self) -> str:
        """Method, loss and prior."""
        return f"{self.method}, {self.loss}{', TV' if self.prior else ''}"

    @property
    def cell(self) -> str:
        """Amplitude SSIM / phase SSIM / error."""
        return f"{self.amplitude:.3f} / {self.phase:.3f} / {self.error:.3f}"


def rungs(name: str, size: tuple[int, int], seed: int, count: int) -> Iterator[Rung]:
    """Both ladders on one object, ``count`` steps of each."""
    base = SimulationConfig(object=name, height=size[0], width=size[1], seed=seed)
    for dose in _spread(DOSES, count):
        yield Rung("dose", dose, base.replace(nphotons=dose, overlap=DOSE_OVERLAP))
    for overlap in _spread(OVERLAPS, count):
        yield Rung("overlap", overlap, base.replace(nphotons=OVERLAP_DOSE, overlap=overlap))


def _spread(values: tuple[float, ...], count: int) -> list[float]:
    return [values[round(k)] for k in np.linspace(0, len(values) - 1, min(count, len(values)))]


class Climb:
    """All methods on one rung."""

    def __init__(self, rung: Rung, seed: int) -> None:
        self.rung, self.seed = rung, seed
        self.scan = simulate_scan(rung.config)
        self.judges = held_out(self.scan, JUDGES, seed)
        self.part = self.scan.select(np.setdiff1d(np.arange(self.scan.M), self.judges))

    def iterative(self) -> Iterator[Found]:
        """Both losses, with and without total variation, from a flat start."""
        for loss, strength in product(LOSSES, STRENGTHS):
            config = RefinementConfig(loss=loss, total_variation=strength, seed=self.seed)
            seconds, found = timed(lambda config=config: refine(self.part, config=config))
            yield self._judged(found, "Iterative", loss, strength > 0, seconds)

    def networks(self, epochs: int) -> Iterator[Found]:
        """Both losses; and each network iteratively finished, with and without total variation."""
        groups = DataConfig(gridsize=min(DataConfig().gridsize, math.isqrt(self.part.M // 2)))
        for loss in LOSSES:
            training = TrainingConfig(epochs=epochs, loss=loss, seed=self.seed, accelerator="cpu")
            seconds, start = timed(lambda training=training: reconstruct(train(self.part, training, data=groups).model, self.part))
            yield self._judged(start, "Network", loss, False, seconds)
            for strength in STRENGTHS:
                config = RefinementConfig(loss=loss, total_variation=strength, seed=self.seed)
                config = config.replace(epochs=short(passes(config, self.part).epochs))
                more, found = timed(lambda config=config, start=start: refine(self.part, start, config))
                yield self._judged(found, "Network, then iterative", loss, strength > 0, seconds + more)

    def grids(self, epochs: int) -> Iterator[Found]:
        """Networks that learn from groups of one to sixteen patterns, with the loss that suits the rung, and the fit with its prior."""
        loss = "poisson" if self.rung.ladder == "dose" else "amplitude"
        for gridsize in GRIDS:
            training = TrainingConfig(epochs=epochs, loss=loss, seed=self.seed, accelerator="cpu")
            model = train(self.part, training, data=DataConfig(gridsize=gridsize)).model
            yield self._judged(reconstruct(model, self.part), f"Network, groups of {gridsize**2}", loss, False, 0.0)
        config = RefinementConfig(loss=loss, seed=self.seed)
        yield self._judged(refine(self.part, config=config), "Iterative", loss, True, 0.0)

    def _judged(self, found: Reconstruction, method: str, loss: str, prior: bool, seconds: float) -> Found:
        pair = align(found.object, self.scan.truth, found.scanned)
        scores = compare_aligned(pair)
        error = float(np.linalg.norm(pair.object - pair.truth) / np.linalg.norm(pair.truth))
        whole = found.replace(positions=self.scan.positions)
        misfits = (whole.misfit(self.scan, "amplitude", self.judges), whole.misfit(self.scan, "poisson", self.judges))
        return Found(self.rung, method, loss, prior, scores.amplitude.ssim, scores.phase.ssim, error, misfits, seconds)


def quality_table(found: list[Found], ladder: str) -> str:
    """A row an object and method, a column a rung."""
    chosen = [f for f in found if f.rung.ladder == ladder]
    labels = list(dict.fromkeys(f.rung.label for f in chosen))
    rows = []
    for key in dict.fromkeys((f.object, f.column) for f in chosen):
        cells = {f.rung.label: f.cell for f in chosen if (f.object, f.column) == key}
        rows.append([*key, *(cells.get(label, "") for label in labels)])
    return table(["object", "method, loss, prior", *labels], rows)


def judges_table(found: list[Found]) -> str:
    """Does the held-out misfit rank the runs of a rung as the error does, and what does its choice cost?"""
    rows = []
    for judge, runs in product(LOSSES, ("all", *LOSSES)):
        ranks, costs = [], []
        for rung in dict.fromkeys(f.rung for f in found):
            here = [f for f in found if f.rung == rung and runs in ("all", f.loss)]
            misfits, errors = [f.misfits[LOSSES.index(judge)] for f in here], [f.error for f in here]
            ranks.append(spearmanr(misfits, errors).statistic)
            costs.append(errors[int(np.argmin(misfits))] / min(errors))
        picked = f"{sum(cost == 1 for cost in costs)} of {len(costs)}"
        rows.append([judge, runs, f"{np.mean(ranks):.2f}", picked, f"{np.mean(costs):.2f}", f"{max(costs):.2f}"])
    return table(
        [
            "held-out misfit",
            "runs by their loss",
            "rank correlation",
            "chose the nearest",
            "error of its choice over the least",
            "at worst",
        ],
        rows,
    )


def gains_table(found: list[Found]) -> str:
    """What total variation changes in the iterative fit, by rung, over objects and losses: least, mean and greatest."""
    fits = {(f.object, f.rung, f.loss, f.prior): f for f in found if f.method == "Iterative"}
    rows = []
    for ladder, label in dict.fromkeys((f.rung.ladder, f.rung.label) for f in fits.values()):
        with_it = [f for f in fits.values() if f.prior and (f.rung.ladder, f.rung.label) == (ladder, label)]
        pairs = [(fits[f.object, f.rung, f.loss, False], f) for f in with_it]
        amplitude = _span([b.amplitude - a.amplitude for a, b in pairs], "{:+.3f}")
        phase = _span([b.phase - a.phase for a, b in pairs], "{:+.3f}")
        rows.append([ladder, label, len(pairs), amplitude, phase, _span([b.error / a.error - 1 for a, b in pairs], "{:+.0%}")])
    return table(["ladder", "rung", "pairs", "amplitude SSIM", "phase SSIM", "error"], rows)


def _span(values: list[float], form: str) -> str:
    return " / ".join(form.format(value) for value in (min(values), float(np.mean(values)), max(values)))


def drawn(found: list[Found], ladder: str) -> Picture:
    """The error by rung on the first object, a line a method."""
    chosen = [f for f in found if f.rung.ladder == ladder and f.object == found[0].object]
    picture = Picture(8, 6, name=f"error of each method by {ladder}, {found[0].object.replace('_', ' ')}")
    axes = picture.subplots()
    for method, loss, prior in sorted({(f.method, f.loss, f.prior) for f in chosen}):
        runs = sorted((f for f in chosen if (f.method, f.loss, f.prior) == (method, loss, prior)), key=lambda f: f.rung.value)
        style = {"color": COLOURS[method], "linestyle": DASHES[LOSSES.index(loss)], "marker": "s" if prior else "o"}
        axes.plot([f.rung.value for f in runs], [f.error for f in runs], label=runs[0].column, linewidth=1.5, markersize=5, **style)
    axes.set_yscale("log")
    if ladder == "dose":
        axes.set_xscale("log")
    axes.set_xlabel("photons in a pattern" if ladder == "dose" else "linear overlap", fontsize=LABEL)
    axes.set_ylabel("error of the object over its RMS", fontsize=LABEL)
    quiet(axes)
    picture.legend(loc="outside lower center", fontsize=SMALL, frameon=False, ncol=2)
    title(axes, f"{found[0].object.replace('_', ' ').capitalize()}: error by {ladder}")
    return picture


def climbed(name: str, size: tuple[int, int], seed: int, count: int, epochs: int) -> Iterator[Found]:
    """Every method on every rung of one object, networks where there are epochs for them; a scan of both ladders once."""
    known: dict[SimulationConfig, list[Found]] = {}
    for rung in rungs(name, size, seed, count):
        if rung.config not in known:
            climb = Climb(rung, seed)
            known[rung.config] = [*climb.iterative(), *(climb.networks(epochs) if epochs else ())]
        yield from (replace(found, rung=rung) for found in known[rung.config])


def main() -> None:
    """Print the tables; write the pictures where a folder is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", nargs="+", default=["dead_leaves", "gaussian_field", "picture"])
    parser.add_argument("--networks", type=int, default=1, help="objects, of the first ones, on which networks are trained too")
    parser.add_argument("--epochs", type=int, default=60, help="of each network")
    parser.add_argument("--rungs", type=int, default=6, help="of each ladder")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--figures", type=Path, help="an existing folder for the pictures")
    parser.add_argument("--grids", action="store_true", help="only networks of several group sizes, where photons or overlap are few")
    parser.add_argument("--quick", action="store_true", help="see that it works")
    arguments = parser.parse_args()
    one_thread()
    print(machine())
    size, count, epochs = ((152, 160), 2, 2) if arguments.quick else ((168, 176), arguments.rungs, arguments.epochs)
    found: list[Found] = []
    if arguments.grids:
        for number, name in enumerate(arguments.objects):
            hard = [rung for rung in rungs(name, size, arguments.seed + number, len(DOSES)) if rung.value in HARD[rung.ladder]]
            found += [one for rung in hard for one in Climb(rung, arguments.seed + number).grids(epochs)]
        print("\n\n".join(quality_table(found, ladder) for ladder in HARD))
        return
    for number, name in enumerate(arguments.objects):
        found += climbed(name, size, arguments.seed + number, count, epochs if number < arguments.networks else 0)
    for ladder, words in (("dose", f"{DOSE_OVERLAP:.0%} overlap"), ("overlap", f"{OVERLAP_DOSE:.0e} photons a pattern")):
        print(f"\nBy {ladder}, {words}: amplitude SSIM / phase SSIM / error\n\n{quality_table(found, ladder)}")
        if arguments.figures:
            drawn(found, ladder).save(arguments.figures / f"ladder_{ladder}.png")
    print(f"\nTotal variation in the iterative fit: least / mean / greatest change\n\n{gains_table(found)}")
    print(f"\nThe held-out misfit as a judge\n\n{judges_table(found)}")


if __name__ == "__main__":
    main()
