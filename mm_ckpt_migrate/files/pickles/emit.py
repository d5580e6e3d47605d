"""Write inert nodes back as a pickle stream.

A tree that was not edited gives the bytes it was read from: memo numbers are handed out in the
order of the stream, and every object keeps the opcodes that made and filled it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.errors import PickleLimitError
from mm_ckpt_migrate.files.pickles.nodes import (
    Call,
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

_TUPLES = (op.EMPTY_TUPLE, op.TUPLE1, op.TUPLE2, op.TUPLE3)


Label = Callable[[Persistent], bytes]
Pid = Callable[[Persistent], Node]


def emit(
    root: Node, *, pid: Pid | None = None, label: Label | None = None, named: list[Global] | None = None
) -> bytes:
    """The stream of protocol 2 that makes the object.

    Args:
        pid: the persistent id to write for each node that has one, in the order of the stream; the
            same node for the same id, as long as the stream is written.
        named: is given the classes and functions that the stream names.
        label: what to write for a persistent id instead, to compare streams of two files that
            number their storages differently. Such a stream is for comparison alone.

    Raises:
        PickleLimitError: cycles make it deeper from here on than it was from the root it came from.
    """
    out = bytearray(op.PROTO + b"\x02")
    try:
        _Emitter(out, pid, label, [] if named is None else named).node(root)
    except RecursionError:
        raise PickleLimitError(0, "objects refer to each other in too long a chain") from None
    out += op.STOP
    return bytes(out)


class _Emitter:
    def __init__(self, out: bytearray, pid: Pid | None, label: Label | None, named: list[Global]) -> None:
        self.out = out
        self.pid = pid
        self.named = named
        self.label = label
        self.numbers: dict[int, int] = {}

    def node(self, node: Node) -> None:
        if node.memoized and (number := self.numbers.get(id(node))) is not None:
            self._memo(op.BINGET, op.LONG_BINGET, number)
            return
        _MAKERS[type(node)](self, node)
        if node.memoized:
            self.numbers[id(node)] = len(self.numbers)
            self._memo(op.BINPUT, op.LONG_BINPUT, len(self.numbers) - 1)
        if isinstance(node, Mutable) and node.changes:
            self._changes(node)

    def _nodes(self, nodes: list[Node]) -> None:
        for node in nodes:
            if type(node) is Scalar:  # most are, and there may be a million
                self.out += node.raw
            else:
                self.node(node)

    def _memo(self, short: bytes, long: bytes, number: int) -> None:
        if number < 256:
            self.out += short + bytes((number,))
        else:
            self.out += long + number.to_bytes(4, "little")

    def text(self, node: Text) -> None:
        raw = node.value.encode("utf-8", "surrogatepass")
        self.out += op.BINUNICODE + len(raw).to_bytes(4, "little") + raw

    def scalar(self, node: Scalar) -> None:
        self.out += node.raw

    def global_(self, node: Global) -> None:
        self.named.append(node)
        self.out += op.GLOBAL + f"{node.module}\n{node.name}\n".encode("ascii")

    def persistent(self, node: Persistent) -> None:
        if self.label:
            self.out += self.label(node) + op.BINPERSID
            return
        self.node(self.pid(node) if self.pid else node.pid)
        self.out += op.BINPERSID

    def call(self, node: Call) -> None:
        self.node(node.callee)
        self.node(node.args)
        self.out += node.opcode

    def list_(self, node: List) -> None:
        self.out += op.EMPTY_LIST

    def dict_(self, node: Dict) -> None:
        self.out += op.EMPTY_DICT

    def tuple_(self, node: Tuple) -> None:
        if len(node.items) < len(_TUPLES):
            self._nodes(node.items)
            self.out += _TUPLES[len(node.items)]
            return
        self.out += op.MARK
        self._nodes(node.items)
        self.out += op.TUPLE

    def _changes(self, node: Mutable) -> None:
        for change in node.changes:
            if change.opcode in (op.APPENDS, op.SETITEMS):
                self.out += op.MARK
            self._nodes(change.operands)
            self.out += change.opcode


_MAKERS: Final[dict[type[Node], Callable[[_Emitter, Any], None]]] = {
    Text: _Emitter.text,
    Scalar: _Emitter.scalar,
    Global: _Emitter.global_,
    Tuple: _Emitter.tuple_,
    Persistent: _Emitter.persistent,
    Call: _Emitter.call,
    List: _Emitter.list_,
    Dict: _Emitter.dict_,
}
