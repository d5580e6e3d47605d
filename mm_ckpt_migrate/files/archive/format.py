"""The containers of checkpoints."""

from __future__ import annotations

from enum import Enum
from pathlib import Path


class Format(str, Enum):
    """The containers that this tool reads."""

    ZIP = "zip"
    LEGACY = "legacy"
    SAFETENSORS = "safetensors"


def names_safetensors(path: Path) -> bool:
    """Whether a file's name says that it is a safetensors file, in capitals or not."""
    return path.suffix.lower() == ".safetensors"
