"""A first guess of an object, by a network that learned on simulated scans. ``initial_guess`` is the way in."""

from ptycho_nb.guess.guess import WIDTH, guess_from, initial_guess

__all__ = ["WIDTH", "guess_from", "initial_guess"]
