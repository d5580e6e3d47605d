"""The node types that a pickle stream of protocol 2 is read into.

A node says what the stream would do, not what it would give: a `Global` is two strings and a
`Call` is never made. Nodes are compared by identity, because pickle shares objects by identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True, eq=False)
class Node:
    """Anything on the stack.

    Attributes:
        depth: height of the tree below this node; the parser bounds it.
        memoized: whether the stream gives the object a memo number, so that it can be shared.
    """

    depth: int = field(default=1, init=False)
    memoized: bool = field(default=False, init=False)


@dataclass(slots=True, eq=False)
class Text(Node):
    """A str."""

    value: str


@dataclass(slots=True, eq=False)
class Scalar(Node):
    """None, a bool, an int or a float, with the opcode and argument that spelled it."""

    value: bool | int | float | None
    raw: bytes


@dataclass(slots=True, eq=False)
class Global(Node):
    """The name of a class or function. It is never looked up."""

    module: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Tuple(Node):
    items: list[Node]


@dataclass(slots=True, eq=False)
class Persistent(Node):
    """A persistent id: in torch's files, a reference to a storage."""

    pid: Node


@dataclass(slots=True, eq=False)
class Change:
    """What the stream does to a fresh object: APPEND(S), SETITEM(S) or BUILD, with operands."""

    opcode: bytes
    operands: list[Node]


@dataclass(slots=True, eq=False)
class Mutable(Node):
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


Scalars: TypeAlias = bool | int | float | None


_LEAVES = (Text, Scalar, Global)


def children(node: Node) -> list[Node]:
    """The nodes directly below, in the order in which the stream meets them."""
    if isinstance(node, Tuple):
        return node.items
    if isinstance(node, Persistent):
        return [node.pid]
    below: list[Node] = []
    if isinstance(node, Call):
        below += (node.callee, node.args)
    if isinstance(node, Mutable):
        for change in node.changes:
            below += change.operands
    return below


def walk(root: Node) -> list[Node]:
    """Every node reachable from root, once each, in first-visit order."""
    seen: set[int] = set()
    order: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        order.append(node)
        if not isinstance(node, _LEAVES):
            stack.extend(reversed(children(node)))
    return order
