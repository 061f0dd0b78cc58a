"""Exercises of notebook 00, from a scan to amplitude and phase."""

from __future__ import annotations

from ptycho_nb.lessons.exercises.exercise import Choice, Exercise, Number

QUICKSTART: dict[str, Exercise] = {
    "0.1": Choice(
        options={
            "a": "It is perfect: nothing is left to explain",
            "b": "It explains noise too, which belongs to no object",
            "c": "The detector counted too many photons",
        },
        letter="b",
        hints={
            "a": "Even the true object has an R, for photons are counted: which number above tells how much?",
            "c": "More photons lower the R of noise alone; here the fit lies far below that R: what else can it have described?",
        },
        why="A fit of p numbers to n measured ones ends near √(1 − p/n) of the R of noise; at half of it p is ¾ n: it fits noise.",
    ),
    "0.2": Number(
        value=20.0,
        tolerance=1.0,
        hint="A count whose mean is n scatters by the square root of n.",
        why="√400. Relative to the count that is 5 %; with a hundred times the dose it would be 0.5 %.",
        solution="answer = 400**0.5",
        slips={
            400.0: "That is the count itself; how far does the next one lie from it?",
            5.0: "That is in per cent of the count; the question asks for photons.",
            0.05: "That is relative to the count; the question asks for photons.",
        },
        unit="photons",
    ),
}
