"""Change pickle streams: their bytes, their opcodes, or the objects that they make."""

from __future__ import annotations

import pickletools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from meaning_objects import change_objects
from seeds import Parts

from mm_ckpt_migrate.files.pickles.errors import PickleError

_PUTS = ("BINPUT", "LONG_BINPUT")
_GETS = ("BINGET", "LONG_BINGET")
# Opcodes that torch's pickler never writes, and values at the borders of what it does.
_FOREIGN = (
    b"I01\n",
    b"I-1\n",
    b"L5L\n",
    b"U\x01a",
    b"T\x01\0\0\0a",
    b"S'a'\n",
    b"V\x61\n",
    b"0",
    b"1",
    b"2",
    b"l",
    b"d",
    b"(ibuiltins\nstr\n",
    b"o",
    b"P0\n",
    b"\x82\x01",
    b"\x8c\x01a",
    b"\x94",
    b"\x93",
    b"\x8f",
    b"\x90",
    b"\x91",
    b"\x92",
    b"B\1\0\0\0a",
    b"C\1a",
    b"\x95" + b"\0" * 8,
    b"\x98",
    b"p0\n",
    b"J\xff\xff\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"K\0",
    b"K\xff",
    b"M\0\1",
    b"\x8a\0",
    b"\x8a\1\xff",
    b"\x8a\x09" + b"\xff" * 8 + b"\0",
    b"G\x7f\xf8" + b"\0" * 6,
    b"G\x80" + b"\0" * 7,
    b"\x88",
    b"\x89",
    b"N",
    b"}",
    b"]",
    b")",
    b"X\0\0\0\0",
    b"X\3\0\0\0\xed\xa0\x80",
    b"ccollections\nOrderedDict\n",
    b"c__builtin__\nset\n",
    b"cbuiltins\nstr\n",
    b"cos\nsystem\n",
)


@dataclass(frozen=True, slots=False)
class Stream:
    """A seed's object, and the same cut into opcodes: each with its name, argument and bytes."""

    parts: Parts

    @cached_property
    def opcodes(self) -> list[tuple[str, object, bytes]]:
        data = self.parts.pickle
        found = list(pickletools.genops(data))
        ends = [at for _, _, at in found[1:]] + [len(data)]
        return [
            (opcode.name, arg, data[at or 0 : end])
            for (opcode, arg, at), end in zip(found, ends, strict=True)
        ]


def mutated(streams: Sequence[Stream], luck: random.Random) -> tuple[str, Parts]:
    """How a stream was changed, and the stream, with the storages of all that has a part in it."""
    base, other = luck.choice(streams), luck.choice(streams)
    kind = luck.choice(("bytes", "opcodes", "opcodes", "splice", "objects", "objects", "objects"))
    storages = base.parts.storages
    if kind == "bytes":
        made = _bytes(base.parts.pickle, luck)
    elif kind == "opcodes":
        made = _opcodes(base, other, luck)
    elif kind == "splice":
        made = _splice(base, other, luck)
        storages = {**other.parts.storages, **storages}
    else:
        try:
            made = change_objects(base.parts.pickle, luck)
        except PickleError:  # it came to contain itself in a way that cannot be written
            made = b""
    return kind, Parts(made, storages)


def _bytes(data: bytes, luck: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(luck.choice((1, 1, 1, 2, 3))):
        at, size = luck.randrange(len(made)), luck.choice((1, 1, 2, 4))
        kind = luck.randrange(5)
        if kind == 0:
            made[at] ^= 1 << luck.randrange(8)
        elif kind == 1:
            made[at : at + size] = luck.randbytes(size)
        elif kind == 2:
            del made[at : at + size]
        elif kind == 3:
            made[at:at] = luck.randbytes(size)
        else:
            start = luck.randrange(len(made))
            made[at : at + size] = made[start : start + size]
    return bytes(made)


def _opcodes(base: Stream, other: Stream, luck: random.Random) -> bytes:
    found = list(base.opcodes)
    for _ in range(luck.choice((1, 1, 2, 3))):
        at, kind = luck.randrange(1, len(found)), luck.randrange(7)
        end = at + luck.choice((1, 1, 2, luck.randint(1, 12)))
        if kind == 0:
            found[at] = _another(other, luck)
        elif kind == 1:
            found.insert(at, _another(other, luck))
        elif kind == 2:
            del found[at:end]
        elif kind == 3:
            second = luck.randrange(1, len(found))
            found[at], found[second] = found[second], found[at]
        elif kind == 4:
            found[at:at] = found[at:end]
        elif kind == 5:
            start = luck.randrange(1, len(base.opcodes))
            found[at:end] = base.opcodes[start : start + end - at]
        else:
            found[at] = _same_kind(found[at], base, luck)
    return _joined(found, luck)


def _another(other: Stream, luck: random.Random) -> tuple[str, object, bytes]:
    if luck.random() < 0.5:
        return ("", None, luck.choice(_FOREIGN))
    return luck.choice(other.opcodes)


def _same_kind(
    one: tuple[str, object, bytes], base: Stream, luck: random.Random
) -> tuple[str, object, bytes]:
    """Another argument for the same opcode."""
    return luck.choice([found for found in base.opcodes if found[0] == one[0]] or [one])


def _splice(base: Stream, other: Stream, luck: random.Random) -> bytes:
    """The start of one stream, and the rest of another from an opcode of the same name on."""
    cut = luck.randrange(1, len(base.opcodes))
    name = base.opcodes[cut][0]
    places = [n for n, found in enumerate(other.opcodes) if found[0] == name]
    start = luck.choice(places) if places else luck.randrange(1, len(other.opcodes))
    return _joined(base.opcodes[:cut] + other.opcodes[start:], luck)


def _joined(opcodes: Sequence[tuple[str, object, bytes]], luck: random.Random) -> bytes:
    """The stream; most often with memo numbers made to follow each other again."""
    if luck.random() < 0.2:
        return b"".join(raw for _, _, raw in opcodes)
    made, numbers = [], dict[object, int]()
    for name, arg, raw in opcodes:
        if name in _PUTS:
            numbers[arg] = max(numbers.values(), default=-1) + 1
            made.append(_memo(b"q", b"r", numbers[arg]))
        elif name in _GETS and arg in numbers:
            made.append(_memo(b"h", b"j", numbers[arg]))
        else:
            made.append(raw)
    return b"".join(made)


def _memo(short: bytes, long: bytes, number: int) -> bytes:
    return short + bytes((number,)) if number < 256 else long + number.to_bytes(4, "little")
