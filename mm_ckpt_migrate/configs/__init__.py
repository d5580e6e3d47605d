"""Configs: read without running them, found by name, compared and rewritten."""
