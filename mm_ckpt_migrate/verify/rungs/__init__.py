"""The rungs of the ladder: those that run no model, forward and resume, and the metric."""
