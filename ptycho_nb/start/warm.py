"""A start that knows the slow changes of the object, and a first picture from it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import Control, Listener, State
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.start.mend import lacking

EARLY = RefinementConfig(epochs=4, batch_size=16, learning_rate=0.15, probe_start=0.05, probe_learning_rate=0.06)
LATE = EARLY.replace(epochs=7, start_learning_rate=0.02, probe_start=0.0, warmup=0.05)
EXPLAINS = 0.1  # of the missing tilts' variance, on patterns not asked, from which the slow phase is taken


@dataclass(frozen=True, eq=False, repr=False)
class WarmStart(Reconstruction):
    """An early object for ``refine`` to begin with, and what was done to it.

    Attributes
    ----------
    mended : bool
        Whether the slow phase that the patterns' tilts ask for was added.
    explained : float
        Share of the missing tilts' variance that it explains on patterns it was not fitted to.
    verdict : str
        Which start was taken and why, a sentence.
    """

    mended: bool = False
    explained: float = 0.0
    verdict: str = ""


def warm_start(
    scan: Scan, config: RefinementConfig | None = None, *, listener: Listener | None = None, control: Control | None = None
) -> WarmStart:
    """An object after a few iterative epochs, its slow phase mended where the patterns' tilts say how.

    An iterative fit finds fine detail first and slow phases last. The centre of mass of a
    pattern tells the mean slope of the phase under the probe, so the slopes that are missing
    after a few epochs are fitted by a smooth phase on all of the canvas at once. Half the patterns
    are fitted and half judge: where the phase does not explain the others, the object stays as
    it is.

    Parameters
    ----------
    scan : Scan
    config : RefinementConfig, optional
        Of the epochs before; four in small batches if none.
    listener, control : optional
        As for ``refine``.

    Raises
    ------
    InputError
        As for ``refine``.
    """
    began = time.monotonic()
    early = refine(scan, config=config or EARLY, listener=listener, control=control)
    if early.state is not State.DONE:
        return WarmStart(**vars(early), verdict=f"The epochs before ended early ({early.state}); the object is as they left it.")
    slow = lacking(scan, early)
    share = f"fitted to half the patterns it explains {max(slow.explained, 0.0):.0%} of the tilts that the others lack"
    given = {**vars(early), "seconds": time.monotonic() - began, "optimiser": {}}
    if not slow.explained > EXPLAINS:
        return WarmStart(**given, explained=slow.explained, verdict=f"No slow phase added: {share}.")
    given["object"] = np.asarray(early.object * np.exp(1j * slow.phase), dtype=np.complex64)
    return WarmStart(**given, mended=True, explained=slow.explained, verdict=f"A slow phase added: {share}.")


def first_picture(scan: Scan, *, listener: Listener | None = None, control: Control | None = None) -> Reconstruction:
    """The object after eleven epochs, its slow phase mended after the fourth.

    In the time of twelve epochs from a flat start its phase is nearer the truth and its amplitude about as near.
    The time of both fits and of what lies between is in ``seconds``.

    Parameters
    ----------
    scan : Scan
    listener, control : optional
        As for ``refine``, for both fits in turn. A stop ends it with what there is.
    """
    control = control or Control()
    start = warm_start(scan, listener=listener, control=control)
    if start.state is not State.DONE:
        return start
    found = refine(scan, start, LATE, listener=listener, control=control)
    return found.replace(seconds=start.seconds + found.seconds, settings={**found.settings, "start": start.verdict})
