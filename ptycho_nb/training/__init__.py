"""Training: a scan in, a trained model with its history out; the user's kernel is left as found."""

from __future__ import annotations

from ptycho_nb.training.result import Training
from ptycho_nb.training.run import train

__all__ = ["Training", "train"]
