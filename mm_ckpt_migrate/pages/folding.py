"""Renames as a person reads them: one line for all layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from mm_ckpt_migrate.names import fold
from mm_ckpt_migrate.pages.data import RenameLine


def fold_renames(table: Mapping[str, str | None]) -> tuple[RenameLine, ...]:
    """Folded lines for a plan's table, old name to new (None: dropped); names that stay are not in.

    A line break parts old from new: no name can hold one.
    """
    pairs = [f"{old}\n{new or ''}" for old, new in table.items() if old != new]
    # In the order of `fold`, which has one line for names that differ in their numbers alone.
    counts = Counter(re.sub(r"(?<![^.])\d+(?![^.])", "#", pair) for pair in pairs)
    lines = zip(fold(pairs), counts.values(), strict=True)
    return tuple(_line(text, count) for text, count in lines)


def _line(text: str, count: int) -> RenameLine:
    old, _, new = text.partition("\n")
    return RenameLine(old, new or None, count)
