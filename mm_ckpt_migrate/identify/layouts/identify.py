"""Which model a state dict is of: the shipped config with its layout, or with the nearest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from mm_ckpt_migrate.identify.layouts.difference import Difference, difference
from mm_ckpt_migrate.identify.layouts.overlap import Overlap, equal_layouts, overlaps
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.schema import Schema

# What models of one family share of their outlines, and models of two families do not.
_NEAR: Final = 0.6
_TRIES: Final = 40

# How well a config names a model, best first; then its release and the config.
_Rank: TypeAlias = "tuple[tuple[int, int, int, int, str], str, str]"


@dataclass(frozen=True, slots=True)
class Identity:
    """The layout that a state dict has, or that is nearest to it.

    Attributes:
        layout: its number in the table.
        exact: whether names and shapes are the same.
        difference: what the state dict has otherwise; nothing where the layout is exact.
        release, config: what to call it, of all that build this layout.
        configs: all of them, by release.
    """

    layout: int
    exact: bool
    difference: Difference
    release: str
    config: str
    configs: Mapping[str, tuple[str, ...]]


def identify(
    schema: Schema, table: Table, names: Sequence[str] = (), akin: Callable[[int], bool] = lambda layout: True
) -> Identity | None:
    """The layout of a state dict; None where no layout is near.

    Args:
        names: what may begin with the name of its config, such as the name of its file.
        akin: whether a layout may be meant.
    """
    if not schema.tensors:
        return None
    equal = [layout for layout in _equal(schema, table) if akin(layout)]
    best = equal or _nearest(schema, table, akin)
    if not best:
        return None
    (_, release, config), layout = min((_rank(number, table, names), number) for number in best)
    return Identity(
        layout=layout,
        exact=bool(equal),
        difference=difference(schema, table.schema(layout)),
        release=release,
        config=config,
        configs=table.configs(layout),
    )


def _equal(schema: Schema, table: Table) -> list[int]:
    """The layouts that it has; where there are several, those with the same ties."""
    found = equal_layouts(schema, table)
    return [n for n in found if _ties(schema.ties) == _ties(table.ties[n])] or found


def _nearest(schema: Schema, table: Table, akin: Callable[[int], bool]) -> list[int]:
    """Those that are equally near, of all that may be meant."""
    near = [o for o in overlaps(schema, table) if o.likeness >= _NEAR or o.whole]
    near.sort(key=_nearness, reverse=True)
    best = next((overlap for overlap in near[:_TRIES] if akin(overlap.layout)), None)
    as_near = [o for o in near if best and _nearness(o) == _nearness(best)]
    found = [overlap.layout for overlap in as_near if akin(overlap.layout)]
    return [n for n in found if bool(schema.ties) == bool(table.ties[n])] or found


def _nearness(overlap: Overlap) -> tuple[bool, float, float]:
    return overlap.whole, overlap.likeness, overlap.share


def _ties(groups: Iterable[Sequence[str]]) -> set[frozenset[str]]:
    return set(map(frozenset, groups))


def _rank(layout: int, table: Table, names: Sequence[str]) -> _Rank:
    """The best name: a given one, of the newest release, in the fullest folder, the shortest."""
    newest = {release: -number for number, release in enumerate(table.releases)}
    ranks = []
    for release, configs in table.configs(layout).items():
        folders = Counter(config.partition("/")[0] for config in configs)
        for config in configs:
            place = newest[release], -folders[config.partition("/")[0]]
            rank = -_hint(config, names), *place, len(config), config
            ranks.append((rank, release, config))
    return min(ranks)


def _hint(config: str, names: Sequence[str]) -> int:
    """How long the config's name is, where one of the names begins with it."""
    stem = PurePosixPath(config).stem
    return len(stem) if any(name.startswith(stem) for name in names) else 0
