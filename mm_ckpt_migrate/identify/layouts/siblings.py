"""The order in which the releases register what is in a module, read off all their models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from mm_ckpt_migrate.identify.layouts.table import Table, load_table


@dataclass(frozen=True, slots=True)
class Siblings:
    """What stands beside what in the modules of the releases.

    Attributes:
        ordered: two names that stand in this order in each module that has both.
        names: all names in `ordered`.
    """

    ordered: frozenset[tuple[str, str]]
    names: frozenset[str]


@cache
def known_siblings() -> Siblings:
    """Read them off all 820 layouts; of 2,446 pairs 13 stand in either order, and are left out.

    Elements of lists, whose names are numbers, are not among them.
    """
    table = load_table()
    met = {pair for module in _modules(table) for pair in combinations(_named(module), 2)}
    ordered = frozenset(pair for pair in met if pair[::-1] not in met)
    return Siblings(ordered, frozenset(name for pair in ordered for name in pair))


def _modules(table: Table) -> Iterator[Mapping[str, int]]:
    """The modules of the layouts, each once. Those of the outlines are sorted by name."""
    left, met = list(table.roots), set(table.roots)
    while left:
        module = table.modules[left.pop()]
        yield module
        below = {child for child in module.values() if child >= 0} - met
        met |= below
        left += below


def _named(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.isdecimal()]
