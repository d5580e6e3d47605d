"""Which layouts a state dict has, and how near the others are."""

from __future__ import annotations

from dataclasses import dataclass

from mm_ckpt_migrate.identify.layouts.likeness import Outlines
from mm_ckpt_migrate.identify.layouts.search import Branch, Search, grow
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.schema import Schema


@dataclass(frozen=True, slots=True)
class Overlap:
    """A layout and a state dict.

    Attributes:
        layout: its number.
        whole: whether the state dict is some parts of the layout, such as its backbone, entirely.
        likeness: of the outlines.
        share: of the keys in either, the share in both, where names and shapes count alike.
    """

    layout: int
    whole: bool
    likeness: float
    share: float


def equal_layouts(schema: Schema, table: Table) -> list[int]:
    """The layouts with exactly the names and shapes of a state dict."""
    tree, search, size = _tree(schema), Search(table), len(schema)
    sized = (number for number in range(len(table)) if table.sizes[number] == size)
    return [n for n in sized if search.compare(table.roots[n], tree) == (size, size)]


def overlaps(schema: Schema, table: Table) -> list[Overlap]:
    """A state dict that is not empty against every layout, in the table's order."""
    tree, search, outlines = _tree(schema), Search(table), Outlines(schema, table)
    size = len(schema)
    found = []
    for number, root in enumerate(table.roots):
        named, equal = search.compare(root, tree)
        parts = table.modules[root].items()
        same_parts = sum(search.size(child) for name, child in parts if name in tree)
        share = (named + equal) / (2 * (size + table.sizes[number] - named))
        whole = equal == size == same_parts
        found.append(Overlap(number, whole, outlines.likeness(number), share))
    return found


def _tree(schema: Schema) -> Branch:
    return grow((spec.name, spec.shape) for spec in schema.tensors)
