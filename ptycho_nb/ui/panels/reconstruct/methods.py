"""The three ways to an object: what each runs, which settings it takes, and the same in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ptycho_nb.checks import noise_r_factor
from ptycho_nb.config import RefinementConfig
from ptycho_nb.history import Control, History, Listener, State
from ptycho_nb.reconstruction import reconstruct
from ptycho_nb.refinement import refine
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.training import Training, train
from ptycho_nb.ui.forms import call

NETWORK = ("training", "model", "data", "inference")
ITERATIVE = ("refinement",)
JUDGES = 128  # patterns on which the R of noise is drawn


@dataclass(frozen=True)
class Outcome:
    """What a run left, and what it takes to go on with it.

    Attributes
    ----------
    method : str
        Of ``METHODS``; the result's own is "Network" where the second part was never reached.
    result : Reconstruction
    training : Training or None
        Of the network, where one was trained.
    once : float
        Seconds of the network's reconstruction without its training.
    """

    method: str
    result: Reconstruction
    training: Training | None = None
    once: float = 0.0

    @property
    def history(self) -> History | None:
        """Of the last part of the run."""
        return self.result.history


@dataclass(frozen=True)
class Job:
    """One run: a scan, settings by section, who listens, and what it goes on from.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    say : callable
        Told in words which part of the run begins, and its number of epochs.
    earlier : Outcome or None
        To go on with, for ``more`` epochs.
    """

    method: str
    scan: Scan
    configs: Mapping[str, Any]
    listener: Listener
    control: Control
    say: Callable[[str, int], None]
    earlier: Outcome | None = None
    more: int = 0


def _network(job: Job) -> Outcome:
    training = _trained(job)
    job.say("putting the patches together", 0)
    found = reconstruct(training.model, job.scan, job.configs["inference"])
    seconds = training.seconds + found.seconds
    return Outcome(job.method, found.replace(state=training.state, history=training.history, seconds=seconds), training, found.seconds)


def _trained(job: Job) -> Training:
    c, earlier = job.configs, None if job.earlier is None else job.earlier.training
    if earlier is None:
        job.say("training the network", c["training"].epochs)
        configs = (c["training"], c["model"], c["data"], c["inference"])
        return train(job.scan, *configs, listener=job.listener, control=job.control)
    job.say("training the network", earlier.standing.epoch + job.more)
    longer = c["training"].replace(epochs=job.more)
    return train(job.scan, longer, inference=c["inference"], resume_from=earlier, listener=job.listener, control=job.control)


def _iterative(job: Job) -> Outcome:
    return Outcome(job.method, _fitted(job, None))


def _fitted(job: Job, start: Reconstruction | None) -> Reconstruction:
    config: RefinementConfig = job.configs["refinement"]
    earlier = None
    if job.earlier is not None and job.earlier.result.optimiser:
        start, earlier, config = None, job.earlier.result, config.replace(epochs=job.more)
    before = 0 if earlier is None or earlier.history is None else earlier.history.epochs
    job.say("fitting the object", before + config.epochs)
    return refine(job.scan, start, config, listener=job.listener, control=job.control, resume_from=earlier)


def _both(job: Job) -> Outcome:
    """The network's object, then the fit from there; a stop in the first part keeps the network's."""
    if job.earlier is not None and job.earlier.result.optimiser:
        fitted = _fitted(job, None)
        before = 0.0 if job.earlier.training is None else job.earlier.training.seconds
        return Outcome(job.method, fitted.replace(seconds=before + fitted.seconds), job.earlier.training, job.earlier.once)
    first = _network(job)
    if first.result.state is not State.DONE or job.control.stopping:
        return first
    fitted = _fitted(job, first.result)
    return Outcome(job.method, fitted.replace(seconds=first.result.seconds + fitted.seconds), first.training, first.once)


def in_words(outcome: Outcome, scan: Scan, iterative: float | None) -> list[str]:
    """What the run took and reached, a sentence each; no measure of quality.

    Parameters
    ----------
    outcome : Outcome
    scan : Scan
    iterative : float or None
        Seconds that an iterative fit of this scan took, where there was one.
    """
    result, history = outcome.result, outcome.history
    chosen = range(0, scan.M, max(1, scan.M // JUDGES))
    noise = noise_r_factor(result.predicted(list(chosen)), scan.mask)
    told = [f"{result.method}: {result.seconds:.1f} s.", f"Misfit R {result.r_factor(scan):.3f}; photon noise alone gives {noise:.3f}."]
    if history is not None and "val_loss" in history and history["val_loss"]:
        told.append(f"Held-out misfit {history['val_loss'][-1]:.4g} a pixel.")
    if iterative is not None and outcome.training is not None:
        told.append(payback(iterative, outcome.once, outcome.training.seconds))
    return told


def payback(iterative: float, once: float, training: float) -> str:
    """After how many similar scans a training pays back, or that it does not.

    Parameters
    ----------
    iterative, once, training : float
        Seconds of an iterative fit of one scan, of the network's reconstruction of one, and of the training.
    """
    if iterative <= once:
        return "The training does not pay back: an iterative fit of each scan takes no longer than the network."
    return f"The training pays back after {int(training / (iterative - once)) + 1} scans like this one."


@dataclass(frozen=True)
class Method:
    """One way to an object.

    Attributes
    ----------
    line : str
        What it is, before the run.
    sections : tuple of str
        The settings it takes.
    run : callable
    code : callable
        The lines of Python that do the same with these settings.
    """

    line: str
    sections: tuple[str, ...]
    run: Callable[[Job], Outcome]
    code: Callable[[Mapping[str, Any]], list[str]]


def _network_code(c: Mapping[str, Any]) -> list[str]:
    train_line = "training = " + call("train", "scan", **{name: c[name] for name in NETWORK})
    return [train_line, "result = reconstruct(training.model, scan)"]


def _iterative_code(c: Mapping[str, Any]) -> list[str]:
    return ["result = " + call("refine", "scan", config=c["refinement"])]


def _both_code(c: Mapping[str, Any]) -> list[str]:
    return [*_network_code(c), "result = " + call("refine", "scan", "result", config=c["refinement"])]


METHODS = {
    "Iterative": Method("fits this object to this scan directly; best for one scan.", ITERATIVE, _iterative, _iterative_code),
    "Network": Method(
        "learns pattern to image from this scan; slower for one, then reconstructs similar scans at once.", NETWORK, _network, _network_code
    ),
    "Network, then iterative": Method("the network's image, sharpened on the data.", (*NETWORK, *ITERATIVE), _both, _both_code),
}
