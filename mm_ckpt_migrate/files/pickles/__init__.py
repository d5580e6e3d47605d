"""Pickle streams as inert nodes, and back to bytes: nothing is imported, nothing is called."""
