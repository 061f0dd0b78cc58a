"""The kernel that trainings borrow, and give back as they found it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from ptycho_nb.history import Control, interrupt_stops
from ptycho_nb.machine import Shared, borrowed_threads

LOGGERS = ("lightning.pytorch", "lightning.fabric")
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"  # a deterministic Trainer sets it


@contextmanager
def borrowed_kernel(control: Control) -> Iterator[None]:
    """Quiet Lightning, our threads, Ctrl-C as "stop and keep"; afterwards everything as it was.

    Trainings may overlap in threads: what belongs to the process is given back after the last.
    """
    with ExitStack() as stack:
        stack.enter_context(PROCESS.borrowed())
        stack.enter_context(borrowed_threads())
        stack.enter_context(torch.enable_grad())  # of this thread alone
        stack.enter_context(interrupt_stops(control))  # Lightning leaves SIGINT ignored after an interrupt
        yield


@contextmanager
def _settings() -> Iterator[None]:
    with _torch_flags(), _quiet_lightning():
        yield


@contextmanager
def _torch_flags() -> Iterator[None]:
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    products, workspace = torch.get_float32_matmul_precision(), os.environ.get(CUBLAS)
    torch.set_float32_matmul_precision("medium")  # bfloat16 products where the processor has them: the network's only
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = cudnn
        torch.set_float32_matmul_precision(products)
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
        with warnings.catch_warnings():  # Python's own is for one thread: it must not be left in another order than entered
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


PROCESS = Shared(_settings)
