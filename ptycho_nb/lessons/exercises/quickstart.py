"""Exercises of notebook 00, from a scan to amplitude and phase."""

from __future__ import annotations

from ptycho_nb.lessons.exercises.exercise import Choice, Exercise

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
            "c": "More photons lower the R of noise alone; here the fit lies below that R: what else can it have described?",
        },
        why="Noise alone gives an R; a fit below it has bent the object to follow the noise of the patterns it was fitted to.",
    ),
}
