"""Whom to tell about bytes that were copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int], None]


def no_progress(size: int) -> None:
    """Tell nobody."""
