"""Exercises of notebook 04, when it fails and what to do."""

from __future__ import annotations

from ptycho_nb.lessons.exercises.exercise import Choice, Exercise, Number

FAILING: dict[str, Exercise] = {
    "4.1": Number(
        value=4.8,
        tolerance=0.1,
        hint="Overlap is 1 − step / diameter: solve it for the step.",
        why="(1 − 0.6) times 12 px. A larger step would save patterns and leave too little in common between neighbours.",
        solution="answer = (1 - 0.6) * 12",
        slips={
            7.2: "That is how much of the diameter two neighbours share; by how much is one moved from the other?",
            20.0: "That step is wider than the probe: neighbours would not touch.",
        },
        unit="px",
    ),
    "4.2": Choice(
        options={
            "a": "Lower the learning rate and start again",
            "b": "Let the fit correct the positions",
            "c": "Measure again with more photons",
            "d": "Swap rows and columns",
        },
        letter="c",
        hints={
            "a": "A rate that is too high shows in the loss, which shoots up, and R stays far above the noise: does it here?",
            "b": "Wrong positions leave R far above the noise: does it here?",
            "d": "Swapped axes leave R far above the noise: does it here?",
        },
        why="The photons are explained as well as their noise allows, so nothing is left to fit; only the noise itself can be lowered.",
    ),
    "4.3": Number(
        value=0.68,
        tolerance=0.08,
        hint="Let refine correct the positions, take off the shift common to all, and take the root of the mean squared distance.",
        why="Each axis is off by 0.5 px (root mean square), and both together by √2 times as much. The photons tell it without the truth.",
        solution="""\
freed = refine(shaken, config=RefinementConfig(epochs=32, refine_positions=True, position_learning_rate=0.2))
moved = freed.positions - shaken.positions
answer = np.sqrt(np.square(moved - moved.mean(0)).sum(1).mean())""",
        slips={
            0.5: "That is the error along one axis; the distance has two.",
        },
        unit="px",
    ),
}
