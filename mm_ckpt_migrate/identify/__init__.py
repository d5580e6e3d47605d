"""Which model a file is of, and what leads to the current release."""
