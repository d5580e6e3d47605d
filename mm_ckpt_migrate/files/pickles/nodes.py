"""The node types that a pickle stream of protocol 2 is read into.

A node says what the stream would do, not what it would give: a `Global` is two strings and a
`Call` is never made. Nodes are compared by identity, because pickle shares objects by identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mm_ckpt_migrate.files.pickles import opcodes as op


class Node:
    """Anything on the stack.

    Attributes:
        depth: height of the tree below this node; the parser bounds it.
        size: how many nodes the tree has, counting what is shared each time; bounded, too.
        memoized: whether the stream gives the object a memo number, so that it can be shared.
    """

    __slots__ = ()
    # Of a leaf. There may be a million, so that they do without what all have alike.
    depth: int = 1
    size: int = 1
    memoized: bool = False


@dataclass(slots=True, eq=False)
class Text(Node):
    """A str."""

    value: str
    memoized: bool = field(default=False, init=False)


@dataclass(slots=True, eq=False)
class Scalar(Node):
    """None, a bool, an int or a float, with the opcode and argument that spelled it.

    One node may stand for all that are equal: pickle does not share them, and nobody edits them.
    """

    value: bool | int | float | None
    raw: bytes


@dataclass(slots=True, eq=False)
class Global(Node):
    """The name of a class or function. It is never looked up."""

    module: str
    name: str
    memoized: bool = field(default=False, init=False)

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Parent(Node):
    """A node that has others below it."""

    depth: int = field(default=1, init=False)
    size: int = field(default=1, init=False)
    memoized: bool = field(default=False, init=False)


@dataclass(slots=True, eq=False)
class Tuple(Parent):
    items: list[Node]


@dataclass(slots=True, eq=False)
class Persistent(Parent):
    """A persistent id: in torch's files, a reference to a storage.

    Attributes:
        meaning: what a reader of another room made of it, so that nobody has to look twice.
    """

    pid: Node
    meaning: object = field(default=None, init=False)


@dataclass(slots=True, eq=False)
class Change:
    """What the stream does to a fresh object: APPEND(S), SETITEM(S) or BUILD, with operands."""

    opcode: bytes
    operands: list[Node]


@dataclass(slots=True, eq=False)
class Mutable(Parent):
    """An object that the stream creates first and fills afterwards."""

    changes: list[Change] = field(default_factory=list, init=False)


@dataclass(slots=True, eq=False)
class List(Mutable):
    pass


@dataclass(slots=True, eq=False)
class Dict(Mutable):
    pass


@dataclass(slots=True, eq=False)
class Call(Mutable):
    """REDUCE (`callee(*args)`) or NEWOBJ (`callee.__new__(callee, *args)`), never made."""

    callee: Node
    args: Node
    opcode: bytes


NONE: Final = Scalar(None, op.NONE)
TRUE: Final = Scalar(True, op.NEWTRUE)
FALSE: Final = Scalar(False, op.NEWFALSE)
SMALL_INTEGERS: Final = [Scalar(value, op.BININT1 + bytes((value,))) for value in range(256)]

# What pickle gives a memo number.
SHAREABLE: Final = (Text, Global, Parent)

Scalars: TypeAlias = bool | int | float | None


def children(node: Node) -> list[Node]:
    """The nodes directly below, in the order in which the stream meets them."""
    if isinstance(node, Tuple):
        return node.items
    if isinstance(node, Mutable):
        below: list[Node] = [node.callee, node.args] if isinstance(node, Call) else []
        for change in node.changes:
            below += change.operands
        return below
    return [node.pid] if isinstance(node, Persistent) else []


def walk(root: Node, *, numbers: bool = True) -> list[Node]:
    """Every node reachable from root, in first-visit order: a shared one once, a number always.

    Args:
        numbers: among them those that are scalars, of which there may be a million.
    """
    seen: set[int] = set()
    order: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if type(node) is Scalar:
            if numbers:
                order.append(node)
            continue
        if node.memoized:
            # No other can be met a second time.
            if id(node) in seen:
                continue
            seen.add(id(node))
        order.append(node)
        if type(node) is Tuple:
            stack += node.items[::-1]
        elif isinstance(node, Parent):
            stack += children(node)[::-1]
    return order
