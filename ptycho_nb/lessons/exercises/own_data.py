"""Exercises of notebook 05, your own data."""

from __future__ import annotations

from ptycho_nb.lessons.exercises.exercise import Choice, Exercise, Number

OWN_DATA: dict[str, Exercise] = {
    "5.1": Number(
        value=22.7,
        tolerance=0.3,
        hint="Object pixel = λz / (N p), with λ [m] = 1.239842e-6 / energy [eV]; every length in metres, and the result in nm.",
        why="1.239842e-6 / 6200 · 5 / (256 · 172e-6) = 2.27e-8 m.",
        solution="answer = 1.239842e-6 / 6200 * 5 / (256 * 172e-6) * 1e9",
        slips={
            5813.4: "That is λz / p: the whole field of view of the window, which holds N object pixels.",
            22.7e-9: "That is in metres; the question asks for nanometres.",
            0.0227: "That is in micrometres; the question asks for nanometres.",
        },
        unit="nm",
    ),
    "5.2": Number(
        value=29.35,
        tolerance=0.3,
        hint="Cropping the detector to n of N pixels widens the object pixel by N / n; binning leaves it as it is.",
        why="200 / 96 times 14.09 nm. The crop gives up the outermost angles, and with them the finest detail.",
        solution="answer = 14.09 * 200 / 96",
        slips={
            14.09: "That is the object pixel of the whole detector; a smaller detector sees coarser detail.",
            6.763: "That is finer than before; cropping throws the largest angles away.",
            22.02: "That is what a crop to 128 px gives.",
        },
        unit="nm",
    ),
    "5.3": Choice(
        options={
            "a": "The order does not matter.",
            "b": "Hot pixels pull the centre of mass of the light towards them.",
            "c": "The mask moves with the centre, so it must come first.",
        },
        letter="b",
        hints={
            "a": "Compare the centre that `checks` names before and after the mask.",
            "c": "`load_scan` takes the mask in the file's own layout, wherever the centre is.",
        },
        why="A pixel that counts by itself far from the beam weighs like light that is there.",
    ),
    "5.4": Choice(
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
