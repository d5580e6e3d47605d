"""Child only: build a model of the current release, and load files into it."""
