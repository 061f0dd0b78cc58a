"""A whole iterative fit, from a scan to a ``Reconstruction``."""

from __future__ import annotations

import torch

from ptycho_nb.config import RefinementConfig
from ptycho_nb.errors import InputError
from ptycho_nb.history import Control, History, Listener, State, interrupt_stops
from ptycho_nb.machine import borrowed_threads, device_label, pick_device
from ptycho_nb.refinement.underway import Run
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan

THREADS = 1  # a second one gains nothing on transforms this small


def refine(
    scan: Scan,
    start: Reconstruction | None = None,
    config: RefinementConfig | None = None,
    *,
    listener: Listener | None = None,
    control: Control | None = None,
    resume_from: Reconstruction | None = None,
) -> Reconstruction:
    """The object, probe and positions that explain the photons of this scan best.

    Minimises the misfit of the expected photons by Adam on batches of patterns with
    analytic gradients.

    Parameters
    ----------
    scan : Scan
    start : Reconstruction, optional
        Where to begin: its object, and its probe and positions; flat with the scan's otherwise.
    config : RefinementConfig, optional
        The preset "best" if none.
    listener : callable, optional
        Called in this thread with the ``History`` after each step and epoch.
    control : Control, optional
        Stops or pauses the run within one step.
    resume_from : Reconstruction, optional
        An earlier fit of the same scan, to go on with for ``config.epochs`` more epochs. A
        stopped run that gets the epochs it had left ends as if it had never been stopped.

    Raises
    ------
    InputError
        ``start`` or ``resume_from`` does not belong to the scan, both are given, or the fit to go
        on with ran with another batch size, seed or held-out share.
    """
    if start is not None and resume_from is not None:
        raise InputError("Both start and resume_from are given; a fit that goes on has its own start: give one of them.")
    config = config or RefinementConfig.preset("best")
    history = History(listener, control)
    device = pick_device(config.accelerator)
    history.device = device_label(device)
    threads = borrowed_threads(THREADS if device.type == "cpu" else None)
    with threads, interrupt_stops(history.control), torch.no_grad():
        run = Run(scan, start, config, history, device, resume_from)
        history.previewer = run.preview
        history.begin(run.guessing)
        try:
            run.go()
        except BaseException as error:
            history.state, history.message = State.FAILED, str(error)
            raise
        last = run.preview()
        history.previewer = lambda: last  # the arrays of the fit itself need not outlive it
        history.tell()
        return run.result()
