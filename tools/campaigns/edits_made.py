"""Edits of a file's pickled object and of its storages: each changes what is loaded from it."""

from __future__ import annotations

import copy
import math
import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from edits_slots import Slot, slots

from mm_ckpt_migrate.files.archive.storages import storage_ref
from mm_ckpt_migrate.files.pickles import opcodes as op
from mm_ckpt_migrate.files.pickles.build import from_plain, is_mapping, text_of, text_value
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import (
    Change,
    Global,
    List,
    Mutable,
    Node,
    Persistent,
    Scalar,
    Text,
    Tuple,
    walk,
)
from mm_ckpt_migrate.files.pickles.parse import parse_whole

# x**32 + x**26 + … + 1, lowest power first, as the reflected CRC-32 reads bytes.
_POLYNOMIAL: Final = (0xEDB88320 << 1 | 1).to_bytes(5, "little")
_OTHER_TYPES: Final = {"FloatStorage": "IntStorage", "LongStorage": "DoubleStorage"}
_ORDERED: Final = ("state_dict", "ema_state_dict")
_DRAWS: Final = 60
_NUMBER: Final = re.compile(r"(?<![\w.])\d+(?![\w.])")


@dataclass(slots=True)
class Content:
    """What is edited.

    Attributes:
        slots: the places in the object, by the part of the file that they belong to.
    """

    root: Node
    storages: dict[str, bytes]
    slots: dict[str, list[Slot]] = field(default_factory=dict)


Edit: TypeAlias = Callable[[Content, Slot, random.Random], "str | None"]


def edited(
    pickle: bytes, storages: Mapping[str, bytes], luck: random.Random, kind: str | None = None
) -> tuple[str, Content]:
    """One edit, of any kind where none is given: what it was, and the content after it."""
    content = Content(parse_whole(pickle), dict(storages))
    for slot in slots(content.root):
        content.slots.setdefault(slot.part, []).append(slot)
    while True:
        chosen = kind or luck.choices(list(EDITS), _WEIGHTS)[0]
        for slot in _drawn(content, luck):
            said = EDITS[chosen](content, slot, luck)
            if said is not None:
                return f"{chosen}: {slot}: {said}", content


def _drawn(content: Content, luck: random.Random) -> Iterator[Slot]:
    """Some of each part alike, however many places it has; then all of them."""
    parts = sorted(content.slots)
    for _ in range(_DRAWS):
        yield luck.choice(content.slots[luck.choice(parts)])
    for part in parts:
        yield from content.slots[part]


def _change(content: Content, slot: Slot, luck: random.Random) -> str | None:
    node, new = slot.node, None
    if isinstance(node, Scalar):
        new = from_plain(_other(node.value, luck))
    elif isinstance(node, Text):
        new = text_of(_other_text(node.value, luck))
    elif isinstance(node, Global) and node.name in _OTHER_TYPES:
        new = Global(node.module, _OTHER_TYPES[node.name])
    if new is None:
        return None
    slot.put(new)
    return str(getattr(new, "value", "another storage type"))[:40]


def _other(value: bool | float | None, luck: random.Random) -> bool | int | float:
    if value is None or isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + luck.choice((1, -1, 7))
    return luck.choice((math.nextafter(value, math.inf), -value or 1.0, value + 1.0, math.nan))


def _other_text(text: str, luck: random.Random) -> str:
    numbers = list(_NUMBER.finditer(text))
    if len(text) > 200 and numbers and luck.random() < 0.6:  # a setting of a config
        found = luck.choice(numbers)
        return text[: found.start()] + str(int(found[0]) + 1) + text[found.end() :]
    if text == "cpu":
        return luck.choice(("cuda:0", "meta"))
    at = luck.randrange(len(text)) if text else 0
    return text[:at] + ("x" if text[at : at + 1] != "x" else "y") + text[at + 1 :]


def _other_type(content: Content, slot: Slot, luck: random.Random) -> str | None:
    node, new = slot.node, None
    if isinstance(node, Scalar) and isinstance(node.value, int):
        new = from_plain(float(node.value))
    elif isinstance(node, Text):
        new = from_plain(None)
    elif isinstance(node, Tuple):
        new = List()
        new.changes = [Change(op.APPENDS, list(node.items))] if node.items else []
    elif isinstance(node, List):
        new = Tuple([item for change in node.changes for item in change.operands])
    if new is None:
        return None
    slot.put(new)
    return type(new).__name__


def _drop(content: Content, slot: Slot, luck: random.Random) -> str | None:
    if not slot.grows:
        return None
    first = slot.index - 1 if slot.paired else slot.index
    del slot.holder[first : slot.index + 1]
    return "gone"


def _add(content: Content, slot: Slot, luck: random.Random) -> str | None:
    if not slot.grows:
        return None
    if slot.paired:
        slot.holder.extend((text_of("added"), from_plain(luck.randrange(100))))
    else:
        slot.holder.append(copy.deepcopy(slot.node) if luck.random() < 0.5 else from_plain(1))
    return "one more beside it"


def _rename(content: Content, slot: Slot, luck: random.Random) -> str | None:
    name = text_value(slot.holder[slot.index - 1]) if slot.paired else None
    if name is None:
        return None
    slot.holder[slot.index - 1] = text_of(f"{name}x")
    return "under another name"


def _exchange(content: Content, slot: Slot, luck: random.Random) -> str | None:
    """With another value of the same dict or list."""
    others = range(slot.index % 2 if slot.paired else 0, len(slot.holder), 2 if slot.paired else 1)
    other = luck.choice(others)
    first, second = slot.holder[slot.index], slot.holder[other]
    if _meaning(content, first) == _meaning(content, second):
        return None
    slot.holder[slot.index], slot.holder[other] = second, first
    return f"with number {other}"


def _meaning(content: Content, node: Node) -> bytes:
    def label(storage: Persistent) -> bytes:
        ref = storage_ref(storage)
        return f"{ref.dtype} {ref.location} ".encode() + content.storages[ref.key]

    return emit(node, label=label)


def _order(content: Content, slot: Slot, luck: random.Random) -> str | None:
    """Of the keys of a state dict, which is that of the parameters."""
    if not slot.paired or len(slot.path) != 2 or slot.path[0] not in _ORDERED:
        return None
    held, other = slot.holder, luck.randrange(0, len(slot.holder), 2)
    if other == slot.index - 1:
        return None
    first = slot.index - 1
    held[first : first + 2], held[other : other + 2] = held[other : other + 2], held[first:][:2]
    return f"comes in the place of number {other // 2}"


def _flip(content: Content, slot: Slot, luck: random.Random) -> str | None:
    key = _storage_below(content, slot, luck)
    if key is None:
        return None
    data = bytearray(content.storages[key])
    data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
    content.storages[key] = bytes(data)
    return "a bit"


def _forge(content: Content, slot: Slot, luck: random.Random) -> str | None:
    """Other bytes with an equal CRC-32: those that differ by a multiple of its polynomial."""
    key = _storage_below(content, slot, luck)
    if key is None or len(content.storages[key]) < len(_POLYNOMIAL):
        return None
    old = content.storages[key]
    at = luck.randrange(len(old) - len(_POLYNOMIAL) + 1)
    new = bytearray(old)
    for number, bits in enumerate(_POLYNOMIAL):
        new[at + number] ^= bits
    assert zlib.crc32(new) == zlib.crc32(old)
    content.storages[key] = bytes(new)
    return "other bytes with an equal CRC"


def _storage_below(content: Content, slot: Slot, luck: random.Random) -> str | None:
    keys = [storage_ref(n).key for n in walk(slot.node) if isinstance(n, Persistent)]
    filled = [key for key in keys if content.storages[key]]
    return luck.choice(filled) if filled else None


def _lose_attributes(content: Content, slot: Slot, luck: random.Random) -> str | None:
    node = slot.node
    if not isinstance(node, Mutable) or not is_mapping(node):
        return None
    kept = [change for change in node.changes if change.opcode != op.BUILD]
    if len(kept) == len(node.changes):
        return None
    node.changes = kept
    return "without _metadata"


EDITS: Final[Mapping[str, Edit]] = {
    "change": _change,
    "type": _other_type,
    "drop": _drop,
    "add": _add,
    "rename": _rename,
    "exchange": _exchange,
    "order": _order,
    "flip": _flip,
    "forge": _forge,
    "attributes": _lose_attributes,
}
_WEIGHTS: Final = [1 if kind in ("order", "attributes") else 4 for kind in EDITS]
