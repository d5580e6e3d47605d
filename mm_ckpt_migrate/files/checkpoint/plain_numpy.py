"""numpy's scalars and arrays as plain numbers, read from their nodes: numpy is not asked.

What is not exactly as numpy pickles it under protocol 2 is left alone: every function here gives
None for it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from mm_ckpt_migrate.files.checkpoint.call_args import MAX_DIMENSIONS
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import Plain, from_plain, mapping_of, text_of
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, Node, Text, Tuple

# Longer ones stay bytes: as nodes, each number would take a hundred times its room.
MAX_LISTED: Final = 1000
# Lists and numbers of a table. It has a row for each class, as have the colours that mmseg 0.x
# draws for a data set without a PALETTE; log buffers, which are many, have one dimension.
MAX_TABLE: Final = 10_000
_MAX_NESTED: Final = 4

# How `struct` calls what numpy calls `f8`.
_CODES: Final = {
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "b1": "?",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}


@dataclass(frozen=True, slots=True)
class _Type:
    """A dtype: its byte order, its name without, and the bytes of an element."""

    order: str
    name: str
    size: int

    def unpack(self, data: bytes) -> list[Plain]:
        """The numbers, or the strings; raises UnicodeError where one is not Unicode."""
        if self.name in _CODES:
            order = self.order.replace("|", "<")
            return list(struct.unpack(f"{order}{len(data) // self.size}{_CODES[self.name]}", data))
        parts = (data[at : at + self.size] for at in range(0, len(data), self.size))
        return [_string(self, part) for part in parts]


def called(node: Node) -> str:
    """The path of the function or class that a node calls; empty where it calls none."""
    return node.callee.path if isinstance(node, Call) and isinstance(node.callee, Global) else ""


def state_of(node: Node) -> Node | None:
    """What BUILD gives an object, where that is all that happens to it after it is made."""
    changes = node.changes if isinstance(node, Call) else []
    return changes[0].operands[0] if [c.opcode for c in changes] == [op.BUILD] else None


def bytes_of(text: Text) -> Call:
    """A bytes object of the characters, as Python pickles it under protocol 2."""
    made = Call(Global("_codecs", "encode"), Tuple([text, text_of("latin1")]), op.REDUCE)
    made.memoized = True
    return made


def plain_scalar(node: Call) -> Node | None:
    """The number or str that a `numpy.core.multiarray.scalar` is."""
    items = _arguments(node)
    if len(items) != 2 or (kind := _dtype(items[0])) is None:
        return None
    text = _characters(items[1])
    if text is None or len(text) != kind.size:
        return None
    try:
        data = text.encode("latin1")
        value = kind.unpack(data)[0] if kind.size else ""
    except UnicodeError:
        return None
    return from_plain(value)


def plain_array(node: Call, *, listed: bool = True) -> Node | None:
    """The list or the dict that says what a `numpy.core.multiarray._reconstruct` says.

    A short array is the list that its `tolist()` gives, or its only number. A longer one, of
    numbers alone, is a dict of `dtype`, `shape`, `fortran_order` and `data`; its bytes are not
    touched. So is each where `listed` says no.
    """
    items, state = _arguments(node, changed=True), state_of(node)
    is_array = len(items) == 3 and getattr(items[0], "path", "") == "numpy.ndarray"
    if not is_array or not isinstance(state, Tuple) or len(state.items) != 5:
        return None
    version, shape_node, dtype, fortran, data = state.items
    shape, kind, text = _shape(shape_node), _dtype(dtype), _characters(data)
    if _values([version]) != [1] or _values([fortran]) not in ([False], [True]):
        return None
    if shape is None or kind is None or text is None or not kind.size:
        return None
    if len(text) != prod(shape) * kind.size:
        return None
    is_fortran = _values([fortran]) == [True]
    listed = listed and _is_short(shape)
    if listed or kind.name not in _CODES:
        return _listed(kind, shape, is_fortran, text) if listed else None
    return mapping_of(
        {
            "dtype": from_plain(kind.order + kind.name),
            "shape": from_plain([*shape]),
            "fortran_order": from_plain(is_fortran),
            "data": bytes_of(data) if isinstance(data, Text) else data,
        }
    )


def _is_short(shape: Sequence[int]) -> bool:
    """Whether an array may be listed: by the numbers that it has, and the lists around them."""
    nodes = sum(prod(shape[: number + 1]) for number in range(len(shape)))
    return nodes <= (MAX_LISTED if len(shape) < 2 else MAX_TABLE) and len(shape) <= _MAX_NESTED


def _listed(kind: _Type, shape: list[int], fortran: bool, text: str) -> Node | None:
    try:
        values = kind.unpack(text.encode("latin1"))
    except UnicodeError:
        return None
    sizes = shape if fortran else shape[::-1]
    steps = [prod(sizes[:number]) for number in range(len(sizes))]
    return from_plain(_nested(values, shape, steps if fortran else steps[::-1], 0))


def _nested(values: Sequence[Plain], shape: Sequence[int], steps: Sequence[int], at: int) -> Plain:
    if not shape:
        return values[at]
    inside = (at + number * steps[0] for number in range(shape[0]))
    return [_nested(values, shape[1:], steps[1:], place) for place in inside]


def empty_bytes(node: Call) -> Node | None:
    """`bytes()`, which is how Python pickles empty bytes alone, as it pickles all others."""
    return bytes_of(text_of("")) if _is_empty_bytes(node) else None


def _values(nodes: list[Node]) -> list[object]:
    """What texts and scalars stand for; a node that is neither equals nothing."""
    return [getattr(node, "value", node) for node in nodes]


def _arguments(node: Node, *, changed: bool = False) -> list[Node]:
    """Arguments of a plain call whose result is, or is not, changed afterwards."""
    if not isinstance(node, Call) or node.opcode != op.REDUCE or bool(node.changes) != changed:
        return []
    return node.args.items if isinstance(node.args, Tuple) else []


def _dtype(node: Node) -> _Type | None:
    arguments, state = _values(_arguments(node, changed=True)), state_of(node)
    if called(node) != "numpy.dtype" or not isinstance(state, Tuple):
        return None
    # Older releases of numpy spell the flags 0 and 1, which Python holds equal to these.
    if len(arguments) != 3 or arguments[1:] != [False, True] or len(state.items) != 8:
        return None
    name, order = arguments[0], _values(state.items)[1]
    if not isinstance(name, str) or order not in ("<", ">", "|"):
        return None
    size = _size(name)
    # Alone these have no subtype, no fields, and no metadata.
    sizes = [-1, -1, 0] if name in _CODES else [size, 4, 8]
    if size is None or _values(state.items) != [3, order, None, None, None, *sizes]:
        return None
    return _Type(str(order), name, size) if order != "|" or size == 1 else None


def _size(name: str) -> int | None:
    """Bytes of an element; None for a type that stays as it is."""
    digits = name[1:]
    if name in _CODES:
        return int(digits)
    is_text = name[:1] == "U" and digits.isascii() and digits.isdecimal() and len(digits) < 9
    return 4 * int(digits) if is_text else None


def _shape(node: Node) -> list[int] | None:
    if not isinstance(node, Tuple) or len(node.items) > MAX_DIMENSIONS:
        return None
    sizes = [size for size in _values(node.items) if type(size) is int and size >= 0]
    return sizes if len(sizes) == len(node.items) else None


def _characters(node: Node) -> str | None:
    """The bytes of a bytes object as the characters that the stream spells them with."""
    if isinstance(node, Text):
        return node.value
    if _is_empty_bytes(node):
        return ""
    arguments = _values(_arguments(node))
    if called(node) != "_codecs.encode" or len(arguments) != 2 or arguments[1] != "latin1":
        return None
    return arguments[0] if isinstance(arguments[0], str) else None


def _is_empty_bytes(node: Node) -> bool:
    return (
        isinstance(node, Call)
        and called(node) in ("__builtin__.bytes", "builtins.bytes")
        and isinstance(node.args, Tuple)
        and not node.args.items
        and not node.changes
    )


def _string(kind: _Type, data: bytes) -> str:
    """numpy pads with NUL, and takes the padding away again."""
    codec = "utf-32-be" if kind.order == ">" else "utf-32-le"
    return data.decode(codec, "surrogatepass").rstrip("\0")
