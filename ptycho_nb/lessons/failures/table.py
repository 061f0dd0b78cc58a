"""The cases: seven ways to fail on a small scan, each with its cure."""

from __future__ import annotations

from typing import Any

from ptycho_nb.config import Config, DataConfig, ModelConfig, RefinementConfig, SimulationConfig, TrainingConfig
from ptycho_nb.lessons.failures.diagnostics import APART, HALF_PERIOD, OVER_NOISE, OVERLAP, RISE, SHIFT, WAY_ROUND
from ptycho_nb.lessons.failures.failure import Failure
from ptycho_nb.lessons.failures.trial import Trial

SMALL = SimulationConfig(N=32, height=112, width=112, probe_diameter=12)  # a fit of it takes about a second
FIT = RefinementConfig(epochs=24)


def _fit(fit: dict[str, Any] | None = None, *, swapped: bool = False, transposed: bool = False, **simulation: Any) -> Trial:
    """An iterative fit with these settings on the small scan with these changes."""
    return Trial(SMALL.replace(**simulation), (FIT.replace(**(fit or {})),), swapped, transposed)


def _network(gridsize: int) -> Trial:
    """A short training on the small scan, in groups of gridsize² patterns."""
    configs: tuple[Config, ...] = (TrainingConfig(epochs=30), ModelConfig(hidden=256), DataConfig(gridsize=gridsize))
    return Trial(SMALL, configs)


FAILURES: dict[str, Failure] = {
    "overlap": Failure(
        title="Too little overlap",
        symptom="Speckle covers the amplitude, and ghosts of the phase shine through it.",
        why="One pattern has too few numbers for the amplitude and the phase of its patch; what is missing comes from neighbours that "
        "saw the same pixels. Where probes hardly touch, many objects explain every pattern, and R stays low whichever of them is found.",
        remedy="Scan again in smaller steps: an overlap of 70 % in place of 10 %.",
        diagnostic=OVERLAP,
        bad=_fit({"epochs": 128}, overlap=0.1),
        good=_fit(overlap=0.7),
    ),
    "dose": Failure(
        title="Low dose",
        symptom="The image is covered in grain that changes from one measurement to the next, and fine detail is gone.",
        why="A pixel that expects n photons counts n ± √n, and the fit cannot tell that noise from the object. It explains the counts as "
        "well as photon noise allows, so R over its noise level stays at 1.",
        remedy="Count longer: 1,000,000 photons a pattern in place of 300.",
        diagnostic=HALF_PERIOD,
        bad=_fit(nphotons=300),
        good=_fit(nphotons=1e6),
    ),
    "defocus": Failure(
        title="Wrong defocus",
        symptom="Edges carry fringes, and the image looks like a hologram that is out of focus.",
        why="The fit believes a probe that is 30 % farther out of focus than the true one. What the probe does wrong, the object has "
        "to make good at every position, and no object can.",
        remedy="Let the fit find the probe too: refine_probe=True.",
        diagnostic=OVER_NOISE,
        bad=_fit({"refine_probe": False}, probe_error=0.3),
        good=_fit(probe_error=0.3),
    ),
    "axes": Failure(
        title="Swapped axes",
        symptom="There is a texture of the right fineness, and nothing that can be recognised.",
        why="The file calls the rows of the positions columns, so patterns are laid down in the wrong places. Neighbours then disagree "
        "about every pixel, and the fit averages what does not belong together.",
        remedy="Read it the way round that fits best: scan.oriented(transpose=True).",
        diagnostic=WAY_ROUND,
        bad=_fit(swapped=True),
        good=_fit(swapped=True, transposed=True),
    ),
    "positions": Failure(
        title="Position noise",
        symptom="Fine detail is smeared, and edges of the phase leave ghosts in the amplitude.",
        why="The stage stood about a pixel from where it says. Each pixel is put together from patterns that show it in slightly "
        "different places, which smears whatever is finer than the error.",
        remedy="Let the fit correct the positions: refine_positions=True.",
        diagnostic=SHIFT,
        bad=_fit(position_error=0.8),
        good=_fit({"epochs": 32, "refine_positions": True, "position_learning_rate": 0.2}, position_error=0.8),
    ),
    "learning rate": Failure(
        title="Learning rate too high",
        symptom="The loss shoots up at the start, and the image ends as noise full of phase vortices.",
        why="The gradient points downhill only close by; a step longer than that lands higher up on the other side. The "
        "phase then winds round points of zero amplitude, and later, smaller steps cannot unwind it.",
        remedy="Start again with a learning rate of 0.06 in place of 3.",
        diagnostic=RISE,
        bad=_fit({"learning_rate": 3.0, "mend_slow_phase": False}),
        good=_fit(),
    ),
    "no constraint": Failure(
        title="No overlap constraint",
        symptom="The training loss is lower than that of the good run, and the image is wrong.",
        why="With gridsize=1 the network explains each pattern by a patch of its own, and each patch may have any phase and "
        "many shapes. Neighbouring patches need not agree, so the one object made of them explains the patterns badly.",
        remedy="Train as long on groups of patterns that must agree on one object: gridsize=4.",
        diagnostic=APART,
        bad=_network(1),
        good=_network(4),
    ),
}
