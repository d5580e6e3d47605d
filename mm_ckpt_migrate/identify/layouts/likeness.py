"""How like a layout's outline that of a state dict is, part by part."""

from __future__ import annotations

from collections import Counter

from mm_ckpt_migrate.identify.layouts.outline import outline
from mm_ckpt_migrate.identify.layouts.search import Branch, Search, grow
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.schema import Schema


class Outlines:
    """A state dict's outline, to be compared with those of the layouts."""

    def __init__(self, schema: Schema, table: Table) -> None:
        names = outline(schema.names)
        self._tree = grow((name, ()) for name in names)
        self._sizes = Counter(name.partition(".")[0] for name in names)
        self._table = table
        self._search = Search(table)
        self._known: dict[tuple[str, int], float] = {}

    def likeness(self, layout: int) -> float:
        """Of the names in either outline, the share in both, as the mean of all parts.

        So backbone and head count alike; the names of a large backbone would outweigh any head.
        """
        parts = self._table.modules[self._table.outlines[layout]]
        shares = [self._share(name, child) for name, child in parts.items()]
        return sum(shares) / len(parts.keys() | self._sizes.keys())

    def _share(self, name: str, child: int) -> float:
        """Of the names in a part of either, the share in both."""
        if name not in self._sizes:
            return 0.0
        place = name, child
        if place not in self._known:
            common = self._common(name, child)
            either = self._search.size(child) + self._sizes[name] - common
            self._known[place] = common / either
        return self._known[place]

    def _common(self, name: str, child: int) -> int:
        if child < 0:
            return int(name in self._tree.tensors)
        return self._search.compare(child, self._tree.children.get(name, Branch()))[0]
