"""Propose a rule file for a model that no family covers, from the structure of both layouts."""
