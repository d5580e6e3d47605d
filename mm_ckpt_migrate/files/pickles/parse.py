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

from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.errors import PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.nodes import (
    FALSE,
    NONE,
    SHAREABLE,
    SMALL_INTEGERS,
    TRUE,
    Call,
    Change,
    Dict,
    Global,
    List,
    Mutable,
    Node,
    Parent,
    Persistent,
    Scalar,
    Text,
    Tuple,
)
from mm_ckpt_migrate.files.pickles.stream import MAX_NAME_BYTES, Stream

# A 160,000-iteration training file of mmengine holds about 100 MB of logged losses as strings of
# 2 MB each, so these limits are wider than what weights alone would need.
MAX_PICKLE_BYTES: Final = 256 << 20
MAX_STRING_BYTES: Final = 64 << 20
MAX_OPCODES: Final = 10_000_000
MAX_DEPTH: Final = 200
# An opcode of one byte makes an object of two hundred, and costs as much time as any other. The
# largest genuine training (Swin-L, 529 MB) has 33,000 objects; the densest has one opcode for 3.9
# bytes and one object for 13.
FREE_OPCODES: Final = 100_000
BYTES_PER_OPCODE: Final = 3
FREE_OBJECTS: Final = 50_000
BYTES_PER_OBJECT: Final = 8
# Some passes meet a shared object at each of its places.
FREE_MEETINGS: Final = 500_000
MEETINGS_PER_BYTE: Final = 1


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


class _Shared(Node):
    """What a memo GET leaves on the stack: an object made earlier, which must not change now."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node


class _Machine(Stream):
    """The stack machine. A handler is given the offset behind its opcode, and gives the next."""

    def __init__(self, data: bytes, start: int) -> None:
        super().__init__(data, start)
        self.stack: list[Node] = []
        self.below_marks: list[list[Node]] = []
        self.memo: list[Node] = []
        self.states: set[int] = set()
        self.shared = 0

    def run(self) -> Parsed:
        at, data, size, stop = self.expect_protocol_2(), self.data, len(self.data), op.STOP[0]
        opcodes = objects = allowed = allowed_objects = 0
        try:
            # One opcode is a fraction of a microsecond, and there are fifty thousand in a file.
            while at < size and (opcode := data[at]) != stop:
                opcodes += 1
                objects += _MAKES[opcode]
                if opcodes > allowed or objects > allowed_objects:
                    allowed, allowed_objects = self._allowed(at, opcodes, objects)
                handler = _TABLE[opcode]
                if handler is None:
                    raise self.error(at, f"opcode {bytes((opcode,))!r} is not one that torch.save writes")
                at = handler(self, at + 1)
        except IndexError:
            if at + 1 < size:
                raise self.error(at, "the stack is empty or a memo number is unknown") from None
            at = size
        self.take(at, 1)
        if len(self.stack) != 1 or self.below_marks:
            raise self.error(at, "not one object is left on the stack")
        return Parsed(self._unwrapped(self.stack)[0], at + 1)

    def _allowed(self, at: int, opcodes: int, objects: int) -> tuple[int, int]:
        """How many opcodes and objects there may be up to here."""
        taken = at - self.start
        allowed = min(FREE_OPCODES + taken // BYTES_PER_OPCODE, MAX_OPCODES)
        allowed_objects = FREE_OBJECTS + taken // BYTES_PER_OBJECT
        if opcodes > allowed:
            raise self.limit(at, f"more than {allowed:,} opcodes in {taken:,} bytes")
        if objects > allowed_objects:
            raise self.limit(at, f"more than {allowed_objects:,} objects in {taken:,} bytes")
        return allowed, allowed_objects

    def _pop(self) -> Node:
        node = self.stack.pop()
        if isinstance(node, _Shared):
            self.shared -= 1
            return node.node
        return node

    def _pop_to_mark(self) -> list[Node]:
        nodes = self._unwrapped(self.stack)
        self.stack = self.below_marks.pop()
        return nodes

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
        if depth > MAX_DEPTH:
            raise self.limit(at, f"objects nest deeper than {MAX_DEPTH} levels")
        if size > FREE_MEETINGS + MEETINGS_PER_BYTE * (at - self.start):
            raise self.limit(at, "objects are shared so often that to meet each takes too long")
        node.depth, node.size = depth, size

    def mark(self, at: int) -> int:
        self.below_marks.append(self.stack)
        self.stack = []
        return at

    def constant(self, at: int, node: Scalar) -> int:
        self.stack.append(node)
        return at

    def small_integer(self, at: int) -> int:
        self.stack.append(SMALL_INTEGERS[self.data[at]])
        return at + 1

    def integer(self, at: int, opcode: bytes, size: int, signed: bool) -> int:
        raw = self.take(at, size)
        self.stack.append(Scalar(int.from_bytes(raw, "little", signed=signed), opcode + raw))
        return at + size

    def long(self, at: int, opcode: bytes, prefix: int) -> int:
        length = self.take(at, prefix)
        size = int.from_bytes(length, "little")
        if size > MAX_NAME_BYTES:
            raise self.limit(at, "an integer is longer than any that torch writes")
        raw = self.take(at + prefix, size)
        value = int.from_bytes(raw, "little", signed=True)
        self.stack.append(Scalar(value, opcode + length + raw))
        return at + prefix + size

    def binfloat(self, at: int) -> int:
        raw = self.take(at, 8)
        self.stack.append(Scalar(struct.unpack(">d", raw)[0], op.BINFLOAT + raw))
        return at + 8

    def text(self, at: int) -> int:
        size = int.from_bytes(self.take(at, 4), "little")
        if size > MAX_STRING_BYTES:
            raise self.limit(at, f"a string is longer than {MAX_STRING_BYTES >> 20} MiB")
        try:
            value = self.take(at + 4, size).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self.error(at, "a string is not UTF-8") from None
        self.stack.append(Text(value))
        return at + 4 + size

    def global_(self, at: int) -> int:
        module, end = self.line(at)
        name, end = self.line(end)
        if not all(part.isidentifier() for part in f"{module}.{name}".split(".")):
            raise self.error(at, f"a global's name is malformed: {module!r} {name!r}")
        self.stack.append(Global(module, name))
        return end

    def tuple_(self, at: int, size: int) -> int:
        items = [self._pop()] if size == 1 else [self._pop() for _ in range(size)][::-1]
        return self._push_tuple(at, items)

    def marked_tuple(self, at: int) -> int:
        return self._push_tuple(at, self._pop_to_mark())

    def _push_tuple(self, at: int, items: list[Node]) -> int:
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

    def call(self, at: int, opcode: bytes) -> int:
        args, callee = self._pop(), self._pop()
        if not isinstance(callee, Global) or not isinstance(args, Tuple):
            raise self.error(at, "something other than a named class or function is called")
        made = Call(callee, args, opcode)
        self._grow(at, made, [callee, args])
        self.stack.append(made)
        return at

    def persistent(self, at: int) -> int:
        pid = self._pop()
        made = Persistent(pid)
        self._grow(at, made, [pid])
        self.stack.append(made)
        return at

    def change(self, at: int, opcode: bytes, operands: list[Node]) -> int:
        target = self.stack[-1]
        if not isinstance(target, Mutable):
            raise self.error(at, "an object is changed that was not made just before")
        if target.changes and target.changes[-1].opcode == op.BUILD:
            raise self.error(at, "an object is changed after its BUILD, which pickle writes last")
        if id(target) in self.states:
            raise self.error(at, "a dict is changed after an object's attributes were taken from it")
        if not _CHANGES[opcode](target) or (opcode in _ITEMS and len(operands) % 2):
            raise self.error(at, f"opcode {opcode!r} does not fit the object it changes")
        target.changes.append(Change(opcode, operands))
        if opcode == op.BUILD:
            self.states.add(id(operands[0]))
        self._grow(at, target, operands)
        return at

    def put(self, at: int, size: int) -> int:
        number = int.from_bytes(self.take(at, size), "little")
        top = self.stack[-1]
        if number != len(self.memo) or not isinstance(top, SHAREABLE) or top.memoized:
            raise self.error(at, "memo numbers are not in the order in which torch.save writes them")
        top.memoized = True
        self.memo.append(top)
        return at + size

    def get(self, at: int, size: int) -> int:
        node = self.memo[int.from_bytes(self.take(at, size), "little")]
        if isinstance(node, Mutable):
            self.shared += 1
            node = _Shared(node)
        self.stack.append(node)
        return at + size


_ITEMS: Final = (op.SETITEM, op.SETITEMS)

_CHANGES: Final[dict[bytes, Callable[[Mutable], bool]]] = {
    op.APPEND: lambda target: not isinstance(target, Dict),
    op.APPENDS: lambda target: not isinstance(target, Dict),
    op.SETITEM: lambda target: not isinstance(target, List),
    op.SETITEMS: lambda target: not isinstance(target, List),
    op.BUILD: lambda target: isinstance(target, Call),
}

_HANDLERS: Final[dict[bytes, Callable[[_Machine, int], int]]] = {
    op.MARK: _Machine.mark,
    op.NONE: lambda m, at: m.constant(at, NONE),
    op.NEWTRUE: lambda m, at: m.constant(at, TRUE),
    op.NEWFALSE: lambda m, at: m.constant(at, FALSE),
    op.BININT: lambda m, at: m.integer(at, op.BININT, 4, signed=True),
    op.BININT1: _Machine.small_integer,
    op.BININT2: lambda m, at: m.integer(at, op.BININT2, 2, signed=False),
    op.LONG1: lambda m, at: m.long(at, op.LONG1, 1),
    op.LONG4: lambda m, at: m.long(at, op.LONG4, 4),
    op.BINFLOAT: _Machine.binfloat,
    op.BINUNICODE: _Machine.text,
    op.GLOBAL: _Machine.global_,
    op.EMPTY_TUPLE: lambda m, at: m._push_tuple(at, []),
    op.TUPLE1: lambda m, at: m.tuple_(at, 1),
    op.TUPLE2: lambda m, at: m.tuple_(at, 2),
    op.TUPLE3: lambda m, at: m.tuple_(at, 3),
    op.TUPLE: _Machine.marked_tuple,
    op.EMPTY_LIST: _Machine.list_,
    op.EMPTY_DICT: _Machine.dict_,
    op.APPEND: lambda m, at: m.change(at, op.APPEND, [m._pop()]),
    op.APPENDS: lambda m, at: m.change(at, op.APPENDS, m._pop_to_mark()),
    op.SETITEM: lambda m, at: m.change(at, op.SETITEM, [m._pop(), m._pop()][::-1]),
    op.SETITEMS: lambda m, at: m.change(at, op.SETITEMS, m._pop_to_mark()),
    op.BUILD: lambda m, at: m.change(at, op.BUILD, [m._pop()]),
    op.REDUCE: lambda m, at: m.call(at, op.REDUCE),
    op.NEWOBJ: lambda m, at: m.call(at, op.NEWOBJ),
    op.BINPERSID: _Machine.persistent,
    op.BINPUT: lambda m, at: m.put(at, 1),
    op.LONG_BINPUT: lambda m, at: m.put(at, 4),
    op.BINGET: lambda m, at: m.get(at, 1),
    op.LONG_BINGET: lambda m, at: m.get(at, 4),
}

_TABLE: Final = [_HANDLERS.get(bytes((opcode,))) for opcode in range(256)]

_MAKERS: Final = (
    op.BININT,
    op.BININT2,
    op.LONG1,
    op.LONG4,
    op.BINFLOAT,
    op.BINUNICODE,
    op.GLOBAL,
    op.EMPTY_TUPLE,
    op.TUPLE1,
    op.TUPLE2,
    op.TUPLE3,
    op.TUPLE,
    op.EMPTY_LIST,
    op.EMPTY_DICT,
    op.REDUCE,
    op.NEWOBJ,
    op.BINPERSID,
)
# Whether an opcode makes an object that was not there.
_MAKES: Final = [bytes((opcode,)) in _MAKERS for opcode in range(256)]
