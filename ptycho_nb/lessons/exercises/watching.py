"""Exercises of notebook 02, train and watch."""

from __future__ import annotations

from ptycho_nb.lessons.exercises.exercise import Choice, Exercise, Number

WATCHING: dict[str, Exercise] = {
    "2.1": Choice(
        options={
            "a": "That of the first: its loss is lower",
            "b": "That of the second: a lower loss means that noise was fitted",
            "c": "The two losses alone do not tell",
        },
        letter="c",
        hints={
            "a": "Two runs above end with losses in this order: look at their images again.",
            "b": "That may be, or the second may simply have stopped too early: what do the two numbers say of it?",
        },
        why="Settings change what the loss measures and how freely it can fall; only an image, or patterns kept from both, can judge.",
    ),
    "2.2": Number(
        value=0.25,
        tolerance=0.02,
        hint="A count of y photons varies by √y: by how much does its square root vary, and what is the square of that?",
        why="√y varies by √y / (2√y) = ½ whatever y is, so the mean square is ¼: a loss near it leaves nothing to explain.",
        solution="answer = 0.5**2",
        slips={
            1.0: "A change of y by √y is a change of √y by how much, since d√y = dy / (2√y)?",
            0.5: "That is by how much √y varies; the mean of its square is asked for.",
            0.0: "The prediction is exact, but the count is not: it varies by √y.",
        },
    ),
    "2.3": Choice(
        options={
            "a": "More epochs",
            "b": "A smaller learning rate",
            "c": "A larger network",
            "d": "A scan with more photons",
        },
        letter="b",
        hints={
            "a": "The curve is flat at its end: what would further steps of the same size do?",
            "c": "The network that leapt above is the one that had learned well before: what was different?",
            "d": "The patterns were the same in both runs above: what was different?",
        },
        why="Steps that are too long jump over the valley; with shorter ones the same network learns from the same patterns.",
    ),
}
