"""Ptychography in a notebook: one scan, one network, one object.

Public names are loaded on first use, so that ``import ptycho_nb`` is quick and the thread
policy is set before torch is loaded.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptycho_nb.checks import checks as checks
    from ptycho_nb.cli import command as command
    from ptycho_nb.compare import compare as compare
    from ptycho_nb.config import DataConfig as DataConfig
    from ptycho_nb.config import InferenceConfig as InferenceConfig
    from ptycho_nb.config import ModelConfig as ModelConfig
    from ptycho_nb.config import RefinementConfig as RefinementConfig
    from ptycho_nb.config import SimulationConfig as SimulationConfig
    from ptycho_nb.config import TrainingConfig as TrainingConfig
    from ptycho_nb.dataset import subsample as subsample
    from ptycho_nb.errors import ConfigError as ConfigError
    from ptycho_nb.errors import InputError as InputError
    from ptycho_nb.errors import ScanError as ScanError
    from ptycho_nb.estimate import estimate as estimate
    from ptycho_nb.estimate import memory_needed as memory_needed
    from ptycho_nb.freedoms import FREEDOMS as FREEDOMS
    from ptycho_nb.freedoms import Freedom as Freedom
    from ptycho_nb.freedoms import rank_freedoms as rank_freedoms
    from ptycho_nb.guess import initial_guess as initial_guess
    from ptycho_nb.history import Control as Control
    from ptycho_nb.history import State as State
    from ptycho_nb.history.callback import History as History
    from ptycho_nb.machine import pick_device as pick_device
    from ptycho_nb.patches import EMPTY as EMPTY
    from ptycho_nb.physics import near_field as near_field
    from ptycho_nb.prediction import Prediction as Prediction
    from ptycho_nb.quick_look import looked_at as looked_at
    from ptycho_nb.quick_look import quick_look as quick_look
    from ptycho_nb.quick_look import rank_orientations as rank_orientations
    from ptycho_nb.quick_look import unseen as unseen
    from ptycho_nb.readers import load_scan as load_scan
    from ptycho_nb.reconstruction import reconstruct as reconstruct
    from ptycho_nb.refinement import passes as passes
    from ptycho_nb.refinement import refine as refine
    from ptycho_nb.report import methods_text as methods_text
    from ptycho_nb.report import write_report as write_report
    from ptycho_nb.resolution import HalfData as HalfData
    from ptycho_nb.resolution import half_data as half_data
    from ptycho_nb.result import Reconstruction as Reconstruction
    from ptycho_nb.scan import Scan as Scan
    from ptycho_nb.simulate import simulate_scan as simulate_scan
    from ptycho_nb.training import Training as Training
    from ptycho_nb.training import train as train

__version__ = "0.1.0"

PUBLIC = {
    "SimulationConfig": "config",
    "DataConfig": "config",
    "ModelConfig": "config",
    "TrainingConfig": "config",
    "InferenceConfig": "config",
    "RefinementConfig": "config",
    "InputError": "errors",
    "ConfigError": "errors",
    "ScanError": "errors",
    "Scan": "scan",
    "load_scan": "readers",
    "simulate_scan": "simulate",
    "State": "history",
    "History": "history.callback",
    "Control": "history",
    "Training": "training",
    "train": "training",
    "Reconstruction": "result",
    "reconstruct": "reconstruction",
    "initial_guess": "guess",
    "refine": "refinement",
    "compare": "compare",
    "checks": "checks",
    "rank_freedoms": "freedoms",
    "quick_look": "quick_look",
    "looked_at": "quick_look",
    "rank_orientations": "quick_look",
    "half_data": "resolution",
    "estimate": "estimate",
}

ROOMS = {  # by name the room that has it; where it has another name there, that after a colon
    **PUBLIC,
    "command": "cli",
    "EMPTY": "patches",
    "FREEDOMS": "freedoms",
    "Freedom": "freedoms",
    "HalfData": "resolution",
    "Prediction": "prediction",
    "held_out_of_fit": "refinement.start:held_out",
    "held_out_of_training": "dataset:held_out",
    "memory_needed": "estimate",
    "methods_text": "report",
    "near_field": "physics",
    "passes": "refinement",
    "pick_device": "machine",
    "subsample": "dataset",
    "unseen": "quick_look",
    "write_report": "report",
}

LOADING = threading.RLock()  # two threads that load what needs each other would see it half loaded

__all__ = ["__version__", *PUBLIC]

NEEDS = {
    "torch": "pip install torch (pytorch.org/get-started has the CPU and CUDA builds)",
    "lightning": "pip install 'lightning>=2.6.6'",
}


def __getattr__(name: str) -> Any:
    if name not in ROOMS:
        raise AttributeError(f"module 'ptycho_nb' has no attribute {name!r}")
    try:
        room, _, other = ROOMS[name].partition(":")
        with LOADING:
            value = getattr(importlib.import_module(f"ptycho_nb.{room}"), other or name)
    except ModuleNotFoundError as error:
        if error.name not in NEEDS:
            raise
        raise ImportError(f"ptycho_nb needs {error.name}, which is not installed; {NEEDS[error.name]}.") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *PUBLIC})


class _Package(ModuleType):
    """The package itself; loading the room ``checks`` does not hide the function ``checks``."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def _wait_passively() -> None:
    """Idle threads sleep instead of spinning, unless the user chose or torch has read the setting already.

    Two threads that spin on busy cores make a step ten times as long.
    """
    if "torch" not in sys.modules and not {"OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["OMP_WAIT_POLICY"] = "passive"


_wait_passively()
sys.modules[__name__].__class__ = _Package
