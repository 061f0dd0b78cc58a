"""What many tests share: the folder of recorded scans and a seeded generator."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of recorded scans that are not part of the project."""
    folder = os.environ.get("PTYCHO_NB_DATA")
    if not folder:
        pytest.skip("PTYCHO_NB_DATA names no folder of recorded scans")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"PTYCHO_NB_DATA is {folder!r}, which is no folder")
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of the test's own, always from the same seed."""
    return np.random.default_rng(20240229)


@pytest.fixture(autouse=True, scope="session")
def interrupts_arrive() -> None:
    """A shell starts what it puts in the background with interrupts ignored; tests send them to themselves."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
