"""Read a pickle stream into inert nodes.

The stream is a program for a stack machine; this machine runs only the opcodes that torch's
pickler writes, and where CPython's would import or call, it makes a node. Whatever a genuine
file never does is refused rather than guessed at: memo numbers out of order, changes to an
object that was already used, bytes after the end.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.pickles import opcodes as op
from mm_ckpt_migrate.pickles.errors import PickleCutShortError, PickleError, PickleLimitError
from mm_ckpt_migrate.pickles.nodes import (
    Call,
    Change,
    Dict,
    Global,
    List,
    Mutable,
    Node,
    Persistent,
    Scalar,
    Text,
    Tuple,
)

# A 160,000-iteration training file of mmengine holds about 100 MB of logged losses as strings of
# 2 MB each, so these limits are wider than what weights alone would need.
MAX_PICKLE_BYTES: Final = 256 << 20
MAX_STRING_BYTES: Final = 64 << 20
MAX_OPCODES: Final = 5_000_000
MAX_DEPTH: Final = 200
MAX_NAME_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Parsed:
    """A stream's object, and the offset just behind its STOP."""

    root: Node
    end: int


def parse(data: bytes, start: int = 0) -> Parsed:
    """Read one stream.

    Raises:
        PickleError: the stream is malformed, truncated, or uses an opcode outside the allow-list.
        PickleLimitError: it exceeds a budget.
    """
    if len(data) > MAX_PICKLE_BYTES:
        raise PickleLimitError(0, f"the pickle is larger than {MAX_PICKLE_BYTES >> 20} MiB")
    return _Machine(data, start).run()


def parse_whole(data: bytes) -> Node:
    """Read a stream that must fill `data`; raises as `parse` does."""
    parsed = parse(data)
    if parsed.end != len(data):
        raise PickleError(parsed.end, "there are bytes after the pickle's end")
    return parsed.root


class _Mark:
    """What MARK leaves on the stack."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What a memo GET leaves on the stack: an object made earlier, which must not change now."""

    node: Node


_MARK: Final = _Mark()


class _Machine:
    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.start = self.position = start
        self.stack: list[Node | _Mark | _Shared] = []
        self.memo: list[Node] = []
        self.states: set[int] = set()

    def run(self) -> Parsed:
        self._expect_protocol_2()
        count, data, size, stop = 0, self.data, len(self.data), op.STOP[0]
        try:
            # One opcode is a few microseconds, and there are fifty thousand of them in a file.
            while self.position < size and (opcode := data[self.position]) != stop:
                self.position += 1
                count += 1
                if count > MAX_OPCODES:
                    raise self._limit(f"more than {MAX_OPCODES} opcodes")
                handler = _TABLE[opcode]
                if handler is None:
                    shown = bytes((opcode,))
                    raise self._error(f"opcode {shown!r} is not one that torch.save writes")
                handler(self)
            self._take(1)
            root = self._pop()
        except IndexError:
            raise self._error("the stack is empty or a memo number is unknown") from None
        if self.stack:
            raise self._error("objects are left on the stack")
        return Parsed(root, self.position)

    def _expect_protocol_2(self) -> None:
        if self._take(1) != op.PROTO:
            raise self._error("not a pickle of protocol 2")
        protocol = self._take(1)[0]
        if protocol != 2:
            raise self._error(f"pickle protocol {protocol}; torch.save writes protocol 2")

    def _error(self, reason: str) -> PickleError:
        return PickleError(self.position - self.start, reason)

    def _limit(self, reason: str) -> PickleLimitError:
        return PickleLimitError(self.position - self.start, reason)

    def _take(self, size: int) -> bytes:
        taken = self.data[self.position : self.position + size]
        if len(taken) != size:
            raise PickleCutShortError(self.position - self.start, "the pickle is cut short")
        self.position += size
        return taken

    def _uint(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + MAX_NAME_BYTES)
        if end < 0:
            if len(self.data) - self.position < MAX_NAME_BYTES:
                self._take(MAX_NAME_BYTES)
            raise self._error("a global's name has no end")
        line = self.data[self.position : end]
        self.position = end + 1
        try:
            return line.decode("ascii")
        except UnicodeDecodeError:
            raise self._error("a global's name is not ASCII") from None

    def _pop(self) -> Node:
        return self._object(self.stack.pop())

    def _pop_to_mark(self) -> list[Node]:
        nodes: list[Node] = []
        while not isinstance(slot := self.stack.pop(), _Mark):
            nodes.append(self._object(slot))
        return nodes[::-1]

    def _object(self, slot: Node | _Mark | _Shared) -> Node:
        if isinstance(slot, _Mark):
            raise self._error("a mark lies where an object must be")
        return slot.node if isinstance(slot, _Shared) else slot

    def _push(self, node: Node, below: list[Node]) -> None:
        self._deepen(node, below)
        self.stack.append(node)

    def _deepen(self, node: Node, below: list[Node]) -> None:
        depth = node.depth
        for child in below:
            if child.depth >= depth:
                depth = child.depth + 1
        if depth > MAX_DEPTH:
            raise self._limit(f"objects nest deeper than {MAX_DEPTH} levels")
        node.depth = depth

    def mark(self) -> None:
        self.stack.append(_MARK)

    def literal(self, value: bool | None, raw: bytes) -> None:
        self.stack.append(Scalar(value, raw))

    def integer(self, opcode: bytes, size: int, signed: bool) -> None:
        raw = self._take(size)
        self.stack.append(Scalar(int.from_bytes(raw, "little", signed=signed), opcode + raw))

    def long(self, opcode: bytes, prefix: int) -> None:
        length = self._take(prefix)
        size = int.from_bytes(length, "little")
        if size > MAX_NAME_BYTES:
            raise self._limit("an integer is longer than any that torch writes")
        raw = self._take(size)
        self.stack.append(Scalar(int.from_bytes(raw, "little", signed=True), opcode + length + raw))

    def binfloat(self) -> None:
        raw = self._take(8)
        self.stack.append(Scalar(struct.unpack(">d", raw)[0], op.BINFLOAT + raw))

    def text(self) -> None:
        size = self._uint(4)
        if size > MAX_STRING_BYTES:
            raise self._limit(f"a string is longer than {MAX_STRING_BYTES >> 20} MiB")
        try:
            value = self._take(size).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self._error("a string is not UTF-8") from None
        self.stack.append(Text(value))

    def global_(self) -> None:
        module, name = self._line(), self._line()
        if not all(part.isidentifier() for part in f"{module}.{name}".split(".")):
            raise self._error(f"a global's name is malformed: {module!r} {name!r}")
        self.stack.append(Global(module, name))

    def tuple_(self, size: int) -> None:
        items = [self._pop() for _ in range(size)][::-1]
        self._push(Tuple(items), items)

    def marked_tuple(self) -> None:
        items = self._pop_to_mark()
        self._push(Tuple(items), items)

    def call(self, opcode: bytes) -> None:
        args, callee = self._pop(), self._pop()
        if not isinstance(callee, Global) or not isinstance(args, Tuple):
            raise self._error("something other than a named class or function is called")
        self._push(Call(callee, args, opcode), [callee, args])

    def persistent(self) -> None:
        pid = self._pop()
        self._push(Persistent(pid), [pid])

    def change(self, opcode: bytes, operands: list[Node]) -> None:
        target = self.stack.pop()
        if not isinstance(target, Mutable):
            raise self._error("an object is changed that was not made just before")
        if target.changes and target.changes[-1].opcode == op.BUILD:
            raise self._error("an object is changed after its BUILD, which pickle writes last")
        if id(target) in self.states:
            raise self._error("a dict is changed after an object's attributes were taken from it")
        if not _CHANGES[opcode](target) or (opcode in _ITEMS and len(operands) % 2):
            raise self._error(f"opcode {opcode!r} does not fit the object it changes")
        target.changes.append(Change(opcode, operands))
        if opcode == op.BUILD:
            self.states.add(id(operands[0]))
        self._push(target, operands)

    def put(self, size: int) -> None:
        number = self._uint(size)
        top = self.stack[-1]
        if number != len(self.memo) or not isinstance(top, Node) or top.memoized:
            raise self._error("memo numbers are not in the order in which torch.save writes them")
        top.memoized = True
        self.memo.append(top)

    def get(self, size: int) -> None:
        node = self.memo[self._uint(size)]
        self.stack.append(_Shared(node) if isinstance(node, Mutable) else node)


_ITEMS: Final = (op.SETITEM, op.SETITEMS)

_CHANGES: Final[dict[bytes, Callable[[Mutable], bool]]] = {
    op.APPEND: lambda target: not isinstance(target, Dict),
    op.APPENDS: lambda target: not isinstance(target, Dict),
    op.SETITEM: lambda target: not isinstance(target, List),
    op.SETITEMS: lambda target: not isinstance(target, List),
    op.BUILD: lambda target: isinstance(target, Call),
}

_HANDLERS: Final[dict[bytes, Callable[[_Machine], None]]] = {
    op.MARK: _Machine.mark,
    op.NONE: lambda m: m.literal(None, op.NONE),
    op.NEWTRUE: lambda m: m.literal(True, op.NEWTRUE),
    op.NEWFALSE: lambda m: m.literal(False, op.NEWFALSE),
    op.BININT: lambda m: m.integer(op.BININT, 4, signed=True),
    op.BININT1: lambda m: m.integer(op.BININT1, 1, signed=False),
    op.BININT2: lambda m: m.integer(op.BININT2, 2, signed=False),
    op.LONG1: lambda m: m.long(op.LONG1, 1),
    op.LONG4: lambda m: m.long(op.LONG4, 4),
    op.BINFLOAT: _Machine.binfloat,
    op.BINUNICODE: _Machine.text,
    op.GLOBAL: _Machine.global_,
    op.EMPTY_TUPLE: lambda m: m.tuple_(0),
    op.TUPLE1: lambda m: m.tuple_(1),
    op.TUPLE2: lambda m: m.tuple_(2),
    op.TUPLE3: lambda m: m.tuple_(3),
    op.TUPLE: _Machine.marked_tuple,
    op.EMPTY_LIST: lambda m: m.stack.append(List()),
    op.EMPTY_DICT: lambda m: m.stack.append(Dict()),
    op.APPEND: lambda m: m.change(op.APPEND, [m._pop()]),
    op.APPENDS: lambda m: m.change(op.APPENDS, m._pop_to_mark()),
    op.SETITEM: lambda m: m.change(op.SETITEM, [m._pop(), m._pop()][::-1]),
    op.SETITEMS: lambda m: m.change(op.SETITEMS, m._pop_to_mark()),
    op.BUILD: lambda m: m.change(op.BUILD, [m._pop()]),
    op.REDUCE: lambda m: m.call(op.REDUCE),
    op.NEWOBJ: lambda m: m.call(op.NEWOBJ),
    op.BINPERSID: _Machine.persistent,
    op.BINPUT: lambda m: m.put(1),
    op.LONG_BINPUT: lambda m: m.put(4),
    op.BINGET: lambda m: m.get(1),
    op.LONG_BINGET: lambda m: m.get(4),
}

_TABLE: Final = [_HANDLERS.get(bytes((opcode,))) for opcode in range(256)]
