"""Copies of what a stream holds, so that they can be edited while the original stays as it was read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mm_ckpt_migrate.files.pickles.nodes import (
    Call,
    Change,
    Dict,
    List,
    Mutable,
    Node,
    Parent,
    Persistent,
    Tuple,
    children,
)

N = TypeVar("N", bound=Node)


class Copies:
    """Copies of an object and of all below it; objects that are one in the original are one here.

    Leaves are shared with the original, as nobody edits them.

    Args:
        sealed: whether a node, with all that is below it, is never edited, and so is shared, too.

    Attributes:
        root: the copy of the object.
    """

    def __init__(self, root: Node, sealed: Callable[[Node], bool]) -> None:
        self._copies: dict[int, Node] = {}
        originals: list[Parent] = []
        todo = [root]
        while todo:
            node = todo.pop()
            if id(node) in self._copies or not isinstance(node, Parent) or sealed(node):
                continue
            self._copies[id(node)] = _empty(node)
            originals.append(node)
            todo += children(node)
        for node in originals:
            self._fill(node, self._copies[id(node)])
        self.root = self.of(root)

    def of(self, node: N) -> N:
        """What stands for a node among the copies."""
        return self._copies.get(id(node), node)  # type: ignore[return-value]

    def _fill(self, node: Node, made: Node) -> None:
        if isinstance(node, Tuple) and isinstance(made, Tuple):
            made.items = list(map(self.of, node.items))
        elif isinstance(node, Persistent) and isinstance(made, Persistent):
            made.pid = self.of(node.pid)
        elif isinstance(node, Mutable) and isinstance(made, Mutable):
            made.changes = [Change(c.opcode, list(map(self.of, c.operands))) for c in node.changes]
            if isinstance(made, Call):
                made.args = self.of(made.args)


def _empty(node: Parent) -> Parent:
    """A node of the same kind, with what is below it still to come."""
    made: Parent
    if isinstance(node, Tuple):
        made = Tuple(node.items)
    elif isinstance(node, Persistent):
        made = Persistent(node.pid)
    elif isinstance(node, Call):
        made = Call(node.callee, node.args, node.opcode)
    else:
        made = List() if isinstance(node, List) else Dict()
    made.depth, made.size, made.memoized = node.depth, node.size, node.memoized
    return made
