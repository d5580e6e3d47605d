"""Put keys into the order in which the new release registers its modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from mm_ckpt_migrate.mapping.rules.ruleset import ModuleOrder

# The layer that a name lies in, and the place of its child there; None outside of any.
Place: TypeAlias = tuple[tuple[str, ...], int] | None


def reorder(names: Iterable[str], orders: Sequence[ModuleOrder]) -> tuple[str, ...]:
    """Sort new keys, or new module paths, that stand in the order of the old modules."""
    ordered = tuple(names)
    # The outermost first: what it brings together, those inside can sort as a whole.
    for order in sorted(orders, key=_depth):
        ordered = tuple(_reordered(ordered, order))
    return ordered


def _depth(order: ModuleOrder) -> int:
    return len(order.layers.segments) if order.layers else 0


def _reordered(names: Iterable[str], order: ModuleOrder) -> Iterator[str]:
    placed = [(_place(tuple(name.split(".")), order), name) for name in names]
    for layer, group in groupby(placed, key=lambda entry: entry[0] and entry[0][0]):
        entries = list(group)
        if layer is not None:
            entries.sort(key=lambda entry: entry[0][1] if entry[0] else 0)
        yield from (name for _, name in entries)


def _place(parts: tuple[str, ...], order: ModuleOrder) -> Place:
    depth = _depth(order)
    if len(parts) < depth or (order.layers and order.layers.match(parts[:depth]) is None):
        return None
    child = parts[depth] if len(parts) > depth else ""
    rank = order.children.index(child) if child in order.children else -1
    return parts[:depth], rank
