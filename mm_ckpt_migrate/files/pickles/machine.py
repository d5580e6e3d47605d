"""The stack machine that makes inert nodes of a pickle stream's opcodes.

Where CPython's would import or call, it makes a node. Whatever a genuine file never does is refused
rather than guessed at: memo numbers out of order, or changes to an object that was already used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.files.pickles import limits
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import (
    SHAREABLE,
    Call,
    Change,
    Dict,
    Global,
    List,
    Mutable,
    Node,
    Parent,
    Persistent,
    Tuple,
)
from mm_ckpt_migrate.files.pickles.values import UINT32, Values

_ITEMS: Final = (op.SETITEM, op.SETITEMS)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Nodes of a stream by their kind, each once, in the order in which the stream makes them.

    Attributes:
        keyed: whatever was given entries under keys.
    """

    names: list[Global]
    calls: list[Call]
    persistents: list[Persistent]
    keyed: list[Mutable]


class _Shared(Node):
    """What a memo GET leaves on the stack: an object made earlier, which must not change now."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node


class Machine(Values):
    """The machine. A handler is given the offset behind its opcode, and gives the next."""

    def __init__(self, data: bytes, start: int) -> None:
        super().__init__(data, start)
        self.below_marks: list[list[Node]] = []
        self.memo: list[Node] = []
        self.states: set[int] = set()
        self.shared = 0
        self.made = Inventory(self.names, [], [], [])

    def _pop(self) -> Node:
        node = self.stack.pop()
        if self.shared and isinstance(node, _Shared):
            self.shared -= 1
            return node.node
        return node

    def _pop_to_mark(self) -> list[Node]:
        nodes = self._unwrapped(self.stack)
        self.stack = self.below_marks.pop()
        return nodes

    def result(self, at: int) -> Node:
        """What is left at the end."""
        if len(self.stack) != 1 or self.below_marks:
            raise self.error(at, "not one object is left on the stack")
        return self._unwrapped(self.stack)[0]

    def _unwrapped(self, nodes: list[Node]) -> list[Node]:
        if not self.shared:
            return nodes
        self.shared -= sum(isinstance(node, _Shared) for node in nodes)
        return [node.node if isinstance(node, _Shared) else node for node in nodes]

    def _grow(self, at: int, node: Parent, below: list[Node]) -> None:
        """Let a node have some more below it."""
        depth, size = node.depth, node.size
        for child in below:
            if child is not node:
                size += child.size
            if child.depth >= depth:
                depth = child.depth + 1
        if depth > limits.MAX_DEPTH:
            raise self.limit(at, f"objects nest deeper than {limits.MAX_DEPTH} levels")
        if size > limits.FREE_MEETINGS and size > limits.FREE_MEETINGS + limits.MEETINGS_PER_BYTE * (
            at - self.start
        ):
            raise self.limit(at, "objects are shared so often that to meet each takes too long")
        node.depth, node.size = depth, size

    def mark(self, at: int) -> int:
        self.below_marks.append(self.stack)
        self.stack = []
        return at

    def tuple1(self, at: int) -> int:
        return self.push_tuple(at, [self._pop()])

    def tuple_(self, at: int, size: int) -> int:
        return self.push_tuple(at, [self._pop() for _ in range(size)][::-1])

    def marked_tuple(self, at: int) -> int:
        return self.push_tuple(at, self._pop_to_mark())

    def push_tuple(self, at: int, items: list[Node]) -> int:
        made = Tuple(items)
        self._grow(at, made, items)
        self.stack.append(made)
        return at

    def list_(self, at: int) -> int:
        self.stack.append(List())
        return at

    def dict_(self, at: int) -> int:
        self.stack.append(Dict())
        return at

    def call(self, at: int) -> int:
        args, callee = self._pop(), self._pop()
        if not isinstance(callee, Global) or not isinstance(args, Tuple):
            raise self.error(at, "something other than a named class or function is called")
        made = Call(callee, args, self.data[at - 1 : at])
        self._grow(at, made, [callee, args])
        self.made.calls.append(made)
        self.stack.append(made)
        return at

    def persistent(self, at: int) -> int:
        pid = self._pop()
        made = Persistent(pid)
        self._grow(at, made, [pid])
        self.made.persistents.append(made)
        self.stack.append(made)
        return at

    def item(self, at: int) -> int:
        return self._set(at, [self._pop(), self._pop()][::-1])

    def items(self, at: int) -> int:
        return self._set(at, self._pop_to_mark())

    def _set(self, at: int, operands: list[Node]) -> int:
        target = self._target(at)
        if isinstance(target, List) or len(operands) % 2:
            raise self._unfit(at)
        if all(change.opcode not in _ITEMS for change in target.changes):
            self.made.keyed.append(target)
        return self._change(at, target, operands)

    def append(self, at: int) -> int:
        return self._append(at, [self._pop()])

    def appends(self, at: int) -> int:
        return self._append(at, self._pop_to_mark())

    def _append(self, at: int, operands: list[Node]) -> int:
        target = self._target(at)
        if isinstance(target, Dict):
            raise self._unfit(at)
        return self._change(at, target, operands)

    def build(self, at: int) -> int:
        state = self._pop()
        target = self._target(at)
        if not isinstance(target, Call):
            raise self._unfit(at)
        self.states.add(id(state))
        return self._change(at, target, [state])

    def _target(self, at: int) -> Mutable:
        """What is on top of the stack, which must be such that it may change."""
        target = self.stack[-1]
        if not isinstance(target, Mutable):
            raise self.error(at, "an object is changed that was not made just before")
        if target.changes and target.changes[-1].opcode == op.BUILD:
            raise self.error(at, "an object is changed after its BUILD, which pickle writes last")
        if self.states and id(target) in self.states:
            raise self.error(at, "a dict is changed after an object's attributes were taken from it")
        return target

    def _unfit(self, at: int) -> PickleError:
        return self.error(at, f"opcode {self.data[at - 1 : at]!r} does not fit the object it changes")

    def _change(self, at: int, target: Mutable, operands: list[Node]) -> int:
        target.changes.append(Change(self.data[at - 1 : at], operands))
        self._grow(at, target, operands)
        return at

    def put1(self, at: int) -> int:
        self._put(at, self.data[at])
        return at + 1

    def put4(self, at: int) -> int:
        self._put(at, UINT32(self.data, at)[0])
        return at + 4

    def _put(self, at: int, number: int) -> None:
        top = self.stack[-1]
        if number != len(self.memo) or not isinstance(top, SHAREABLE) or top.memoized:
            raise self.error(at, "memo numbers are not in the order in which torch.save writes them")
        top.memoized = True
        self.memo.append(top)

    def get1(self, at: int) -> int:
        self._get(self.memo[self.data[at]])
        return at + 1

    def get4(self, at: int) -> int:
        self._get(self.memo[UINT32(self.data, at)[0]])
        return at + 4

    def _get(self, node: Node) -> None:
        if isinstance(node, Mutable):
            self.shared += 1
            node = _Shared(node)
        self.stack.append(node)

    def unknown(self, at: int) -> int:
        opcode = self.data[at - 1 : at]
        raise self.error(at - 1, f"opcode {opcode!r} is not one that torch.save writes")
