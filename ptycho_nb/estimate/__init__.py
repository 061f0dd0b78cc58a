"""What a run will take on this machine, before it begins: ``estimate`` its time, ``memory_needed`` its memory."""

from ptycho_nb.estimate.forecast import Estimate, estimate
from ptycho_nb.estimate.room import memory_needed

__all__ = ["Estimate", "estimate", "memory_needed"]
