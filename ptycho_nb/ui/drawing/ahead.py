"""What a panel needs for its work, loaded once it is on the screen."""

from __future__ import annotations

import logging
import threading

import ptycho_nb

log = logging.getLogger(__name__)

PAUSE = 2.0  # s in which a page can draw the panel: loading takes a core for some seconds
NEEDED = ("train", "reconstruct", "refine", "quick_look", "estimate", "half_data", "rank_freedoms", "write_report")

_begun = threading.Event()


def load_ahead() -> None:
    """Load in a thread what takes seconds, once a kernel; what is clicked before waits for it."""
    if not _begun.is_set():
        _begun.set()
        threading.Thread(target=_load, name="ptycho_nb loading", daemon=True).start()


def _load() -> None:
    threading.Event().wait(PAUSE)
    for name in NEEDED:
        try:
            getattr(ptycho_nb, name)
        except Exception:  # what needs it says so in its own place
            log.exception("%s could not be loaded ahead.", name)
