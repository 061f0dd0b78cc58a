"""Panels to think with, for any notebook: an experiment, the forward model, ambiguities, failures, two methods side by side."""

from __future__ import annotations

from ptycho_nb.ui.lessons.ambiguities import Ambiguities
from ptycho_nb.ui.lessons.designer import ExperimentDesigner
from ptycho_nb.ui.lessons.duel import Duel
from ptycho_nb.ui.lessons.forward import ForwardExplorer
from ptycho_nb.ui.lessons.gallery import FailureGallery
from ptycho_nb.ui.lessons.question import Question

__all__ = ["Ambiguities", "Duel", "ExperimentDesigner", "FailureGallery", "ForwardExplorer", "Question"]
