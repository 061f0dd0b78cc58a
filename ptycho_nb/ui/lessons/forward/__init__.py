"""The forward model by hand: a probe over an object, the wave behind it, the pattern, and the phase that is lost."""

from __future__ import annotations

from ptycho_nb.ui.lessons.forward.panel import ForwardExplorer

__all__ = ["ForwardExplorer"]
