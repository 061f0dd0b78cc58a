"""What is seen of object, probe and a pattern: small pictures, quickly drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray
from PIL import Image

from ptycho_nb.figures import Picture, domain_colours
from ptycho_nb.figures.colours import photon_scale
from ptycho_nb.figures.picture import heading, title
from ptycho_nb.figures.picture import image as drawn
from ptycho_nb.lessons.ambiguities import Guess, Likeness
from ptycho_nb.quantities import figures
from ptycho_nb.ui.drawing import Markup, coloured, picture, tag

GRAY, CIRCLE = Normalize(0, 1.2), Normalize(-np.pi, np.pi)  # fixed: a change of scale or phase is to be seen
AMPLITUDE, PHASE = "amplitude 0 to 1.2", "phase −π to π rad"
BRIGHTER = 1.3  # than the true probe's maximum, the brightest shade

Images = NDArray[Any]


def in_words(like: Likeness) -> str:
    """How like the truth."""
    return (
        f"SSIM to the truth {figures(like.amplitude)} in amplitude and {figures(like.phase)} in phase, "
        f"mean phase error {figures(like.phase_error)} rad"
    )


def object_pictures(seen: Images, name: str, words: str) -> tuple[Markup, Markup]:
    """Amplitude and phase of a piece of an object (h, w)."""
    return (
        picture(coloured(np.abs(seen), GRAY, "gray"), AMPLITUDE, f"{name}: object amplitude, {words}"),
        picture(coloured(np.angle(seen), CIRCLE, "twilight"), PHASE, f"{name}: object phase, {words}"),
    )


def wave_pictures(guess: Guess, brightest: float, name: str) -> Markup:
    """The probe: hue its phase, brightness its amplitude, ``brightest`` [sqrt(photons)] the most."""
    colours = np.uint8(255 * np.clip(domain_colours(guess.probe, BRIGHTER * brightest), 0, 1))
    words = f"{name}: probe, {guess.probe.shape[-1]} px wide, amplitude {np.abs(guess.probe).max() / brightest:.2f} times the true one's"
    return picture(Image.fromarray(colours), "probe, hue is phase", words)


def pattern_picture(amplitude: Images, measured: Images, name: str) -> Markup:
    """A pattern (N, N) from its square root, on the logarithmic scale of the measured one."""
    photons = np.square(amplitude)
    drawing = coloured(photons, photon_scale(np.square(measured)), "viridis")
    return picture(drawing, f"{name}, logarithmic", f"{name}: the middle one, {photons.sum():.3g} photons")


def row(name: str, *shown: Markup) -> Markup:
    """Pictures side by side under their name."""
    return tag("div", tag("h4", name), tag("div", *shown, class_="pnb-pictures"))


def table(scores: dict[str, Likeness]) -> Markup:
    """How like the truth, a line each."""
    names = ("", "SSIM, amplitude", "SSIM, phase", "phase error [rad]")
    head = tag("tr", *(tag("th", name, scope="col") for name in names))
    lines = (tag("tr", tag("th", name, scope="row"), *(tag("td", _plain(value)) for value in like)) for name, like in scores.items())
    return tag("table", tag("caption", "The object against the truth"), head, *lines)


def _plain(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def still(objects: dict[str, Images], words: str) -> Picture:
    """Amplitude above phase, a column each, under the words."""
    drawing = Picture(2.9 * len(objects), 5.4, name=words)
    axes = drawing.subplots(2, len(objects))
    for column, (name, seen) in zip(axes.T, objects.items(), strict=True):
        drawn(column[0], np.abs(seen), norm=GRAY)
        drawn(column[1], np.angle(seen), cmap="twilight", norm=CIRCLE)
        title(column[0], f"{name}\n{AMPLITUDE}", 11)
        title(column[1], PHASE, 11)
    heading(drawing, words)
    return drawing
