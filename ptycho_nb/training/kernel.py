"""The kernel that a training borrows, and gives back as it found it."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

import torch

from ptycho_nb.history import Control
from ptycho_nb.machine import borrowed_threads

LOGGERS = ("lightning.pytorch", "lightning.fabric")
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"  # a deterministic Trainer sets it


@contextmanager
def borrowed_kernel(control: Control) -> Iterator[None]:
    """Quiet Lightning, our threads, Ctrl-C as "stop and keep"; afterwards everything as it was."""
    with ExitStack() as stack:
        stack.enter_context(borrowed_threads())
        stack.enter_context(_torch_flags())
        stack.enter_context(_quiet_lightning())
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(_interrupt_stops(control))
        yield


@contextmanager
def _torch_flags() -> Iterator[None]:
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    gradients, workspace = torch.is_grad_enabled(), os.environ.get(CUBLAS)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = cudnn
        torch.set_grad_enabled(gradients)
        if workspace is None:
            os.environ.pop(CUBLAS, None)
        else:
            os.environ[CUBLAS] = workspace


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _interrupt_stops(control: Control) -> Iterator[None]:
    """The first Ctrl-C ends the run after its step, a second one at once."""
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        if control.stopping:
            raise KeyboardInterrupt
        control.stop()

    if before is signal.SIG_IGN or before is None:  # None: set outside Python
        yield
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning leaves it ignored after an interrupt
