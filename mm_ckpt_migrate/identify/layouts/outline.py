"""The outline of a state dict: its names without numbers, so that depth makes no difference."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_NUMBER: Final = re.compile(r"(?<![^.])\d+(?![^.])")


def outline(names: Iterable[str]) -> set[str]:
    """Every name, with `#` in place of each number that is a whole segment."""
    return {outlined(name) for name in names}


def outlined(name: str) -> str:
    return _NUMBER.sub("#", name)
