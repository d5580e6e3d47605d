"""The names that the models of a release have, whatever model they are of."""

from __future__ import annotations

from collections.abc import Iterable

from mm_ckpt_migrate.identify.layouts.outline import outline
from mm_ckpt_migrate.identify.layouts.table import Table


class Vocabulary:
    """The outlines of all parts of all models of one release."""

    def __init__(self, table: Table, releases: Iterable[str]) -> None:
        layouts = {n for release in releases for n in table.releases[release].values()}
        self._table = table
        self._parts: dict[str, set[int]] = {}
        for layout in layouts:
            for part, child in table.modules[table.outlines[layout]].items():
                self._parts.setdefault(part, set()).add(child)
        self._all = set().union(*self._parts.values())

    def has(self, names: Iterable[str]) -> bool:
        """Whether each name is that of some model."""
        return all(
            any(self._holds(child, rest) for child in self._parts.get(part, ()))
            for part, rest in _split(names)
        )

    def has_below(self, names: Iterable[str]) -> bool:
        """Whether some model has such a part, and some part of some model what is in it."""
        return all(
            part in self._parts and any(self._holds(child, rest) for child in self._all)
            for part, rest in _split(names)
        )

    def _holds(self, child: int, path: list[str]) -> bool:
        for segment in path:
            below = self._table.modules[child].get(segment) if child >= 0 else None
            if below is None:
                return False
            child = below
        return child < 0


def current_vocabulary(table: Table) -> Vocabulary:
    """The names of the current releases."""
    return Vocabulary(table, filter(table.is_current, table.releases))


def _split(names: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
    for name in outline(names):
        part, *rest = name.split(".")
        yield part, rest
