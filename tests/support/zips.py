"""A zip writer in torch's layout that can also be told to write what torch never would.

It shares no code with the package: `test_zip_writer_is_torchs` holds it against torch.save.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.streams import mapping, stream, tensor

SMALL = {".format_version": b"1", ".storage_alignment": b"64", "byteorder": b"little"}
VERSION = {"version": b"3\n"}
TWO_FLOATS = struct.pack("<2f", 1.5, -2.0)
STATE_DICT = stream(mapping({"state_dict": mapping({"w": tensor()})}))


@dataclass
class Member:
    """One member; the mappings override single fields of its headers.

    Attributes:
        before: bytes of no member that lie before its local header.
        stored: what lies in the file in place of `data`.
    """

    name: str
    data: bytes
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)
    descriptor: dict[str, Any] = field(default_factory=dict)
    before: bytes = b""
    stored: bytes | None = None


LOCAL = "<4s5H3I2H"
LOCAL_FIELDS = (
    "magic",
    "needed",
    "flags",
    "method",
    "time",
    "date",
    "crc",
    "packed",
    "size",
    "name",
    "extra",
)
CENTRAL = "<4s6H3I5H2I"
CENTRAL_FIELDS = (
    "magic",
    "made",
    "needed",
    "flags",
    "method",
    "time",
    "date",
    "crc",
    "packed",
    "size",
    "name",
    "extra",
    "comment",
    "disk",
    "internal",
    "external",
    "offset",
)


def build_zip(members: list[Member], *, alignment: int = 64, tail: Callable[[bytes], bytes] = bytes) -> bytes:
    """The archive.

    Args:
        tail: changes the three end records.
    """
    out, directory = bytearray(), bytearray()
    for member in members:
        out += member.before
        offset = len(out)
        stored = member.data if member.stored is None else member.stored
        out += _local(member, offset, alignment) + stored
        crc, size = zlib.crc32(member.data), len(member.data)
        if member.data:
            values = {"crc": crc, "packed": len(stored), "size": size} | member.descriptor
            out += struct.pack("<4s3I", b"PK\7\x08", *values.values())
        name = member.name.encode()
        entry = (
            dict.fromkeys(CENTRAL_FIELDS, 0)
            | {
                "magic": b"PK\1\2",
                "flags": 0x0808 if member.data else 0x0800,
                "crc": crc,
                "packed": len(stored),
                "size": size,
                "name": len(name),
                "offset": offset,
            }
            | member.central
        )
        extra = entry.pop("raw_extra", b"")
        directory += struct.pack(CENTRAL, *(entry | {"extra": len(extra)}).values()) + name + extra
    end = _end(len(members), len(directory), len(out))
    return bytes(out + directory) + tail(end)


def _local(member: Member, offset: int, alignment: int) -> bytes:
    name = member.name.encode()
    padding = -(offset + struct.calcsize(LOCAL) + len(name) + 4) % alignment
    header = (
        dict.fromkeys(LOCAL_FIELDS, 0)
        | {
            "magic": b"PK\3\4",
            "flags": 0x0808 if member.data else 0x0800,
            "name": len(name),
            "extra": 4 + padding,
        }
        | member.local
    )
    fill = header.pop("fill", b"Z")
    tag = header.pop("tag", b"FB")
    extra: bytes = struct.pack("<2sH", tag, padding) + fill * padding
    return struct.pack(LOCAL, *header.values()) + name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    zip64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x031E, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    short = min(count, 0xFFFF)
    return zip64 + locator + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, short, short, size, offset, 0)


def members_of(
    pickle: bytes = STATE_DICT,
    storages: Mapping[str, bytes] | None = None,
    *,
    small: Mapping[str, bytes] | None = None,
    top: str = "archive",
) -> list[Member]:
    """The members that torch.save would write for this pickle; two floats as storage 0."""
    found = {"0": TWO_FLOATS} if storages is None else storages
    content = {
        "data.pkl": pickle,
        **(SMALL if small is None else small),
        **{f"data/{key}": data for key, data in found.items()},
        **VERSION,
    }
    return [Member(f"{top}/{name}", data) for name, data in content.items()]


def torch_zip(pickle: bytes = STATE_DICT, storages: Mapping[str, bytes] | None = None) -> bytes:
    """A file that torch.load takes."""
    return build_zip(members_of(pickle, storages))
