"""Put keys into the order in which the new release registers its modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeAlias

from mm_ckpt_migrate.ruleset.model import ModuleOrder

# The layer that a name lies in, and the place of its child there; None outside of any.
Place: TypeAlias = tuple[tuple[str, ...], int] | None


def reorder(names: Iterable[str], orders: Sequence[ModuleOrder]) -> tuple[str, ...]:
    """Sort new keys, or new module paths, that stand in the order of the old modules."""
    placed = [(_place(tuple(name.split(".")), orders), name) for name in names]
    ordered: list[str] = []
    for layer, group in groupby(placed, key=lambda entry: entry[0] and entry[0][0]):
        entries = list(group)
        if layer is not None:
            entries.sort(key=lambda entry: entry[0][1] if entry[0] else 0)
        ordered += (name for _, name in entries)
    return tuple(ordered)


def _place(parts: tuple[str, ...], orders: Sequence[ModuleOrder]) -> Place:
    for order in orders:
        depth = len(order.layers.segments)
        if len(parts) >= depth and order.layers.match(parts[:depth]) is not None:
            child = parts[depth] if len(parts) > depth else ""
            rank = order.children.index(child) if child in order.children else -1
            return parts[:depth], rank
    return None
