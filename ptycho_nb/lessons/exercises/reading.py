"""Exercises of notebook 03, reading a reconstruction."""

from __future__ import annotations

from typing import Any

from ptycho_nb.config import ViewConfig
from ptycho_nb.lessons.exercises.exercise import Exercise, Made, Number


def flat_and_whole(answer: Any) -> str | None:
    """What is left to do until the view is flat, whole, of the right sign and cut to the scan."""
    if not isinstance(answer, ViewConfig):
        return 'Give a ViewConfig, such as ViewConfig(phase_map="gray").'
    if answer.twin:
        return "In the twin matter has the other sign: the object shown first is already the right one."
    if not answer.unwrap:
        return "Somewhere the colours still jump from one end of their bar to the other: look for the setting that puts whole turns back."
    if not answer.remove_ramp:
        return "One side of the image is still higher than the other: look for the setting that takes a plane off."
    if answer.crop != "scanned":
        return "The view still shows places that only the rim of the probe reached: look at what crop can be."
    if any(limit is not None for limit in (answer.phase_low, answer.phase_high, answer.amplitude_low, answer.amplitude_high)):
        return "Limits set by hand can cut values off; leave them empty here."
    return None


READING: dict[str, Exercise] = {
    "3.1": Number(
        value=0.196,
        tolerance=0.004,
        hint="A ramp of one whole turn over the N pixels of the window moves the pattern by one detector pixel.",
        why="2π/N rad a pixel moves the pattern by one detector pixel, so two pixels take 4π/64 = 0.196 rad a pixel.",
        solution="answer = 2 * 2 * np.pi / 64",
        slips={
            0.098: "That moves the pattern by one detector pixel; by how many was the centre wrong?",
            0.03125: "That is in turns a pixel; a turn has 2π rad.",
            11.25: "That is in degrees; the answer is asked for in rad.",
            6.283: "That is the phase over half the window; what is it from one pixel to the next?",
        },
        unit="rad/px",
    ),
    "3.2": Number(
        value=30.0,
        tolerance=0.5,
        hint="First the period that belongs to the frequency, in pixels; then half of it; then in nm.",
        why="The period is 1/0.2 = 5 px, half of it 2.5 px, and 2.5 px of 12 nm are 30 nm.",
        solution="answer = 0.5 / 0.2 * 12",
        slips={
            60.0: "That is a full period; the half-period is asked for.",
            2.5: "That is in pixels; how wide is one?",
            5.0: "That is a full period in pixels; halve it and take it to nm.",
            2.4: "The finer the detail, the higher its frequency: divide by the frequency.",
        },
        unit="nm",
    ),
    "3.3": Made(
        judge=flat_and_whole,
        why="Unwrapped, flattened, cut to where the light was; the plane is that of most of the region, so read differences close by.",
        solution='answer = ViewConfig(unwrap=True, remove_ramp=True, crop="scanned")',
        right=[ViewConfig(unwrap=True, remove_ramp=True, crop="scanned", phase_map="gray")],
        wrong=[
            ViewConfig(),
            ViewConfig(unwrap=True),
            ViewConfig(unwrap=True, remove_ramp=True),
            ViewConfig(unwrap=True, remove_ramp=True, crop="scanned", twin=True),
            ViewConfig(unwrap=True, remove_ramp=True, crop="scanned", phase_high=0.5),
            "flat",
        ],
    ),
}
