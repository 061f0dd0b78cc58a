"""The iterative fit of object, probe and positions to the photons of one scan.

``refine`` is the way in; ``fit`` is the engine, ``course`` its passes and step sizes,
``start`` what it begins with.
"""

from ptycho_nb.refinement.course import Passes, passes
from ptycho_nb.refinement.run import refine

__all__ = ["Passes", "passes", "refine"]
