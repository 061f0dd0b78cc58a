"""The three ways to an object: what each runs, which settings it takes, and the same in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ptycho_nb
from ptycho_nb.config import CONFIGS, Config, RefinementConfig, SimulationConfig
from ptycho_nb.errors import InputError, unknown
from ptycho_nb.history import Control, History, Listener, State
from ptycho_nb.result import Reconstruction
from ptycho_nb.scan import Scan
from ptycho_nb.ui.forms import call, constructor

NETWORK = ("training", "model", "data", "inference")
ITERATIVE = ("refinement",)
STITCHED = "result = reconstruct(training.model, scan)"


@dataclass(frozen=True)
class Part:
    """A part of a run that begins.

    Attributes
    ----------
    name : str
        What its curve is called; empty where it has none.
    doing : str
        What it does, in words.
    epochs : int
        The last one; 0 where it has none.
    limit : float or None
        It ends after this long [s].
    """

    name: str
    doing: str
    epochs: int = 0
    limit: float | None = None


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
    again : float
        Seconds that this way to the object takes once more, with the network trained.
    configs : mapping of str to Config
        The settings of its last part, by section.
    code : tuple of str
        The lines of Python that do all of it, from the first Start on.
    """

    method: str
    result: Reconstruction
    training: ptycho_nb.Training | None = None
    once: float = 0.0
    again: float = 0.0
    configs: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[str, ...] = ()

    @property
    def history(self) -> History | None:
        """Of the last part of the run."""
        return self.result.history

    @property
    def fitted(self) -> bool:
        """Whether it came as far as the fit, which then goes on; else the network's training does."""
        return bool(self.result.optimiser)


@dataclass(frozen=True)
class Job:
    """One run: a scan, settings by section, who listens, and what it goes on from.

    Attributes
    ----------
    method : str
        One of ``METHODS``.
    say : callable
        Told which part of the run begins.
    earlier : Outcome or None
        To go on with, for ``more`` epochs.
    """

    method: str
    scan: Scan
    configs: Mapping[str, Any]
    listener: Listener
    control: Control
    say: Callable[[Part], None]
    earlier: Outcome | None = None
    more: int = 0

    def run(self) -> Outcome:
        """Run to the end."""
        way, earlier = METHODS[self.method], self.earlier
        outcome = way.run(self)
        before = () if earlier is None else earlier.code
        kept = [line for line in before if line != STITCHED or (earlier is not None and earlier.fitted)]
        return replace(outcome, configs=self.configs, code=(*kept, *way.code(self.configs, earlier, self.more), *_broken_off(outcome)))


def _broken_off(outcome: Outcome) -> list[str]:
    """A remark where the same lines would go further than the run did."""
    history, state = outcome.history, outcome.result.state
    if state is State.DONE or history is None:
        return []
    return [f"# In the panel this run {'was' if state is State.STOPPED else 'has'} {state} after step {len(history.steps)}."]


def _network(job: Job) -> Outcome:
    training = _trained(job)
    job.say(Part("", "putting the patches together"))
    found = ptycho_nb.reconstruct(training.model, job.scan, job.configs["inference"])
    result = found.replace(state=training.state, history=training.history, seconds=training.seconds + found.seconds)
    return Outcome(job.method, result, training, found.seconds, found.seconds)


def _trained(job: Job) -> ptycho_nb.Training:
    c, earlier = job.configs, None if job.earlier is None else job.earlier.training
    training = c["training"] if earlier is None else c["training"].replace(epochs=job.more)
    last = training.epochs + (0 if earlier is None else earlier.standing.epoch)
    job.say(Part("network", "training the network", last, training.time_limit))
    configs = (training, c["model"], c["data"], c["inference"])
    return ptycho_nb.train(job.scan, *configs, resume_from=earlier, listener=job.listener, control=job.control)


def _iterative(job: Job) -> Outcome:
    result = _fitted(job, None)
    return Outcome(job.method, result, again=result.seconds)


def _fitted(job: Job, start: Reconstruction | None) -> Reconstruction:
    config: RefinementConfig = job.configs["refinement"]
    earlier = None
    if job.earlier is not None and job.earlier.fitted:
        start, earlier, config = None, job.earlier.result, config.replace(epochs=job.more)
    before = 0 if earlier is None or earlier.history is None else earlier.history.epochs
    job.say(Part("iterative", "fitting the object", before + ptycho_nb.passes(config, job.scan).epochs, config.time_limit))
    return ptycho_nb.refine(job.scan, start, config, listener=job.listener, control=job.control, resume_from=earlier)


def _both(job: Job) -> Outcome:
    """The network's object, then the fit from there; a stop in the first part keeps the network's."""
    first = job.earlier
    if first is None or not first.fitted:
        first = _network(job)
        if first.result.state is not State.DONE or job.control.stopping:
            return first
    fitted = _fitted(job, first.result)
    training = 0.0 if first.training is None else first.training.seconds
    again = first.once + fitted.seconds
    return Outcome(job.method, fitted.replace(seconds=training + again), first.training, first.once, again)


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
        The lines of Python that do the same with these settings: anew, or going on from an
        earlier outcome for so many epochs.
    """

    line: str
    sections: tuple[str, ...]
    run: Callable[[Job], Outcome]
    code: Callable[[Mapping[str, Any], Outcome | None, int], list[str]]


def _network_code(c: Mapping[str, Any], earlier: Outcome | None, more: int) -> list[str]:
    if earlier is None or earlier.training is None:
        return ["training = " + call("train", "scan", **{name: c[name] for name in NETWORK}), STITCHED]
    given = [f"training={constructor(c['training'].replace(epochs=more))}"]  # even where it is the default: left out, it is the earlier one
    if c["inference"] != earlier.training.model.inference_config:
        given.append(f"inference={constructor(c['inference'])}")
    return ["training = " + call("train", "scan", *given, "resume_from=training"), STITCHED]


def _iterative_code(c: Mapping[str, Any], earlier: Outcome | None, more: int) -> list[str]:
    if earlier is None:
        return ["result = " + call("refine", "scan", config=c["refinement"])]
    return ["result = " + call("refine", "scan", "resume_from=result", config=c["refinement"].replace(epochs=more))]


def _both_code(c: Mapping[str, Any], earlier: Outcome | None, more: int) -> list[str]:
    if earlier is not None and earlier.fitted:
        return _iterative_code(c, earlier, more)
    return [*_network_code(c, earlier, more), "result = " + call("refine", "scan", "result", config=c["refinement"])]


METHODS = {
    "Iterative": Method("fits this object to this scan directly; best for one scan.", ITERATIVE, _iterative, _iterative_code),
    "Network": Method(
        "learns pattern to image from this scan; slower for one, then reconstructs similar scans at once.", NETWORK, _network, _network_code
    ),
    "Network, then iterative": Method("the network's image, sharpened on the data.", (*NETWORK, *ITERATIVE), _both, _both_code),
}


def known(method: str) -> str:
    """A name of ``METHODS``.

    Raises
    ------
    InputError
        It is none.
    """
    if method not in METHODS:
        raise InputError(unknown("method", method, METHODS))
    return method


def runnable(scan: object) -> Scan | None:
    """A scan, or None for none yet.

    Raises
    ------
    InputError
        It is neither.
    """
    if not isinstance(scan, Scan | None):
        raise InputError(f"A run takes a Scan, not {type(scan).__name__}; load_scan and simulate_scan make one.")
    return scan


def by_section(configs: Iterable[Config]) -> dict[str, Config]:
    """Settings by the name of their section.

    Raises
    ------
    InputError
        One is of a kind that no method takes.
    """
    names = {CONFIGS[name]: name for name in (*NETWORK, *ITERATIVE)}
    for config in configs:
        if type(config) not in names:
            raise InputError(_no_setting(config, [kind.__name__ for kind in names]))
    return {names[type(config)]: config for config in configs}


def _no_setting(given: object, kinds: Sequence[str]) -> str:
    if isinstance(given, str):
        return f"{given[:40]!r} is no config; did you mean method={given[:40]!r}?"
    if isinstance(given, SimulationConfig):
        return "A SimulationConfig is no setting of a run: it goes first, as App(SimulationConfig(…)), or into simulate_scan."
    return f"{type(given).__name__} is no setting of a run; allowed: {', '.join(kinds)}."
