"""Exercises of notebook 01, what is ptychography."""

from __future__ import annotations

from typing import Any

from ptycho_nb.config import RefinementConfig, SimulationConfig
from ptycho_nb.lessons.exercises.exercise import Choice, Exercise, Made, Number
from ptycho_nb.metrics import compare_objects
from ptycho_nb.refinement import refine
from ptycho_nb.simulate import simulate_scan

QUICK = SimulationConfig.preset("quick")
BUDGET, WANTED = 2e7, 0.9  # photons on the whole sample; structural similarity of the phase
MOST = 0.85  # overlap beyond which the reconstruction takes too long for an answer


def spares_the_sample(answer: Any) -> str | None:
    """What to look at until the scan keeps within its photons and still shows the phase, which a reconstruction tells."""
    if not isinstance(answer, SimulationConfig):
        return "Give quick.replace(overlap=…, nphotons=…) with two numbers."
    if answer.replace(overlap=QUICK.overlap, nphotons=QUICK.nphotons) != QUICK:
        return "Change overlap and nphotons of quick and leave the other settings as they are."
    if answer.overlap > MOST:
        return "So many patterns share so few photons that each says little: look for an overlap that is usual."
    scan = simulate_scan(answer)
    if scan.M * answer.nphotons > BUDGET:
        return f"{scan.M} patterns of {answer.nphotons:.2g} photons are {scan.M * answer.nphotons:.2g}: the sample does not bear that."
    result = refine(scan, config=RefinementConfig.preset("standard"))
    assert scan.truth is not None  # simulated scans have one
    reached = compare_objects(result.object, scan.truth, result.scanned).phase.ssim
    if reached >= WANTED:
        return None
    look = "how little neighbours share" if answer.overlap < 0.5 else "how much of the budget is left unused"
    return f"{scan.M} patterns of {answer.nphotons:.2g} photons reach a similarity of {reached:.2f}: look at {look}."


WHAT_IS: dict[str, Exercise] = {
    "1.1": Choice(
        options={
            "a": "Every pattern gets brighter or darker",
            "b": "Every pattern moves aside",
            "c": "No pattern changes",
        },
        letter="c",
        hints={
            "a": "Brightness is the squared modulus of the wave: what is the modulus of exp(iφ)?",
            "b": "A pattern moves where the phase grows from pixel to pixel; here it is the same in all of them.",
        },
        why="The Fourier transform passes the common factor on and the modulus drops it, so this phase stays free in every reconstruction.",
    ),
    "1.2": Number(
        value=1150,
        tolerance=150,
        hint="First the step, which is the share of the probe that is new at each position, then the positions along one side, then both.",
        why="The step is 0.3 · 2 µm = 0.6 µm, so a side takes about 34 positions and the field about 1,150.",
        solution="answer = (20 / (0.3 * 2)) ** 2",
        slips={
            100.0: "That is without overlap: by how much of its width does the probe move on?",
            204.0: "That step is the part that is shared: what is the part that is new?",
            33.3: "That is along one side of the field.",
        },
    ),
    "1.3": Made(
        judge=spares_the_sample,
        why="Overlap and photons share one budget: from 50 to 80 % it hardly matters how they are divided, below that nothing helps.",
        solution="answer = quick.replace(overlap=0.65, nphotons=1.3e5)",
        right=[QUICK.replace(overlap=0.55, nphotons=2e5)],
        wrong=[
            QUICK,
            QUICK.replace(overlap=0.2, nphotons=5e5),
            QUICK.replace(nphotons=5e3),
            QUICK.replace(overlap=0.9, nphotons=1e4),
            QUICK.replace(overlap=0.65, nphotons=1.3e5, phase_range=3),
            0.65,
        ],
    ),
}
