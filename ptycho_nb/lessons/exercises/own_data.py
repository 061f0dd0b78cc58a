"""Exercises of notebook 05, your own data."""

from __future__ import annotations

from ptycho_nb.lessons.exercises.exercise import Choice, Exercise, Number

OWN_DATA: dict[str, Exercise] = {
    "5.1": Number(
        value=45.4,
        tolerance=0.5,
        hint="Object pixel = λz / (N p), with λ [m] = 1.239842e-6 / energy [eV] and N the pixels that are kept; lengths in metres.",
        why="1.239842e-6 / 6200 · 5 / (128 · 172e-6) = 4.54e-8 m: the crop gives up the outermost angles, and with them fine detail.",
        solution="answer = 1.239842e-6 / 6200 * 5 / (128 * 172e-6) * 1e9",
        slips={
            22.7: "That is the object pixel of the whole detector; what does a window of fewer pixels do to it?",
            11.35: "That is finer than before; cropping throws the largest angles away.",
            5813.4: "That is λz / p: the whole field of view of the window, which holds N object pixels.",
            45.4e-9: "That is in metres; the question asks for nanometres.",
            0.0454: "That is in micrometres; the question asks for nanometres.",
        },
        unit="nm",
    ),
    "5.2": Choice(
        options={
            "a": "The positions are random.",
            "b": "The stage moves the sample and not the beam, or the probe's guess has the wrong sign of defocus.",
            "c": "Rows and columns are swapped.",
        },
        letter="b",
        hints={
            "a": "Then no way round would fit much better than the others.",
            "c": "Swapped axes rank as *rows and columns swapped*.",
        },
        why="Both turn the positions by 180°. Photons cannot tell them apart, a known stage can: one gives the object, one its twin.",
    ),
}
