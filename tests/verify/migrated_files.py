"""What the tests here verify."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from golden_cases import Case


@dataclass(frozen=True, slots=True)
class Migrated:
    """A genuine old file, and what the tool made of it."""

    case: Case
    new: Path
