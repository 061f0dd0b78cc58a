"""The failure gallery: a failure as a real run, the number that tells it, and its cure at one click."""

from __future__ import annotations

from ptycho_nb.ui.lessons.gallery.panel import FailureGallery

__all__ = ["FailureGallery"]
