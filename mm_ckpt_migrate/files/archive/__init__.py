"""Containers of checkpoints, read strictly and written as images of literal and copied bytes."""
