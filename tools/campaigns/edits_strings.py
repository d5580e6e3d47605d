"""Edits of a safetensors file: of the strings in its header, its tensors, and their bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

_METADATA: Final = "__metadata__"
_OTHER_TYPES: Final = {"F32": "I32", "I64": "F64"}


def edited(data: bytes, luck: random.Random) -> tuple[str, bytes]:
    """One edit: what it was, and the file after it."""
    size = 8 + int.from_bytes(data[:8], "little")
    while True:
        header, body = json.loads(data[8:size]), bytearray(data[size:])
        kind = luck.choice(list(_EDITS))
        said = _EDITS[kind](header, body, luck)
        if said is not None:
            return f"safetensors {kind}: {said}", _file(header, bytes(body))


def in_order(data: bytes) -> bytes:
    """The same file with its header by name."""
    size = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:size])
    return _file(dict(sorted(header.items())), data[size:])


def _file(header: Any, body: bytes) -> bytes:
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw + body


def _string(header: Any, body: bytearray, luck: random.Random) -> str | None:
    """One character of what is beside the tensors."""
    strings = header[_METADATA]
    name = luck.choice(sorted(strings))
    text, at = strings[name], luck.randrange(len(strings[name]))
    strings[name] = text[:at] + ("7" if text[at] != "7" else "8") + text[at + 1 :]
    return f"{_field(text, strings[name])}{name}: character {at}"


def _field(before: str, after: str) -> str:
    """The field of a stamp that an edit changed, as an object's stamp has it."""
    try:
        first, second = json.loads(before), json.loads(after)
        fields = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    except (ValueError, TypeError):
        return ""
    return f"meta.mm_ckpt_migrate.{fields[0]}: " if fields else ""


def _lose(header: Any, body: bytearray, luck: random.Random) -> str | None:
    name: str = luck.choice(sorted(header[_METADATA].keys() - {"mm_ckpt_migrate"}))
    del header[_METADATA][name]
    return name


def _add(header: Any, body: bytearray, luck: random.Random) -> str | None:
    header[_METADATA]["added"] = "1"
    return "a string"


def _tensors(header: Any) -> list[str]:
    return sorted(header.keys() - {_METADATA})


def _rename(header: Any, body: bytearray, luck: random.Random) -> str | None:
    name = luck.choice(_tensors(header))
    header[f"{name}x"] = header.pop(name)
    return name


def _exchange(header: Any, body: bytearray, luck: random.Random) -> str | None:
    first, second = luck.sample(_tensors(header), 2)
    one, other = header[first], header[second]
    same = [(t["dtype"], t["shape"]) for t in (one, other)]
    held = [body[t["data_offsets"][0] : t["data_offsets"][1]] for t in (one, other)]
    if same[0] != same[1] or held[0] == held[1]:
        return None
    header[first], header[second] = other, one
    return f"{first} and {second}"


def _reshape(header: Any, body: bytearray, luck: random.Random) -> str | None:
    name = luck.choice(_tensors(header))
    shape = header[name]["shape"]
    if shape == shape[::-1]:
        return None
    header[name]["shape"] = shape[::-1]
    return name


def _other_type(header: Any, body: bytearray, luck: random.Random) -> str | None:
    name = luck.choice(_tensors(header))
    if header[name]["dtype"] not in _OTHER_TYPES:
        return None
    header[name]["dtype"] = _OTHER_TYPES[header[name]["dtype"]]
    return name


def _flip(header: Any, body: bytearray, luck: random.Random) -> str | None:
    at = luck.randrange(len(body))
    body[at] ^= 1 << luck.randrange(8)
    return f"a bit of byte {at}"


_EDITS: Final[Mapping[str, Callable[[Any, bytearray, random.Random], str | None]]] = {
    "string": _string,
    "lose": _lose,
    "add": _add,
    "rename": _rename,
    "exchange": _exchange,
    "reshape": _reshape,
    "type": _other_type,
    "flip": _flip,
}
