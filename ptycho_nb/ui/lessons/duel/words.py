"""The contest in a table, two drawings and a few sentences that favour neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ptycho_nb.compare import CLEAR
from ptycho_nb.quantities import figures
from ptycho_nb.ui.drawing import NOTHING, Line, Markup, curves_svg, tag
from ptycho_nb.ui.lessons.duel.contest import METHODS
from ptycho_nb.ui.lessons.duel.judging import Course, Errors, Score

UNKNOWN = "not known"
NOISE = "photon noise alone"
EVEN = 1.1  # times the shorter time; beyond it the times count as unequal
UNEQUAL = " The times came out unequal: the machine was busy with other work, or a step is long."
AGREE = "Here the method with the lower R has the smaller phase error too; R alone does not show that."
DISAGREE = "Here the method with the lower R does not have the smaller phase error: R is no measure of quality."
LIKE = "its misfit then tells whether that scan is enough like this one. This is one scan and one time: try others."


def _of_truth(value: Callable[[Errors], float]) -> Callable[[Score], str]:
    """A number against the known object, as a score says it."""
    return lambda score: UNKNOWN if score.errors is None else f"{value(score.errors):.3f}".replace("-", "−")


def _held_out(score: Score) -> str:
    return figures(float(score.held_out.mean()), 4) if len(score.held_out) else "none held out"


ROWS: tuple[tuple[str, Callable[[Score], str]], ...] = (
    ("Time it worked [s]", lambda score: f"{score.seconds:.1f}"),
    ("Misfit R, all patterns", lambda score: f"{score.r_factor:.4f}"),
    ("R of photon noise alone", lambda score: f"{score.noise:.4f}"),
    ("Misfit a pixel, held-out patterns", _held_out),
    ("Phase error [rad]", _of_truth(lambda errors: errors.phase_error)),
    ("SSIM of the phase", _of_truth(lambda errors: errors.phase)),
    ("SSIM of the amplitude", _of_truth(lambda errors: errors.amplitude)),
    ("Half-period shared with the truth [px]", _of_truth(lambda errors: errors.half_period)),
    ("One more scan like this takes about [s]", lambda score: f"{score.again:.2g}"),
)


def table(scores: Mapping[str, Score]) -> Markup:
    """A line for each number, a column for each method."""
    head = tag("tr", tag("th", ""), *(tag("th", name, scope="col") for name in scores))
    lines = (tag("tr", tag("th", name, scope="row"), *(tag("td", said(score)) for score in scores.values())) for name, said in ROWS)
    caption = tag("caption", "At the end of its time; errors against the known object, phase, scale, ramp and shift taken off first")
    return tag("div", tag("table", caption, head, *lines), class_="pnb-table")


def curves(courses: Mapping[str, Course], scores: Mapping[str, Score]) -> Markup:
    """R and, where the object is known, the phase error against the time worked."""
    misfits = [Line(name, c.seconds, c.r_factor) for name, c in courses.items() if len(c.seconds)]
    errors = [Line(name, c.seconds, c.phase_error) for name, c in courses.items() if len(c.seconds) and np.isfinite(c.phase_error).all()]
    if not misfits:
        return NOTHING
    if scores:
        ends = np.array([min(line.places[0] for line in misfits), max(line.places[-1] for line in misfits)])
        misfits.append(Line(NOISE, ends, np.full(2, min(score.noise for score in scores.values()))))
    drawn = [curves_svg(misfits, x="time worked [s]", y="misfit R")]
    if errors:
        drawn.append(curves_svg(errors, x="time worked [s]", y="phase error [rad]"))
    return tag("div", *(tag("div", one) for one in drawn), class_="pnb-curves")


def verdict(scores: Mapping[str, Score], seconds: float, stopped: bool) -> tuple[str, ...]:
    """What came of it, from the numbers, in sentences."""
    if len(scores) < len(METHODS):
        missing = " and ".join(name for name in METHODS if name not in scores)
        ended = "It was stopped" if stopped else "A method ended without finite numbers"
        return (f"{ended}: there is no object of {missing} to compare with. Start again for the whole contest.",)
    one, other = scores.values()
    told = [_times(scores, seconds, stopped), *_against_truth(scores), _on_held_out(scores)]
    if one.errors is not None and other.errors is not None:
        agree = (one.r_factor < other.r_factor) == (one.errors.phase_error < other.errors.phase_error)
        told.append(AGREE if agree else DISAGREE)
    told.append(_again(scores))
    return tuple(told)


def _each(scores: Mapping[str, Score], said: Callable[[Score], str]) -> str:
    """ "Network 0.31 rad, Iterative 0.05 rad"."""
    return ", ".join(f"{name} {said(score)}" for name, score in scores.items())


def _times(scores: Mapping[str, Score], seconds: float, stopped: bool) -> str:
    worked = _each(scores, lambda score: f"{score.seconds:.1f} s")
    if stopped:
        return f"Stopped: {worked}. Compare the two after a time that both have had."
    spent = [score.seconds for score in scores.values()]
    return f"Each had {seconds:g} s on the same patterns ({worked}).{UNEQUAL if max(spent) > EVEN * min(spent) else ''}"


def _against_truth(scores: Mapping[str, Score]) -> list[str]:
    if any(score.errors is None for score in scores.values()):
        return []
    said = _of_truth(lambda errors: errors.phase_error)
    return [f"Mean phase error against the known object: {_each(scores, lambda score: f'{said(score)} rad')}."]


def _on_held_out(scores: Mapping[str, Score]) -> str:
    """Which explains patterns that neither saw, where the difference is clear of its own error."""
    (a, one), (b, other) = scores.items()
    if len(one.held_out) < 2:
        return "No patterns were held out to judge by."
    difference = other.held_out - one.held_out
    error = float(difference.std(ddof=1)) / np.sqrt(len(difference))
    values = _each(scores, _held_out)
    if abs(difference.mean()) <= CLEAR * error:
        return f"The {len(difference)} held-out patterns are explained equally well within {CLEAR:g} standard errors ({values} a pixel)."
    better = a if difference.mean() > 0 else b
    return f"The {len(difference)} held-out patterns are explained better by {better} ({values} a pixel)."


def _again(scores: Mapping[str, Score]) -> str:
    """What either does with the next scan."""
    return f"A further scan takes the trained network about {scores['Network'].again:.2g} s and the fit its time again; {LIKE}"
