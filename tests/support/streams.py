"""Pickle streams put together by hand, opcode by opcode.

Nothing here is memoized, which no reader minds: torch.load takes these streams too.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PROTO_2 = b"\x80\x02"
ORDERED_DICT = b"ccollections\nOrderedDict\n)R"
OS_SYSTEM = b"cos\nsystem\n"


def stream(body: bytes) -> bytes:
    return PROTO_2 + body + b"."


def plain(value: object) -> bytes:
    """CPython's own spelling of a value, to stand inside a stream."""
    if isinstance(value, str):
        return text(value)
    return pickle.dumps(value, protocol=2)[2:-1]


def text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return b"X" + len(raw).to_bytes(4, "little") + raw


def name(path: str) -> bytes:
    """GLOBAL of a dotted path."""
    module, _, attribute = path.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def call(path: str, *args: bytes, opcode: bytes = b"R") -> bytes:
    return name(path) + b"(" + b"".join(args) + b"t" + opcode


def items(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """SETITEMS, to follow whatever makes the mapping."""
    return b"(" + b"".join(key + value for key, value in pairs) + b"u"


def mapping(entries: Mapping[str, bytes], made_by: bytes = b"}") -> bytes:
    return made_by + items([(text(key), value) for key, value in entries.items()])


def system_call(command: str = "touch ran") -> bytes:
    return OS_SYSTEM + text(command) + b"\x85R"


def number(value: Any) -> bytes:
    return value if isinstance(value, bytes) else plain(value)


def numbers(values: Sequence[Any]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


@dataclass(frozen=True)
class Storage:
    """A persistent id; each field may be raw bytes in place of the value that belongs there."""

    key: str = "0"
    numel: Any = 2
    kind: str = "torch.FloatStorage"
    location: str = "cpu"
    tag: str = "storage"
    more: bytes = b""

    def bytes(self) -> bytes:
        parts = text(self.tag) + name(self.kind) + text(self.key) + text(self.location)
        return b"(" + parts + number(self.numel) + self.more + b"tQ"


def tensor(
    storage: Storage = Storage(),
    *,
    shape: Sequence[Any] = (2,),
    stride: Sequence[Any] = (1,),
    offset: Any = 0,
    rebuild: str = "torch._utils._rebuild_tensor_v2",
    more: bytes = b"",
) -> bytes:
    """A tensor as torch.save writes it; two floats where nothing else is said."""
    return call(
        rebuild, storage.bytes(), number(offset), numbers(shape), numbers(stride), b"\x89", ORDERED_DICT, more
    )
