"""A view as images for the viewer."""

from __future__ import annotations

from matplotlib.colors import Normalize

from ptycho_nb.ui.drawing import coloured
from ptycho_nb.ui.viewer import Bar, Shot
from ptycho_nb.views import View


def shots(shown: View) -> list[Shot]:
    """Amplitude and phase with their scales and words."""
    low, high = shown.amplitude_limits
    gray = coloured(shown.amplitude, Normalize(low, high), shown.amplitude_map)
    amplitude = Shot(gray, "Amplitude", shown.amplitude_words, shown.amplitude, "", Bar.of(shown.amplitude_map, low, high))
    low, high = shown.phase_limits
    ends: tuple[float | str, float | str] = ("−π", "π") if shown.phase_ticks else (low, high)
    colours = coloured(shown.phase, Normalize(low, high), shown.phase_map)
    bar = Bar.of(shown.phase_map, *ends, "rad")
    return [amplitude, Shot(colours, "Phase", shown.phase_words, shown.phase, "rad", bar)]
