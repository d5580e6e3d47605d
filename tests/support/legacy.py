"""A writer of torch's format before 1.6 that can also be told to write what torch never would."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from support.streams import Storage, mapping, stream, tensor
from support.zips import TWO_FLOATS

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
SYSTEM: dict[str, Any] = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
# torch uses the addresses of the storages in memory as their keys.
KEY = "94207711285248"


def legacy_tensor(key: str = KEY, numel: Any = 2, shape: Sequence[Any] = (2,), **kwargs: Any) -> bytes:
    return tensor(Storage(key, numel, more=b"N"), shape=shape, **kwargs)


STATE_DICT = stream(mapping({"state_dict": mapping({"w": legacy_tensor()})}))


def build_legacy(
    root: bytes = STATE_DICT,
    *,
    magic: bytes | None = None,
    protocol: bytes | None = None,
    system: bytes | None = None,
    keys: bytes | None = None,
    storages: Mapping[str, tuple[int, bytes]] | None = None,
) -> bytes:
    """The file; the four pickles around the object may be given whole."""
    found = {KEY: (2, TWO_FLOATS)} if storages is None else storages
    head = (
        pickle.dumps(MAGIC, 2) if magic is None else magic,
        pickle.dumps(PROTOCOL, 2) if protocol is None else protocol,
        pickle.dumps(SYSTEM, 2) if system is None else system,
        root,
        pickle.dumps(sorted(found), 2) if keys is None else keys,
    )
    body = (numel.to_bytes(8, "little", signed=True) + data for _, (numel, data) in found.items())
    return b"".join(head) + b"".join(body)
