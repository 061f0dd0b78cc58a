"""What a test of a panel must not leave behind, and waiting for what another thread does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ipywidgets.widgets.widget import _instances


def names_of_threads() -> list[str]:
    """The threads that are ours."""
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("ptycho_nb"))


def until(fact: Callable[[], object], seconds: float = 30.0) -> bool:
    """Whether it came true within this time."""
    end = time.monotonic() + seconds
    while not fact() and time.monotonic() < end:
        time.sleep(0.005)
    return bool(fact())


@contextmanager
def nothing_left() -> Iterator[None]:
    """The body leaves widgets and threads as they were."""
    widgets, threads = len(_instances), names_of_threads()
    yield
    assert len(_instances) == widgets
    assert until(lambda: names_of_threads() == threads, 5)
