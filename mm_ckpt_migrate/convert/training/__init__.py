"""Optimizer state and learning rates, which are kept by the order of the parameters."""
