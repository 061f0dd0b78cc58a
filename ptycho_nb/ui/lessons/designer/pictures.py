"""What the designer draws: where the light falls, the probe, and the pattern with and without noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from numpy.typing import NDArray

from ptycho_nb.lessons.design import CIRCLES, Design, pattern_scale
from ptycho_nb.quantities import count, figures
from ptycho_nb.ui.drawing import Markup, coloured, joined, probe_image, tag
from ptycho_nb.ui.panels.findings import listed
from ptycho_nb.ui.viewer import Bar, Shot

MOST = 4000  # positions drawn as points; more are a gray field

Place = NDArray[np.float64]


def light_shot(plan: Design) -> Shot:
    """The light on the object in the whole scan."""
    fell, _ = plan.light
    top = float(fell.max())
    words = (
        f"Light on the object, {fell.shape[0]} × {fell.shape[1]} px, at most {count(top)} photons a pixel, with {plan.M} probe positions"
    )
    bar = Bar.of("gray", "0", count(top), "photons/px")
    return Shot(coloured(fell, Normalize(0, top), "gray"), "Light on the object", words, fell, "photons/px", bar)


def footprints(plan: Design) -> list[dict[str, Any]]:
    """Marks in the pixels of the light: each position, and the 90 % circles of neighbours in the middle."""
    places = plan.experiment.true_positions - plan.light[1]
    circles = [{"kind": "circle", "at": places[n], "radius": plan.diameter / 2} for n in plan.from_the_middle[:CIRCLES]]
    return [{"kind": "points", "at": places[plan.from_the_middle[:MOST]]}, *circles]


def pattern_shots(plan: Design) -> list[Shot]:
    """The pattern in the middle: its mean, and one measurement."""
    scale = pattern_scale(plan)
    return [_pattern("Expected, log", plan.expected, scale), _pattern("One measurement, log", plan.counted, scale)]


def _pattern(title: str, values: NDArray[Any], scale: LogNorm) -> Shot:
    low, high = (_short(float(end or 0)) for end in (scale.vmin, scale.vmax))
    words = f"{title}: {count(float(np.nansum(values)))} photons, the brightest pixel {count(float(np.nanmax(values)))}"
    bar = Bar.of("inferno", low, high, "photons")
    return Shot(coloured(values, scale, "inferno"), title, words, values, "photons", bar)


def _short(photons: float) -> str:
    return count(photons) if photons >= 10 else figures(photons, 2)


def probe_markup(plan: Design) -> Markup:
    """The probe in domain colours."""
    return tag("div", probe_image(plan.experiment.true_probe), class_="pnb-pictures")


def facts_markup(plan: Design) -> Markup:
    """The numbers, a row each."""
    rows = [tag("tr", tag("th", name, scope="row"), tag("td", words)) for name, words in plan.facts.items()]
    return tag("table", tag("caption", "The experiment in numbers"), *rows, class_="pnb-facts")


def findings_markup(plan: Design) -> Markup:
    """What looks wrong, and what to try."""
    if not plan.findings:
        return tag("p", "The checks of a scan find nothing wrong with this plan.")
    return joined(tag("p", "The checks of a scan say of this plan:"), listed(plan.findings))
