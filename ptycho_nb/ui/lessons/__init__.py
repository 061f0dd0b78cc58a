"""Panels to think with, for any notebook: an experiment, the forward model, ambiguities, failures, two methods side by side."""
