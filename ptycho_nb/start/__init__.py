"""A start for the iterative fit that knows the slow changes of the object.

``warm_start`` is the way in, ``first_picture`` the start and a short fit; ``tilts`` is what the patterns tell
without a Fourier transform of the object, ``mend`` what follows from it.
"""

from ptycho_nb.start.warm import WarmStart, first_picture, warm_start

__all__ = ["WarmStart", "first_picture", "warm_start"]
