"""What the Pattern panel draws: a pattern as measured, as predicted and what is left; the map; the object under the probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from numpy.typing import NDArray

from ptycho_nb.figures.colours import photon_scale, symmetric
from ptycho_nb.figures.scans import light
from ptycho_nb.metrics import probe_diameter
from ptycho_nb.quantities import count, figures
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.drawing import Markup, coloured, joined, picture, shrunk
from ptycho_nb.ui.viewer import Bar, Shot
from ptycho_nb.views import view

PATCH = 192  # px of a patch on the screen at most
SIGMA, PHOTONS = "σ of counting", "photons"


@dataclass(frozen=True, eq=False)
class Layer:
    """Values (h, w) with the limits and colours they are drawn in; not finite where nothing is known."""

    title: str
    values: NDArray[Any]
    norm: Normalize
    colours: str
    unit: str

    def shot(self, words: str) -> Shot:
        """All of it, for a viewer."""
        low, high = self.written
        bar = Bar.of(self.colours, low, high, self.unit)
        said = f"{self.title}, {words}, drawn from {low} to {high} {self.unit}".strip()
        return Shot(coloured(self.values, self.norm, self.colours), self.title, said, self.values, self.unit, bar)

    def window(self, row: int, column: int, N: int) -> Markup:
        """The part N px wide round [row, column] as a picture."""
        part = np.full((N, N), np.nan)
        top, left = row - N // 2, column - N // 2
        rows, columns = (slice(max(at, 0), max(min(at + N, n), 0)) for at, n in zip((top, left), self.values.shape, strict=True))
        seen = self.values[rows, columns]
        part[rows.start - top : rows.start - top + seen.shape[0], columns.start - left : columns.start - left + seen.shape[1]] = seen
        low, high = self.written
        caption = f"Under the probe: {self.title.lower()}, {low} to {high} {self.unit}".strip()
        return picture(coloured(shrunk(part, PATCH), self.norm, self.colours), caption, f"Under the probe, {N} px wide")

    @property
    def written(self) -> tuple[str, str]:
        """What is drawn darkest and brightest; photons are written out."""
        assert self.norm.vmin is not None
        assert self.norm.vmax is not None
        how = count if self.unit.startswith(PHOTONS) else figures
        return how(float(self.norm.vmin)), how(float(self.norm.vmax))


def pattern_shots(scan: Scan, number: int, expected: NDArray[np.float32] | None) -> list[Shot]:
    """The measured pattern; with expected photons (N, N) the predicted one on its scale, and the residual.

    The residual ``2 (sqrt I - sqrt y)`` is in units of the counting noise: photons alone leave about ±1.
    """
    measured = scan.intensity[number]
    scale = photon_scale(measured[scan.mask])
    layers = [_photons("Measured, log", measured, scale, scan)]
    if expected is not None:
        left = np.where(scan.mask, 2 * (np.sqrt(expected) - np.sqrt(measured)), np.nan)
        layers += [
            _photons("Predicted, log", expected, scale, scan),
            Layer("Residual", left, symmetric(left), "PuOr", SIGMA),
        ]
    return [layer.shot(f"pattern {number}, {scan.N} × {scan.N} px") for layer in layers]


def _photons(title: str, values: NDArray[np.float32], scale: Normalize, scan: Scan) -> Layer:
    return Layer(title, np.where(scan.mask, values, np.nan), scale, "inferno", PHOTONS)


def photons(values: NDArray[np.float32], scan: Scan) -> str:
    """The sum over believed pixels, written out."""
    return count(float(values[scan.mask].sum(dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class Ground:
    """What lies under the probe: an object, or without one the light that fell.

    Attributes
    ----------
    layers : tuple of Layer
        Amplitude and phase of an object; the light on it where there is none.
    positions : float64, shape (M, 2)
        Probe centres (row, col) in pixels of the layers.
    diameter : float
        That holds 90 % of the probe's energy [px].
    """

    layers: tuple[Layer, ...]
    positions: NDArray[np.float64]
    diameter: float
    pixel_size: float | None

    @classmethod
    def of(cls, scan: Scan, result: Reconstruction | None) -> Ground:
        """The object of a result of this scan, or the light of the scan."""
        if result is None:
            fell, origin = light(scan)
            layer = Layer("Light on the object", fell, Normalize(0, float(fell.max())), "gray", f"{PHOTONS}/px")
            return cls((layer,), scan.positions - origin, probe_diameter(scan.probe), scan.pixel_size)
        shown = view(result)
        corner = [side.start + at for side, at in zip(shown.box, result.origin, strict=True)]
        amplitude = Layer("Amplitude", shown.amplitude, Normalize(*shown.amplitude_limits), shown.amplitude_map, "")
        phase = Layer("Phase", shown.phase, Normalize(*shown.phase_limits), shown.phase_map, "rad")
        return cls((amplitude, phase), result.positions - corner, probe_diameter(result.probe), result.pixel_size)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns [px]."""
        return self.layers[0].values.shape[0], self.layers[0].values.shape[1]

    @property
    def shots(self) -> list[Shot]:
        """The map."""
        words = f"{self.shape[0]} × {self.shape[1]} px with {len(self.positions)} probe positions"
        return [layer.shot(words) for layer in self.layers]

    @property
    def places(self) -> list[dict[str, Any]]:
        """Every position, as marks."""
        return [{"kind": "points", "at": self.positions}]

    def footprint(self, number: int) -> list[dict[str, Any]]:
        """Where the probe stood for this pattern, as marks."""
        return [{"kind": "circle", "at": self.positions[number], "radius": self.diameter / 2}]

    def nearest(self, place: tuple[float, float]) -> int:
        """The number of the position nearest to a place (row, col) [px]."""
        return int(np.square(self.positions - place).sum(1).argmin())

    def patch(self, number: int, N: int) -> Markup:
        """What lies in the probe's window of N px, on the scales of the map."""
        row, column = (round(float(at)) for at in self.positions[number])
        return joined(*(layer.window(row, column, N) for layer in self.layers))
