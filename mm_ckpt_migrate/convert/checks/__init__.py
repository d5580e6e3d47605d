"""The rungs of the ladder that run no model: integrity, keys, roles, training."""
