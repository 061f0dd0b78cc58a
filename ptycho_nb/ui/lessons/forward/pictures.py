"""What the forward explorer draws: each step from the object to the pattern, and what can be made of the pattern alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray
from PIL import Image

from ptycho_nb.figures import domain_colours
from ptycho_nb.figures.colours import limits, phase_scale, photon_scale
from ptycho_nb.lessons.design import Forward
from ptycho_nb.quantities import count, figures
from ptycho_nb.ui.drawing import Markup, coloured, joined, picture, tag
from ptycho_nb.ui.viewer import Bar, Shot

Complex = NDArray[np.complexfloating[Any, Any]]
HALF_TURN = Normalize(-np.pi, np.pi)


def object_shots(canvas: Complex, name: str) -> list[Shot]:
    """Amplitude and phase of the whole object."""
    amplitude, phase = np.abs(canvas), np.angle(canvas)
    gray = limits(amplitude)
    colours, norm, _ = phase_scale(phase)
    size = f"{canvas.shape[0]} × {canvas.shape[1]} px"
    return [
        Shot(coloured(amplitude, gray, "gray"), "Amplitude", f"Amplitude of {name}, {size}", amplitude, "", _bar("gray", gray)),
        Shot(coloured(phase, norm, colours), "Phase", f"Phase of {name}, {size}", phase, "rad", _bar(colours, norm, "rad")),
    ]


def _bar(colours: str, norm: Normalize, unit: str = "") -> Bar:
    return Bar.of(colours, float(norm.vmin or 0), float(norm.vmax or 0), unit)


def step_markup(seen: Forward) -> Markup:
    """Object, probe, exit wave and pattern beside each other, with what is done between them."""
    return tag("div", joined(*(picture(image, caption, words) for image, caption, words in drawn(seen))), class_="pnb-pictures")


def drawn(seen: Forward) -> list[tuple[Image.Image, str, str]]:
    """Image, caption and words of each step."""
    where = f"at row {seen.position[0]:.1f}, column {seen.position[1]:.1f}, {len(seen.patch)} px wide"
    photons = photon_scale(seen.photons)
    brightest = count(float(seen.photons.max()))
    faintest = figures(float(photons.vmin or 0), 2)
    total = count(float(seen.photons.sum()))
    bright = float(np.abs(seen.probe).max())
    return [
        (
            _domain(seen.patch, 1.0),
            "1. Object patch O: brightness is amplitude, hue is phase",
            f"Object under the probe {where}; brightness is amplitude, hue is phase",
        ),
        (_domain(seen.probe, bright), "2. Probe P", "Probe; brightness is amplitude, hue is phase"),
        (_domain(seen.exit_wave, bright), "3. Exit wave P · O", "Wave behind the object; brightness is amplitude, hue is phase"),
        (
            coloured(seen.photons, photons, "inferno"),
            f"4. Pattern |F(P · O)|²: {total} photons, black to yellow {faintest} to {brightest} a pixel, log",
            f"Diffraction pattern, logarithmic, brightest pixel {brightest} photons",
        ),
        (coloured(seen.lost, HALF_TURN, "twilight"), "Lost: the phase of F(P · O), −π to π rad", "Phase of the far field"),
    ]


def wave_picture(wave: Complex, caption: str, words: str) -> Markup:
    """A wave in domain colours."""
    said = f"{words} " if words else ""
    return picture(_domain(wave, None), caption, f"{said}Brightness is amplitude, hue is phase")


def _domain(wave: Complex, brightest: float | None) -> Image.Image:
    return Image.fromarray(np.uint8(255 * np.clip(domain_colours(wave, brightest), 0, 1)))
