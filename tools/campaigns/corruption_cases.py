"""Ways to damage a file, each with a name by which the very same damage can be made again."""

from __future__ import annotations

import random
from collections.abc import Iterator

Damage = tuple[str, bytes]

_PAGE = 512
_LONGEST = 300


def bit_flips(data: bytes, every: int = 1) -> Iterator[Damage]:
    """Every single bit (or one of `every`)."""
    for number in range(0, 8 * len(data), every):
        at, bit = divmod(number, 8)
        flipped = bytes((data[at] ^ 1 << bit,))
        yield f"bit {bit} of byte {at} flipped", data[:at] + flipped + data[at + 1 :]


def truncations(data: bytes, every: int = 1) -> Iterator[Damage]:
    """Every shorter length."""
    yield from ((f"cut to {size} bytes", data[:size]) for size in range(0, len(data), every))


def zeroed(data: bytes, every: int = 1) -> Iterator[Damage]:
    """Tails that were never written, and holes of one block of a disk (X4)."""
    for start in range(0, len(data), every):
        yield f"zeros from byte {start}", data[:start].ljust(len(data), b"\0")
        hole = data[:start] + bytes(min(_PAGE, len(data) - start)) + data[start + _PAGE :]
        yield f"a hole at byte {start}", hole


def blocks(data: bytes, other: bytes, luck: random.Random, count: int) -> Iterator[Damage]:
    """Blocks overwritten, removed, put in, and copied, within the file or from another (X3)."""
    for _ in range(count):
        made = data
        names = []
        for _ in range(luck.choice((1, 1, 1, 2, 3))):
            name, made = _block(made, other, luck)
            names.append(name)
        yield ", ".join(names), made


def _block(data: bytes, other: bytes, luck: random.Random) -> Damage:
    at, size = luck.randrange(len(data) + 1), luck.choice((1, 2, 4, 8, luck.randint(1, _LONGEST)))
    start = luck.randrange(len(data) + 1)
    made = {
        "removed": data[:at] + data[at + size :],
        "zeroed": data[:at] + bytes(len(data[at : at + size])) + data[at + size :],
        "put in": data[:at] + bytes(size) + data[at:],
        "random": data[:at] + luck.randbytes(size) + data[at + size :],
        "copied": data[:at] + data[start : start + size] + data[at + size :],
        "doubled": data[: at + size] + data[at:],
        "of another file": data[:at] + other[at : at + size] + data[at + size :],
        "exchanged": _exchanged(data, min(at, start), max(at, start), size),
    }
    kind = luck.choice(sorted(made))
    return f"{size} bytes at {at} {kind}" + f" with {start}" * (kind[0] in "ce"), made[kind]


def _exchanged(data: bytes, first: int, second: int, size: int) -> bytes:
    size = min(size, second - first, len(data) - second)
    before, after = data[first : first + size], data[second : second + size]
    between = data[first + size : second]
    return data[:first] + after + between + before + data[second + size :]
