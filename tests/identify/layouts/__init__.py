"""Layouts of real models; see README.md."""
