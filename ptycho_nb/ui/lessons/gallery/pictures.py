"""What is seen of a case: objects side by side on the truth's limits, and the numbers under them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from ptycho_nb.figures import Picture
from ptycho_nb.figures.colours import limits, symmetric
from ptycho_nb.figures.picture import colour_bar, heading, image, title
from ptycho_nb.lessons.failures import Failure, Outcome
from ptycho_nb.quantities import figures
from ptycho_nb.ui.drawing import Markup, coloured, joined, picture, tag
from ptycho_nb.ui.panels.findings import listed

TRUTH = "Truth"
PHASES = "RdBu_r"  # the phase of these objects does not wrap
ERRORS = "Errors are mean absolute differences from the truth, with phase, scale, ramp and shift taken off first."

Images = NDArray[Any]
Outcomes = Mapping[str, Outcome]


def columns(outcomes: Outcomes) -> Markup:
    """Amplitude over phase of each run and of the truth, all on the truth's limits."""
    last = list(outcomes.values())[-1]
    turn, gray, colours = _scales(last)
    shown = [_column(name, one.shown * turn, _errors(one), gray, colours) for name, one in outcomes.items()]
    return tag("div", *shown, _column(TRUTH, last.pair.truth * turn, "", gray, colours), class_="pnb-cases")


def _scales(outcome: Outcome) -> tuple[complex, Normalize, Normalize]:
    """The turn that takes the truth's mean phase off, and its limits of amplitude and phase."""
    truth = outcome.pair.truth
    turn = complex(np.exp(-1j * np.angle(truth.sum())))
    return turn, limits(np.abs(truth)), symmetric(np.angle(truth * turn))


def _errors(outcome: Outcome) -> str:
    return f", {figures(outcome.phase_error)} rad from the truth in phase and {figures(outcome.amplitude_error)} in amplitude"


def _column(name: str, seen: Images, words: str, gray: Normalize, colours: Normalize) -> Markup:
    drawn = (
        picture(coloured(np.abs(seen), gray, "gray"), f"Amplitude, {_ends(gray)}", f"{name}: object amplitude{words}"),
        picture(coloured(np.angle(seen), colours, PHASES), f"Phase, {_ends(colours)} rad", f"{name}: object phase{words}"),
    )
    return tag("div", tag("h4", name), tag("div", *drawn, class_="pnb-pictures"))


def _ends(norm: Normalize) -> str:
    return f"{figures(float(norm.vmin or 0), 2)} to {figures(float(norm.vmax or 0), 2)}"


def table(case: Failure, outcomes: Outcomes) -> Markup:
    """A line for each number, a column for each run."""
    diagnostic = case.diagnostic
    rows = {
        f"{diagnostic.name} (the alarm rings {diagnostic.limit})": [
            f"{diagnostic.written(one.reading.number)}: {'the alarm rings' if one.crossed else 'silent'}" for one in outcomes.values()
        ],
        "R over the R of photon noise alone": [figures(one.over_noise) for one in outcomes.values()],
        "Phase error [rad]": [figures(one.phase_error) for one in outcomes.values()],
        "Amplitude error": [figures(one.amplitude_error) for one in outcomes.values()],
    }
    if case.bad.fitted is None:
        rows["Training loss, last epoch, a pixel"] = [figures(one.loss) for one in outcomes.values()]
    head = tag("tr", tag("td"), *(tag("th", name, scope="col") for name in outcomes))
    lines = (tag("tr", tag("th", name, scope="row"), *(tag("td", said) for said in cells)) for name, cells in rows.items())
    return tag("div", tag("table", tag("caption", ERRORS), head, *lines), class_="pnb-table")


def judged(outcomes: Outcomes) -> Markup:
    """What ``checks`` says of each run."""
    said = []
    for name, one in outcomes.items():
        if one.findings:
            said += [tag("p", f"What checks says of it ({name.lower()}):"), listed(one.findings)]
        else:
            said.append(tag("p", f"What checks says of it ({name.lower()}): nothing looks wrong."))
    return joined(*said)


def still(case: Failure, outcomes: Outcomes) -> Picture:
    """The same pictures as one drawing, for where widgets cannot be shown."""
    last = list(outcomes.values())[-1]
    turn, gray, colours = _scales(last)
    seen = {f"{name}: {case.diagnostic.written(one.reading.number)}": one.shown * turn for name, one in outcomes.items()}
    seen[TRUTH] = last.pair.truth * turn
    drawn = Picture(3.3 * len(seen) + 1.2, 6.6, name=f"{case.title}: {', '.join(seen)}")
    axes = drawn.subplots(2, len(seen))
    for column, (name, one) in zip(axes.T, seen.items(), strict=True):
        amplitude = image(column[0], np.abs(one), norm=gray)
        phase = image(column[1], np.angle(one), cmap=PHASES, norm=colours)
        title(column[0], name)
    colour_bar(amplitude, "amplitude", extend="both")
    colour_bar(phase, "phase [rad]", extend="both")
    heading(drawn, f"{case.diagnostic.name}: the alarm rings {case.diagnostic.limit}")
    return drawn
