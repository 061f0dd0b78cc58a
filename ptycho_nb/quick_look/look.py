"""A rough object after about two seconds."""

from __future__ import annotations

import time

import numpy as np

from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, History, Listener, State
from ptycho_nb.refinement import refine
from ptycho_nb.refinement.start import held_out
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

EPOCHS = 64  # at most: after these a small scan is fitted
FEWEST = 8  # epochs below which a scan is better looked at in its middle only
BATCH = 16  # patterns in a step
HELD_OUT, FEWEST_JUDGES = 0.1, 4  # of the patterns, not fitted: they judge the look; of few patterns more, up to twice the share
RECIPE = RefinementConfig(batch_size=BATCH, learning_rate=0.15, probe_start=0.05, probe_learning_rate=0.03)
GUESSED = 12  # epochs up to which a network's guess is a better start than a flat object: the whole look is shorter than its lead
HASTE = 0.3  # s: in a look of less the guess would take too much of it
PILOT = 160  # patterns whose few steps tell the pace
PILOT_STEPS = 6
FASTEST = 1e6  # patterns a second: where a stop left no step to time


def quick_look(scan: Scan, seconds: float = 2.0, *, listener: Listener | None = None, control: Control | None = None) -> Reconstruction:
    """A rough object after about so many seconds, to see whether a scan is read rightly.

    A short iterative fit, its step sizes falling to zero as the time runs out. Few epochs
    want small batches, larger steps and a probe that moves nearly at once, and begin with a
    network's guess where there is one (``initial_guess``). A tenth of the
    patterns is held out to judge it by. Of a scan that cannot be gone over eight times only the
    middle is fitted, sharp where the whole would be a blur; the result is then of fewer
    patterns, those of ``looked_at(scan, result)``, which is the scan to judge it by.

    Parameters
    ----------
    scan : Scan
    seconds : float
        More than 0.
    listener : callable, optional
        As for ``refine``.
    control : Control, optional
        A stop ends it with what there is, its state "stopped"; otherwise it is "done".

    Raises
    ------
    InputError
        ``seconds`` is not a time.
    """
    if not 0.1 <= seconds <= 1e6:
        raise InputError(f"A quick look of {seconds:g} s is not possible; give at least 0.1 s.")
    control, began = control or Control(), time.monotonic()
    part, epochs = scan, EPOCHS
    if scan.M > PILOT:
        visits = min(pace(scan, control), FASTEST) * max(seconds - (time.monotonic() - began), 0.0)
        count = int(visits / FEWEST)
        part = scan if count >= scan.M else scan.select(middle(scan, max(count, PILOT)))
        epochs = int(np.clip(visits / part.M, FEWEST, EPOCHS))
    left = max(0.1, seconds - (time.monotonic() - began))
    config = recipe(part, epochs).replace(time_limit=left)
    if left < HASTE:
        config = config.replace(initial_object="flat")
    found = refine(part, config=config, listener=listener, control=control)
    history = found.history
    if history is None or history.state is not State.STOPPED or control.stopping:
        return found
    history.state, history.message = State.DONE, ""  # the time was all it was to have
    history.tell()
    return found.replace(state=State.DONE)


def recipe(part: Scan, epochs: int = EPOCHS) -> RefinementConfig:
    """The settings of a look at a scan or a part of it; a brief one follows amplitudes, which lead near the truth faster."""
    share = min(max(HELD_OUT, FEWEST_JUDGES / part.M), 2 * HELD_OUT)
    brief = epochs <= GUESSED
    loss, begin = ("amplitude", "auto") if brief else ("poisson", "flat")
    return RECIPE.replace(epochs=epochs, holdout=share, loss=loss, initial_object=begin)


def looked_at(scan: Scan, result: Reconstruction) -> Scan:
    """The part of a scan that a quick look at it is of: all of it, or its middle.

    Parameters
    ----------
    scan : Scan
    result : Reconstruction
        Of ``quick_look(scan)``.
    """
    count = len(result.positions)
    return scan if count >= scan.M else scan.select(middle(scan, count))


def unseen(part: Scan, result: Reconstruction) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices of the patterns of ``looked_at(scan, result)`` that the look did not fit.

    What was fitted says little: photons can be explained by an object that is none, and best
    where there are few of them.
    """
    config = RefinementConfig(**result.settings["refinement"])
    return held_out(part, config.holdout, config.seed)


def middle(scan: Scan, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices (count,) of the patterns nearest the middle of a scan, a rectangle of the scan's own proportions."""
    low, high = scan.positions.min(0), scan.positions.max(0)
    away = np.abs(scan.positions - (low + high) / 2) / np.maximum(high - low, 1e-9)
    return np.sort(np.argsort(away.max(1), kind="stable")[:count])


def pace(scan: Scan, control: Control) -> float:
    """Patterns a second that a quick look's fit goes through, from a few steps on the middle of the scan."""
    own, times = Control(), [time.monotonic()]

    def watch(history: History) -> None:
        times.append(time.monotonic())
        if len(history.steps) >= PILOT_STEPS or control.stopping:
            own.stop()

    config = RECIPE.replace(epochs=PILOT_STEPS, probe_start=0.0)
    refine(scan.select(middle(scan, PILOT)), config=config, listener=watch, control=own)
    return BATCH / max(float(np.median(np.diff(times[1:]))), 1e-6) if len(times) > 2 else float("inf")
