"""Migrate old OpenMMLab checkpoints to the current release, with proof."""

__version__ = "0.1.0"
