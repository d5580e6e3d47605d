"""Read a pickle stream into inert nodes.

The stream is a program for a stack machine; this one runs only the opcodes that torch's pickler
writes, within limits, and no byte may follow the end.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.files.pickles import limits
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.errors import PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.machine import Inventory, Machine
from mm_ckpt_migrate.files.pickles.nodes import FALSE, NONE, TRUE, Node


@dataclass(frozen=True, slots=True)
class Parsed:
    """A stream's object, what it is made of, and the offset just behind its STOP."""

    root: Node
    made: Inventory
    end: int


def parse(data: bytes, start: int = 0) -> Parsed:
    """Read one stream.

    Raises:
        PickleError: the stream is malformed, truncated, or uses an opcode outside the allow-list.
        PickleLimitError: it exceeds a budget.
    """
    if len(data) > limits.MAX_PICKLE_BYTES:
        raise PickleLimitError(0, f"the pickle is larger than {limits.MAX_PICKLE_BYTES >> 20} MiB")
    return _run(Machine(data, start))


def parse_all(data: bytes) -> Parsed:
    """Read a stream that must fill `data`; raises as `parse` does."""
    parsed = parse(data)
    if parsed.end != len(data):
        raise PickleError(parsed.end, "there are bytes after the pickle's end")
    return parsed


def parse_whole(data: bytes) -> Node:
    """The object of a stream that must fill `data`; raises as `parse` does."""
    return parse_all(data).root


def _run(machine: Machine) -> Parsed:
    at, data, size, stop = machine.expect_protocol_2(), machine.data, len(machine.data), op.STOP[0]
    opcodes = objects = allowed = allowed_objects = 0
    try:
        # One opcode is a fraction of a microsecond, and there are sixty thousand in a file.
        while at < size and (opcode := data[at]) != stop:
            opcodes += 1
            objects += _MAKES[opcode]
            if opcodes > allowed or objects > allowed_objects:
                allowed, allowed_objects = _allowed(machine, at, opcodes, objects)
            at = _TABLE[opcode](machine, at + 1)
    except struct.error:
        raise machine.cut_short(at) from None
    except IndexError:
        if at + 1 < size:
            raise machine.error(at, "the stack is empty or a memo number is unknown") from None
        at = size
    machine.take(at, 1)
    return Parsed(machine.result(at), machine.made, at + 1)


def _allowed(machine: Machine, at: int, opcodes: int, objects: int) -> tuple[int, int]:
    """How many opcodes and objects there may be up to here."""
    taken = at - machine.start
    allowed = min(limits.FREE_OPCODES + taken // limits.BYTES_PER_OPCODE, limits.MAX_OPCODES)
    allowed_objects = limits.FREE_OBJECTS + taken // limits.BYTES_PER_OBJECT
    if opcodes > allowed:
        raise machine.limit(at, f"more than {allowed:,} opcodes in {taken:,} bytes")
    if objects > allowed_objects:
        raise machine.limit(at, f"more than {allowed_objects:,} objects in {taken:,} bytes")
    return allowed, allowed_objects


_HANDLERS: Final[dict[bytes, Callable[[Machine, int], int]]] = {
    op.MARK: Machine.mark,
    op.NONE: lambda m, at: m.constant(at, NONE),
    op.NEWTRUE: lambda m, at: m.constant(at, TRUE),
    op.NEWFALSE: lambda m, at: m.constant(at, FALSE),
    op.BININT: Machine.integer4,
    op.BININT1: Machine.integer1,
    op.BININT2: Machine.integer2,
    op.LONG1: lambda m, at: m.long(at, op.LONG1, 1),
    op.LONG4: lambda m, at: m.long(at, op.LONG4, 4),
    op.BINFLOAT: Machine.binfloat,
    op.BINUNICODE: Machine.text,
    op.GLOBAL: Machine.name,
    op.EMPTY_TUPLE: lambda m, at: m.push_tuple(at, []),
    op.TUPLE1: Machine.tuple1,
    op.TUPLE2: lambda m, at: m.tuple_(at, 2),
    op.TUPLE3: lambda m, at: m.tuple_(at, 3),
    op.TUPLE: Machine.marked_tuple,
    op.EMPTY_LIST: Machine.list_,
    op.EMPTY_DICT: Machine.dict_,
    op.APPEND: Machine.append,
    op.APPENDS: Machine.appends,
    op.SETITEM: Machine.item,
    op.SETITEMS: Machine.items,
    op.BUILD: Machine.build,
    op.REDUCE: Machine.call,
    op.NEWOBJ: Machine.call,
    op.BINPERSID: Machine.persistent,
    op.BINPUT: Machine.put1,
    op.LONG_BINPUT: Machine.put4,
    op.BINGET: Machine.get1,
    op.LONG_BINGET: Machine.get4,
}
_TABLE: Final = [_HANDLERS.get(bytes((opcode,)), Machine.unknown) for opcode in range(256)]

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
