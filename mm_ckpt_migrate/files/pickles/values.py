"""The values of a pickle stream: numbers, strings and names, each a leaf that goes on the stack."""

from __future__ import annotations

import struct
from typing import Final

from mm_ckpt_migrate.files.pickles import limits
from mm_ckpt_migrate.files.pickles.nodes import SMALL_INTEGERS, Global, Node, Scalar, Text
from mm_ckpt_migrate.files.pickles.stream import Stream

UINT32: Final = struct.Struct("<I").unpack_from
_UINT16: Final = struct.Struct("<H").unpack_from
_INT32: Final = struct.Struct("<i").unpack_from
_DOUBLE: Final = struct.Struct(">d").unpack_from


class Values(Stream):
    """A stream with a stack. A handler is given the offset behind its opcode, and gives the next.

    Where the stream ends within a number, a handler raises `struct.error`.

    Attributes:
        names: every class and function that the stream names.
    """

    def __init__(self, data: bytes, start: int) -> None:
        super().__init__(data, start)
        self.stack: list[Node] = []
        self.names: list[Global] = []

    def constant(self, at: int, node: Scalar) -> int:
        self.stack.append(node)
        return at

    def integer1(self, at: int) -> int:
        self.stack.append(SMALL_INTEGERS[self.data[at]])
        return at + 1

    def integer2(self, at: int) -> int:
        self.stack.append(Scalar(_UINT16(self.data, at)[0], self.data[at - 1 : at + 2]))
        return at + 2

    def integer4(self, at: int) -> int:
        self.stack.append(Scalar(_INT32(self.data, at)[0], self.data[at - 1 : at + 4]))
        return at + 4

    def binfloat(self, at: int) -> int:
        self.stack.append(Scalar(_DOUBLE(self.data, at)[0], self.data[at - 1 : at + 8]))
        return at + 8

    def long(self, at: int, opcode: bytes, prefix: int) -> int:
        length = self.take(at, prefix)
        size = int.from_bytes(length, "little")
        if size > limits.MAX_NAME_BYTES:
            raise self.limit(at, "an integer is longer than any that torch writes")
        raw = self.take(at + prefix, size)
        value = int.from_bytes(raw, "little", signed=True)
        self.stack.append(Scalar(value, opcode + length + raw))
        return at + prefix + size

    def text(self, at: int) -> int:
        size: int = UINT32(self.data, at)[0]
        if size > limits.MAX_STRING_BYTES:
            raise self.limit(at, f"a string is longer than {limits.MAX_STRING_BYTES >> 20} MiB")
        try:
            value = self.take(at + 4, size).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self.error(at, "a string is not UTF-8") from None
        self.stack.append(Text(value))
        return at + 4 + size

    def name(self, at: int) -> int:
        module, end = self.line(at)
        name, end = self.line(end)
        if not all(part.isidentifier() for part in f"{module}.{name}".split(".")):
            raise self.error(at, f"a global's name is malformed: {module!r} {name!r}")
        made = Global(module, name)
        self.names.append(made)
        self.stack.append(made)
        return end
