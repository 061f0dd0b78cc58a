"""The trainable model: network, physics and loss in one LightningModule, its optimisers and its file."""

from __future__ import annotations

from ptycho_nb.model.facts import ScanFacts
from ptycho_nb.model.module import PtychoPINN

__all__ = ["PtychoPINN", "ScanFacts"]
