"""What a run has done so far."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from ptycho_nb.errors import unknown
from ptycho_nb.history.control import Control, State
from ptycho_nb.history.preview import Preview

log = logging.getLogger(__name__)

LOSS, VALIDATION = "train_loss", "val_loss"


class History:
    """Each logged metric by epoch and the loss by step; tells a listener; stops and pauses when its Control says so.

    The iterative fit records into it by hand; the one that ``ptycho_nb.History`` gives is filled
    by any ``Trainer`` that has it among its callbacks. The listener runs in the running thread
    after each step and each epoch: it may note numbers, set events and ask for a ``preview``,
    and must not draw, print or display.

    Attributes
    ----------
    metrics : dict of str to list of float
        By completed epoch, the last value known at its end; NaN where there was none yet.
    seconds : list of float
        Running time at the end of each epoch, pauses left out [s].
    epoch_ends : list of int
        Steps done at the end of each epoch: where a number of the epoch belongs among the steps.
    waited : float
        How long pauses have held this run [s].
    started : float or None
        When the run began, seconds since 1970.
    device : str
        What it computed on, in words; empty where nothing said so.
    message : str
        Why the run ended, where it did not simply reach its end.
    more_to_come : bool
        Another fit belongs to the same run: the end of this one is not its end.
    """

    def __init__(self, listener: Listener | None = None, control: Control | None = None) -> None:
        super().__init__()
        self.control = control or Control()
        self.listener = listener
        self.previewer: Callable[[], Preview] | None = None
        self.metrics: dict[str, list[float]] = {LOSS: []}
        self.seconds: list[float] = []
        self.epoch_ends: list[int] = []
        self.started: float | None = None
        self.device = ""
        self.message = ""
        self.more_to_come = False
        self._steps: dict[str, list[tuple[int, float]]] = {LOSS: [], VALIDATION: []}
        self._state = State.IDLE
        self._cut = False
        self._clock = time.monotonic()
        self._held: float | None = None  # since when a pause has held the run
        self.waited = 0.0

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.metrics:
            raise KeyError(unknown("metric", name, self.metrics))
        return self.metrics[name]

    def __contains__(self, name: object) -> bool:
        return name in self.metrics

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.metrics.items() if values)
        return f"<History: {self.state}, {self.epochs} epochs, {len(self.steps)} steps{', ' + last if last else ''}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics recorded."""
        return tuple(self.metrics)

    @property
    def epochs(self) -> int:
        """Epochs completed."""
        return len(self.seconds)

    @property
    def steps(self) -> list[tuple[int, float]]:
        """(step, training loss) of every step, counted from 1."""
        return self._steps[LOSS]

    @property
    def validation(self) -> list[tuple[int, float]]:
        """(steps done, validation loss), each time that it was measured."""
        return self._steps[VALIDATION]

    @property
    def state(self) -> State:
        """Where the run stands, what has been asked of it included."""
        if self._state is not State.RUNNING:
            return self._state
        if self.control.stopping:
            return State.STOPPING
        if self.control.paused:
            return State.PAUSED if self._held is not None else State.PAUSING
        return State.RUNNING

    @state.setter
    def state(self, state: State) -> None:
        self._state = state

    def begin(self, spent: float = 0.0) -> None:
        """Start the clock, going on from the time already recorded and what was spent on the start [s]."""
        self._clock = time.monotonic() - spent - (self.seconds[-1] if self.seconds else 0.0)
        self.started = self.started or time.time()
        self.state, self.message = State.RUNNING, ""

    @property
    def elapsed(self) -> float:
        """Running time so far, pauses left out [s]."""
        return (self._held or time.monotonic()) - self._clock

    def record_step(self, name: str, value: float) -> None:
        """Note a number of this step and tell the listener."""
        steps = self._steps.setdefault(name, [])
        steps.append((steps[-1][0] + 1 if steps else 1, value))
        self.tell()

    def record_epoch(self, **metrics: float) -> None:
        """Note the numbers of a completed epoch, measured at its end, and tell the listener."""
        if VALIDATION in metrics:
            self.validation.append((len(self.steps), metrics[VALIDATION]))
        self._complete(metrics)

    def _complete(self, metrics: Mapping[str, float]) -> None:
        self.epoch_ends.append(len(self.steps))
        for name, value in metrics.items():
            values = self.metrics.setdefault(name, [])
            values += [math.nan] * (self.epochs - len(values)) + [value]
        self.seconds.append(self.elapsed)
        self.tell()

    def keep_going(self) -> bool:
        """Block while paused; False once the run is to stop."""
        if self.control.paused:
            self._held = since = time.monotonic()
            self.tell()
            self.control.wait_while_paused()
            waited = time.monotonic() - since
            self._clock, self._held = self._clock + waited, None
            self.waited += waited
        return not self.control.stopping

    def preview(self) -> Preview | None:
        """The object as it is now, computed on request in the running thread; None where there is none."""
        return self.previewer() if self.previewer is not None else None

    def diverge(self, what: str, learning_rate: float) -> None:
        """End the run as diverged: ``what`` went wrong, at which step and learning rate."""
        step = len(self.steps) + 1
        self.state = State.DIVERGED
        self.message = (
            f"{what} at step {step} with learning rate {learning_rate:.3g}; the state before it is kept: lower the learning rate."
        )

    def take_up(self, earlier: History) -> None:
        """Go on from what an earlier run recorded."""
        copy = History.from_dict(earlier.to_dict())
        self.metrics, self._steps, self.started = copy.metrics, copy._steps, copy.started
        self.seconds, self.epoch_ends = copy.seconds, copy.epoch_ends

    def cut_short(self, why: str) -> None:
        """Count the end that comes as a stop, and say why."""
        self._cut, self.message = True, why

    def to_dict(self) -> dict[str, Any]:
        """Everything recorded, as plain JSON."""
        return {
            "metrics": self.metrics,
            "steps": {name: [list(pair) for pair in pairs] for name, pairs in self._steps.items()},
            "seconds": self.seconds,
            "epoch_ends": self.epoch_ends,
            "started": self.started,
            "device": self.device,
            "state": str(self.state),
            "message": self.message,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The history that ``to_dict`` wrote, without listener."""
        history = cls()
        history.metrics = {name: [float(v) for v in values] for name, values in stored["metrics"].items()}
        history._steps = {name: [(int(s), float(v)) for s, v in pairs] for name, pairs in stored["steps"].items()}
        history.seconds = [float(s) for s in stored["seconds"]]
        history.epoch_ends = [int(end) for end in stored.get("epoch_ends", _evenly(len(history.steps), history.epochs))]
        if VALIDATION not in stored["steps"]:  # files of before: it was measured at the end of each epoch
            history._steps[VALIDATION] = list(zip(history.epoch_ends, history.metrics.get(VALIDATION, []), strict=False))
        history.started, history.message = stored["started"], str(stored["message"])
        history.device = str(stored.get("device", ""))  # not in files of before
        history.state = State(stored["state"])
        return history

    def tell(self) -> None:
        """Call the listener; one that fails is left out from here on."""
        if self.listener is None:
            return
        try:
            self.listener(self)
        except Exception:
            log.exception("The listener failed and is left out from here on; the run goes on.")
            self.listener = None


def _evenly(steps: int, epochs: int) -> list[int]:
    """Ends of epochs of equal length, for files of before that do not tell them."""
    return [steps * (epoch + 1) // epochs for epoch in range(epochs)]


Listener = Callable[[History], None]
