"""The places in a pickled object where something can be changed, with their paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import text_value
from mm_ckpt_migrate.files.pickles.nodes import Call, Change, List, Mutable, Node, Persistent, Tuple
from mm_ckpt_migrate.names import STAMP_KEY

_PAIRS: Final = (op.SETITEM, op.SETITEMS)
# Their entries are worth as much as whole sections.
_OPENED: Final = ("meta", "message_hub", "optimizer")


@dataclass(frozen=True, slots=True)
class Slot:
    """One place.

    Attributes:
        holder, index: the list of nodes that it is in, and where.
        path: names from the root on.
        paired: whether it is the value of a dict's entry, whose key lies before it.
        grows: whether the holder's elements may be fewer or more.
    """

    holder: list[Node]
    index: int
    path: tuple[str, ...]
    paired: bool
    grows: bool

    @property
    def node(self) -> Node:
        return self.holder[self.index]

    def put(self, node: Node) -> None:
        self.holder[self.index] = node

    @property
    def part(self) -> str:
        """What part of the file it belongs to."""
        if "_metadata" in self.path:
            return "_metadata"
        if STAMP_KEY in self.path:
            return f"stamp: {self.path[2]}" if len(self.path) > 2 else "stamp"
        depth = 2 if self.path[0] in _OPENED else 1
        return ".".join(self.path[:depth])

    def __str__(self) -> str:
        return ".".join(self.path)


def slots(root: Node) -> list[Slot]:
    """Every place that holds a value, once."""
    found: list[Slot] = []
    seen: set[int] = set()
    todo: list[tuple[Node, tuple[str, ...]]] = [(root, ())]
    while todo:
        node, path = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for slot in _below(node, path):
            found.append(slot)
            todo.append((slot.node, slot.path))
        if isinstance(node, Call):
            todo += ((node.args, path), (node.callee, path))
        if isinstance(node, Persistent):
            todo.append((node.pid, path))
    return [slot for slot in found if slot.path]


def _below(node: Node, path: tuple[str, ...]) -> Iterator[Slot]:
    if isinstance(node, Tuple):
        for number in range(len(node.items)):
            yield Slot(node.items, number, (*path, str(number)), paired=False, grows=True)
    elif isinstance(node, Mutable):
        for change in node.changes:
            yield from _changed(change, path, isinstance(node, List))


def _changed(change: Change, path: tuple[str, ...], is_list: bool) -> Iterator[Slot]:
    held = change.operands
    if change.opcode not in _PAIRS:
        for number in range(len(held)):
            below = (*path, str(number)) if is_list else path
            yield Slot(held, number, below, paired=False, grows=is_list and len(held) > 1)
        return
    for number in range(1, len(held), 2):
        name = text_value(held[number - 1]) or str(getattr(held[number - 1], "value", "?"))
        yield Slot(held, number, (*path, name), paired=True, grows=len(held) > 2)
