"""The losses of several runs on one pair of axes, and their objects side by side on the same scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from ptycho_nb.config import RefinementConfig, TrainingConfig
from ptycho_nb.errors import InputError
from ptycho_nb.figures.colours import limits, phase_scale
from ptycho_nb.metrics import align
from ptycho_nb.quantities import figures
from ptycho_nb.result import Reconstruction
from ptycho_nb.ui.drawing import Line, Markup, coloured, joined, loss_svg, picture, shrunk, tag
from ptycho_nb.ui.drawing.curve import Curve
from ptycho_nb.ui.panels.run import Moment, Run
from ptycho_nb.ui.panels.runs.table import LOSS

WIDEST = 192  # px of an object among others
EPOCHS, SECONDS = "epoch", "time [s]"

Complex = NDArray[np.complexfloating[Any, Any]]


def loss_curves(runs: Sequence[Run], x: str, log: bool) -> Markup:
    """Training loss of each run, its parts one after the other, by epoch or by running time."""
    return loss_svg([line for run in runs if len((line := _line(run, x)).values)], x=x, log=log)


def _line(run: Run, x: str) -> Line:
    """The losses of a run, at most 400 of each part."""
    places, values, before = [np.empty(0)], [np.empty(0)], 0.0
    for _, history in run.histories:
        losses, seconds = list(history.metrics.get(LOSS, [])), list(history.seconds)  # the run goes on meanwhile
        count = min(len(losses), len(seconds))
        curve = Curve()
        for loss in losses[:count]:
            curve.add(loss)
        epochs, drawn = curve.drawn()
        ends = np.arange(1.0, count + 1) if x == EPOCHS else np.array(seconds[:count])
        places.append(before + np.interp(epochs, np.arange(1.0, count + 1), ends) if count else np.empty(0))
        values.append(drawn)
        before += float(ends[-1]) if count else 0.0
    return Line(run.name, np.concatenate(places), np.concatenate(values))


def loss_kinds(run: Run) -> set[str]:
    """The noise models of a run's losses."""
    found: set[str] = set()
    for config in run.configs.values():
        if isinstance(config, RefinementConfig):
            found.add(config.loss)
        if isinstance(config, TrainingConfig):
            found.add(config.loss if config.objective == "unsupervised" else config.objective)
    return found


@dataclass(frozen=True, eq=False)
class Scales:
    """What is drawn darkest and brightest, of amplitudes and of phases [rad]."""

    amplitude: Normalize
    phase: Normalize
    colours: str

    @classmethod
    def of(cls, *found: Complex) -> Scales:
        """That suit all of these."""
        colours, phase, _ = phase_scale(*(np.angle(each) for each in found))
        return cls(limits(*(np.abs(each) for each in found)), phase, colours)

    @property
    def words(self) -> str:
        """The limits."""
        low, high, least, most = (figures(float(end or 0)) for norm in (self.amplitude, self.phase) for end in (norm.vmin, norm.vmax))
        return f"amplitude from {low} to {high}, phase from {least} to {most} rad"

    def pair(self, found: Complex, name: str) -> Markup:
        """Amplitude and phase of an object (h, w)."""
        return joined(
            picture(coloured(np.abs(found), self.amplitude, "gray"), "Amplitude", f"Object of {name}"),
            picture(coloured(np.angle(found), self.phase, self.colours), "Phase", f"Object of {name}"),
        )


class SideBySide:
    """The objects of several runs, registered to the last where they lie on its canvas, all on the same scales."""

    def __init__(self) -> None:
        self._registered: dict[tuple[Reconstruction, Reconstruction], Complex | None] = {}

    def draw(self, runs: Sequence[Run]) -> Markup:
        """Those of these runs that have an object, a column each."""
        before, self._registered = self._registered, {}
        having = [run for run in runs if run.result is not None or run.film.moments]
        if not having:
            return Markup()
        reference = next((run for run in reversed(having) if run.result is not None), None)
        found = {run: self._seen(run, reference, before) for run in having}
        scales = Scales.of(*(image for image, _ in found.values()))
        columns = (
            tag("div", tag("div", f"{run.name}{how}"), tag("div", scales.pair(image, run.name), class_="pnb-pictures"))
            for run, (image, how) in found.items()
        )
        return joined(tag("div", *columns, class_="pnb-beside"), tag("p", f"Limits of all: {scales.words}.", class_="pnb-numbers"))

    def _seen(self, run: Run, reference: Run | None, before: Mapping[Any, Complex | None]) -> tuple[Complex, str]:
        """The scanned part of a run's object, decimated, without what the photons leave free; and what to know of it."""
        if run.result is None:
            return _turned(shrunk(run.film.moments[-1].object, WIDEST)), ", so far"
        own = _turned(shrunk(run.result.object[run.result.scanned], WIDEST))
        if reference is None or reference.result is None or run is reference:
            return own, ""
        if run.result.canvas != reference.result.canvas:
            return own, ", on another canvas, not registered"
        pair = run.result, reference.result
        aligned = before[pair] if pair in before else _aligned(*pair)
        self._registered[pair] = aligned
        return (own, ", not registered") if aligned is None else (aligned, f", registered to run {reference.number}")


def _aligned(result: Reconstruction, target: Reconstruction) -> Complex | None:
    """The scanned part of an object, decimated and registered to another's; None where that cannot be."""
    small, wanted = (shrunk(each.object[target.scanned], WIDEST) for each in (result, target))
    try:
        return align(small, wanted).object * np.exp(-1j * np.angle(wanted.sum()))
    except InputError:  # too small, or not finite
        return None


def _turned(found: Complex) -> Complex:
    """Without its mean phase, which is free; what is not finite is zero."""
    finite = np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)
    return finite * np.exp(-1j * np.angle(finite.sum()))


def frame(moment: Moment, last: Moment, name: str) -> Markup:
    """The object at some moment, on the scales of the last."""
    scales = Scales.of(_turned(last.object))
    pair = tag("div", scales.pair(_turned(moment.object), f"{name} at step {moment.step}"), class_="pnb-pictures")
    return joined(pair, tag("p", f"Limits of the last moment: {scales.words}.", class_="pnb-numbers"))
