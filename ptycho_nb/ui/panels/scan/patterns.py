"""The patterns of a scan: their mean and any single one, on one logarithmic scale."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from ptycho_nb.figures.colours import photon_scale
from ptycho_nb.quantities import count
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Markup, Pane, coloured, picture, probe_image, shrunk, tag

WIDEST = 256  # px of a picture
JUDGES = 64  # patterns, evenly over the scan, that the scale is made for
COLOURS = "inferno"


class Patterns:
    """Mean pattern, probe, and a single pattern chosen by slider or number.

    Attributes
    ----------
    widget : widgets.VBox
    number : widgets.Text
        Of the pattern shown, counted from 0.
    slider : widgets.IntSlider
    """

    def __init__(self) -> None:
        self._scan: Scan | None = None
        self._scale = Normalize(0, 1)
        self.mean, self.single, self.problem = Pane(kind="pattern"), Pane(kind="pattern"), Pane(role="alert", kind="problem")
        tip, style = "Which pattern, counted from 0", {"description_width": "4.5em"}
        self.number = widgets.Text("0", description="Pattern", tooltip=tip, continuous_update=False, style=style, layout={"width": "9.5em"})
        self.slider = widgets.IntSlider(0, 0, 1, readout=False, layout={"width": "180px"})
        self.slider.tooltip = f"{tip}; arrow keys too"
        bar = widgets.HBox([self.number, self.slider])
        bar.add_class("pnb-bar")
        self.widget = widgets.VBox([self.mean, self.single, bar, self.problem])
        self.number.observe(self._typed, "value")
        self.slider.observe(self._slid, "value")

    def show(self, scan: Scan) -> None:
        """Show the patterns of this scan, the middle one first."""
        self._scan = None  # so that the slider's new range draws nothing
        chosen = np.unique(np.linspace(0, scan.M - 1, min(scan.M, JUDGES)).astype(int))
        self._scale = photon_scale(*(scan.intensity[i][scan.mask] for i in chosen))
        mean = pattern_image(scan.intensity.mean(0, dtype=np.float64), scan.mask, self._scale, f"Mean of {scan.M} patterns")
        self.mean.put(tag("div", mean, probe_image(scan.probe), class_="pnb-pictures"))
        self.slider.max = max(scan.M - 1, 1)
        self.slider.disabled = self.number.disabled = scan.M < 2
        self._scan = scan
        self._go(scan.middle)

    def clear(self) -> None:
        """Show nothing."""
        self._scan = None
        for pane in (self.mean, self.single, self.problem):
            pane.put()

    def _typed(self, _: Any) -> None:
        scan = self._scan
        if scan is None:
            return
        try:
            number = int(self.number.value)
        except ValueError:
            number = -1
        if 0 <= number < scan.M:
            self._go(number)
        else:
            self.problem.put(f"Pattern {self.number.value[:40]!r} does not exist; give a whole number in 0 to {scan.M - 1}.")

    def _slid(self, change: dict[str, Any]) -> None:
        if self._scan is not None and change["new"] < self._scan.M:
            self._go(int(change["new"]))

    def _go(self, number: int) -> None:
        """Show this pattern, in the box and on the slider too."""
        scan = self._scan
        assert scan is not None
        self.problem.put()
        image = pattern_image(scan.intensity[number], scan.mask, self._scale, f"Pattern {number}")
        self.single.put(tag("div", image, class_="pnb-pictures"))
        self.number.value, self.slider.value = str(number), number


def pattern_image(photons: NDArray[Any], mask: NDArray[np.bool_], scale: Normalize, name: str) -> Markup:
    """One pattern (N, N) on a logarithmic scale of photons, masked pixels light, at most 256 px wide."""
    believed = shrunk(mask.astype(np.float64), WIDEST)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = shrunk(np.where(mask, photons, 0), WIDEST) / believed  # NaN where every pixel of a block is masked
    total, most = float(photons[mask].sum(dtype=np.float64)), float(photons[mask].max())
    dark = int((~mask).sum())
    left_out = f"; {dark} px masked, drawn light" if dark else ""
    span = f"black to yellow {count(float(scale.vmin or 0))} to {count(float(scale.vmax or 0))}, log"
    caption = f"{name}: {count(total)} photons, {count(most)} in the brightest px; {span}{left_out}"
    return picture(coloured(values, scale, COLOURS), caption, f"Diffraction pattern, {photons.shape[-1]} px wide")
