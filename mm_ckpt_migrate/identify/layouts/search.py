"""Compare a state dict with the modules of the table.

A module that many layouts share is compared once, so that all of them take milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from mm_ckpt_migrate.identify.layouts.table import Table

Shape: TypeAlias = "tuple[int, ...]"


@dataclass(slots=True)
class Branch:
    """What is below a segment of the names of a state dict."""

    tensors: dict[str, Shape] = field(default_factory=dict)
    children: dict[str, Branch] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.tensors or name in self.children


def grow(tensors: Iterable[tuple[str, Shape]]) -> Branch:
    """The tree of a state dict's names."""
    root = Branch()
    for name, shape in tensors:
        *path, last = name.split(".")
        branch = root
        for segment in path:
            branch = branch.children.setdefault(segment, Branch())
        branch.tensors[last] = shape
    return root


class Search:
    """Remembers what was compared; trees must outlive it, so that branches keep their `id`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[tuple[int, int], tuple[int, int]] = {}
        self._sizes: dict[int, int] = {}

    def size(self, child: int) -> int:
        """How many keys are below a child of a module."""
        if child < 0:
            return 1
        if child not in self._sizes:
            self._sizes[child] = sum(map(self.size, self._table.modules[child].values()))
        return self._sizes[child]

    def compare(self, module: int, branch: Branch) -> tuple[int, int]:
        """How many keys a module and a branch share by name, and by name and shape."""
        place = module, id(branch)
        found = self._known.get(place)
        if found is None:
            found = self._known[place] = self._compare(module, branch)
        return found

    def _compare(self, module: int, branch: Branch) -> tuple[int, int]:
        named = equal = 0
        for name, child in self._table.modules[module].items():
            if child < 0:
                if name in branch.tensors:
                    named += 1
                    equal += branch.tensors[name] == self._table.kinds[~child].shape
            elif name in branch.children:
                below = self.compare(child, branch.children[name])
                named += below[0]
                equal += below[1]
        return named, equal
