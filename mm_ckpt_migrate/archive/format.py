"""The containers of checkpoints."""

from __future__ import annotations

from enum import Enum


class Format(str, Enum):
    """The containers that this tool reads."""

    ZIP = "zip"
    LEGACY = "legacy"
    SAFETENSORS = "safetensors"
