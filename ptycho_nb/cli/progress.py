"""A bar with the time left while a run goes on, and Ctrl-C that stops it and keeps what there is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tqdm import tqdm

from ptycho_nb.history import Control, History, Listener, interrupt_stops


class Watch(NamedTuple):
    """What a run takes to be watched and stopped: ``train(..., **watch._asdict())``."""

    listener: Listener
    control: Control


@contextmanager
def watched(what: str, epochs: int, control: Control) -> Iterator[Watch]:
    """Show a bar named ``what`` over ``epochs``; the first Ctrl-C stops the run, the second aborts it."""
    often = 0.1 if sys.stderr.isatty() else 10.0  # seconds; a log wants few lines
    bar = tqdm(total=epochs, desc=what, file=sys.stderr, dynamic_ncols=True, mininterval=often, bar_format=BAR)
    with bar, interrupt_stops(control):
        yield Watch(_Follower(bar), control)


class _Follower:
    """Moves the bar by whole epochs, and within an epoch once its number of steps is known; of several runs in turn too."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar
        self.run: History | None = None
        self.before = self.epochs = self.steps = 0  # epochs of earlier runs; epochs and steps at the end of the last epoch

    def __call__(self, history: History) -> None:
        if history is not self.run:
            self.run, self.before, self.epochs, self.steps = history, self.before + self.epochs, 0, 0
        steps = len(history.steps)
        if history.epochs > self.epochs:
            self.epochs, self.steps = history.epochs, steps
        share = (steps - self.steps) * self.epochs / self.steps if self.steps else 0.0
        self.bar.n = min(self.before + self.epochs + share, self.bar.total)
        if history.control.stopping:
            self.bar.set_description_str("Stopping", refresh=False)
        if steps:
            self.bar.set_postfix_str(f"loss {history.steps[-1][1]:.4g}", refresh=False)
        self.bar.update(0)


BAR = "{desc}: {percentage:3.0f}% |{bar}| {n:.3g}/{total_fmt} epochs, {elapsed} gone, {remaining} left{postfix}"
