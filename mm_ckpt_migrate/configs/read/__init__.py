"""Configs read without running them: found by name or path, with all that they inherit from."""
