"""Curves: the loss by epoch, the ring correlation by frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ptycho_nb.errors import InputError
from ptycho_nb.figures.picture import DASHES, LABEL, LINES, SMALL, Picture, literal, plain, quiet, title
from ptycho_nb.history import History
from ptycho_nb.metrics import NYQUIST, RingCorrelation, Threshold, half_bit, one_bit
from ptycho_nb.quantities import length

WORDS = {"train_loss": "training loss", "val_loss": "validation loss"}
THRESHOLDS: dict[str, Threshold] = {"half-bit": half_bit, "1-bit": one_bit, "0.5": 0.5}


def loss_curves(history: History) -> Picture:
    """Each recorded loss by epoch, on a logarithmic scale where it stays positive; steps faint behind.

    Raises
    ------
    InputError
        Nothing has been recorded yet.
    """
    picture = Picture(8, 4.5, name="loss by epoch")
    _losses(picture.subplots(), history, "Loss")
    return picture


def losses_of_parts(parts: Sequence[tuple[str, History]]) -> Picture:
    """The losses of a run in parts, such as "network" and then "iterative", beside each other in their order.

    Raises
    ------
    InputError
        Nothing has been recorded in one of them yet.
    """
    if len(parts) == 1:
        return loss_curves(parts[0][1])
    picture = Picture(4.6 * len(parts), 4.2, name="loss by epoch")
    for axes, (name, history) in zip(picture.subplots(1, len(parts)), parts, strict=True):
        _losses(axes, history, f"{name[:1].upper()}{name[1:]}: loss")
    return picture


def _losses(axes: Axes, history: History, what: str) -> None:
    """Those of one history, by epoch."""
    curves = {n: history[n] for n in history.names if n.endswith("loss") and history[n]}
    if not curves:
        raise InputError("The history holds no completed epoch; run one first.")
    epochs = len(next(iter(curves.values())))
    if len(history.steps) > epochs:
        steps, losses = np.array(history.steps, dtype=float).T
        axes.plot(steps * epochs / steps[-1], losses, color="0.8", linewidth=0.8, label="training loss, each step")
    for (name, values), colour, dashes in zip(curves.items(), LINES * 4, DASHES * 4, strict=False):
        style: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 2, "markersize": 5}
        style["marker"] = "o" if len(values) <= 30 else ""
        axes.plot(np.arange(1, len(values) + 1), values, label=plain(WORDS.get(name, name.replace("_", " "))), **style)
    if not any(v <= 0 for values in curves.values() for v in values):
        axes.set_yscale("log")
    axes.set_xlim(left=0)
    axes.set_xlabel("epoch", fontsize=LABEL)
    axes.set_ylabel("loss, mean of a pixel", fontsize=LABEL)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    quiet(axes)
    _legend(axes)
    took = f", {history.seconds[-1]:.3g} s" if history.seconds else ""
    title(axes, f"{what} over {epochs} epochs{took}")


def frc_curve(rings: RingCorrelation, *, threshold: str = "half-bit", pixel_size: float | None = None, name: str = "") -> Picture:
    """Ring correlation by spatial frequency with its thresholds; the crossing of one is marked and read off.

    Parameters
    ----------
    rings : RingCorrelation
        ``metrics.frc`` of two aligned objects.
    threshold : str
        The one that counts: "half-bit" or "1-bit" for two half-data objects, "0.5" against a truth.
    pixel_size : float, optional
        Width of an object pixel [m]; gives the resolution in nm too.
    name : str
        What was compared.
    """
    if threshold not in THRESHOLDS:
        raise InputError(f"There is no threshold {plain(threshold)!r}; allowed: {', '.join(THRESHOLDS)}.")
    picture = Picture(8, 4.5, name=f"Fourier ring correlation {name}")
    axes = picture.subplots()
    axes.plot(rings.frequency[1:], rings.correlation[1:], color=LINES[0], linewidth=2.2, label="Fourier ring correlation")
    for (word, level), colour, dashes in zip(THRESHOLDS.items(), LINES[1:], DASHES[1:], strict=False):
        axes.plot(rings.frequency[1:], rings.threshold(level)[1:], color=colour, linestyle=dashes, linewidth=1.5, label=f"{word} threshold")
    crossing = rings.crossing(THRESHOLDS[threshold])
    axes.axvline(crossing, color="0.3", linewidth=1)
    _legend(axes)
    axes.set_xlim(0, 0.5)
    axes.set_ylim(min(-0.05, float(rings.correlation.min())), 1.05)
    axes.set_xlabel("spatial frequency [cycles/px]", fontsize=LABEL)
    axes.set_ylabel("correlation", fontsize=LABEL)
    quiet(axes)
    half_period = 0.5 / crossing
    metric = "" if pixel_size is None else f" = {length(half_period * pixel_size)}"
    reading = "no crossing up to Nyquist: half-period" if crossing == NYQUIST else f"{threshold} crossing: half-period"
    title(axes, f"{plain(name)}\n" * bool(name) + f"{reading} {half_period:.2f} px{metric}", LABEL)
    return picture


def _legend(axes: Axes) -> None:
    literal(*axes.legend(fontsize=SMALL, frameon=False).get_texts())
