"""Every colour map that is drawn with: what is more is lighter, what is a circle closes, and eyes blind to a colour see both."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import matplotlib
import numpy as np
import pytest
from skimage.color import rgb2lab

import ptycho_nb
from ptycho_nb.config import ViewConfig
from ptycho_nb.figures.colours import hues
from ptycho_nb.figures.scans import DIM
from ptycho_nb.views import CIRCLE, EVEN

RISING = ("gray", "viridis", "inferno")
EITHER_SIDE = ("RdBu_r", "PuOr")
CIRCLES = ("twilight", "hues")
OWN = {"hues": hues(), "dim": DIM}
# Full strength, from Machado, Oliveira & Fernandes, IEEE Trans. Vis. Comput. Graph. 15, 1291 (2009), table 1; for linear RGB.
EYES = {
    "all colours": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
SEEN = 20.0  # difference in CIELAB that nobody overlooks side by side; 2.3 is just noticeable


def seen(name: str, eyes: str) -> np.ndarray:
    """Lightness, and the two axes of colour, of 256 steps (256, 3) of a map, as such eyes see them: CIELAB."""
    colours = (OWN[name] if name in OWN else matplotlib.colormaps[name])(np.linspace(0, 1, 256))[:, :3]
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    caught = np.clip(linear @ np.array(EYES[eyes]).T, 0, 1)
    return rgb2lab(np.where(caught <= 0.0031308, 12.92 * caught, 1.055 * caught ** (1 / 2.4) - 0.055)[None])[0]


def apart(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.linalg.norm(some - others, axis=-1)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("name", [*RISING, "dim"])
def test_what_is_more_is_lighter(name, eyes):
    lightness = seen(name, eyes)[:, 0]
    assert np.diff(lightness).min() >= 0
    assert np.ptp(lightness) > (50 if name == "dim" else 70)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("name", EITHER_SIDE)
def test_colours_with_a_middle_are_lightest_there_and_differ_on_its_sides(name, eyes):
    found = seen(name, eyes)
    steps, middle = np.diff(found[:, 0]), 128
    assert steps[: middle - 4].min() >= 0
    assert steps[middle + 4 :].max() <= 0
    assert apart(found, found[::-1])[:64].min() > SEEN


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("name", CIRCLES)
def test_a_circle_closes_and_its_halves_differ(name, eyes):
    found = seen(name, eyes)
    assert apart(found[0], found[-1]) < 1
    assert apart(found[1:], found[:-1]).max() < 3  # no edge anywhere
    assert apart(found, found[::-1])[32:96].min() > SEEN


@pytest.mark.parametrize("name", CIRCLES)
def test_the_halves_of_a_circle_are_equally_light(name):
    lightness = seen(name, "all colours")[:, 0]
    assert np.abs(lightness - lightness[::-1]).max() < 3
    fall = np.diff(lightness)[:126]
    assert fall.max() <= 0.02  # from the ends to the middle it only falls


def test_every_map_that_is_drawn_with_is_one_of_these():
    choices = {name for field in ("amplitude_map", "phase_map") for name in get_args(ViewConfig.model_fields[field].annotation)}
    known = {*RISING, *EITHER_SIDE, *CIRCLES, *OWN}
    assert choices - {"auto"} <= known
    assert {CIRCLE, EVEN} <= known
    named = set().union(*(maps_named(path) for path in Path(ptycho_nb.__file__).parent.rglob("*.py")))
    assert named
    assert named <= known


def maps_named(path: Path) -> set[str]:
    """The maps that a module names where it draws: as ``cmap``, to ``coloured``, to ``Bar.of`` and in ``colormaps[…]``."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            found += [given.value for given in node.keywords if given.arg == "cmap"]
            called = ast.unparse(node.func)
            found += node.args[2:3] if called == "coloured" else node.args[:1] if called == "Bar.of" else []
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("colormaps"):
            found.append(node.slice)
    return {one.value for one in found if isinstance(one, ast.Constant)}
