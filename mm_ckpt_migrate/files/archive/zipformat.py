"""The bytes of a zip archive exactly as torch's writer (miniz, patched) lays them out.

One description serves both sides: the writer emits these bytes, and the reader refuses a file
whose headers differ from what they should be. Source: pytorch `caffe2/serialize/
inline_container.cc` (getPadding) and `third_party/miniz` (mz_zip_writer_add_mem_ex_v2).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

LOCAL_SIZE: Final = 30
CENTRAL_SIZE: Final = 46
END_SIZE: Final = 22
ZIP64_END_SIZE: Final = 56
LOCATOR_SIZE: Final = 20
TAIL_SIZE: Final = ZIP64_END_SIZE + LOCATOR_SIZE + END_SIZE

LOCAL_MAGIC: Final = b"PK\x03\x04"
DESCRIPTOR_MAGIC: Final = b"PK\x07\x08"
CENTRAL_MAGIC: Final = b"PK\x01\x02"
END_MAGIC: Final = b"PK\x05\x06"
ZIP64_END_MAGIC: Final = b"PK\x06\x06"
LOCATOR_MAGIC: Final = b"PK\x06\x07"

UINT32_MAX: Final = 0xFFFFFFFF
UINT16_MAX: Final = 0xFFFF
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_UTF8: Final = 0x0800
_DESCRIPTOR: Final = 0x0008
_ZIP64_TAG: Final = 0x0001
DEFAULT_ALIGNMENT: Final = 64


class Record(NamedTuple):
    """One stored member.

    Attributes:
        name: with the archive's top directory.
        offset: of its local header.
        size: of its payload in bytes.
        crc: CRC-32 of its payload.
        padding: bytes in its `FB` field, which align the payload.
    """

    name: str
    offset: int
    size: int
    crc: int
    padding: int

    @property
    def payload(self) -> int:
        """Offset of the payload."""
        return self.offset + bare_header_size(self) + self.padding

    @property
    def end(self) -> int:
        """Offset just behind the descriptor."""
        return self.payload + self.size + descriptor_size(self)


def place(name: str, offset: int, size: int, crc: int, alignment: int) -> Record:
    """A record at `offset` whose payload is aligned."""
    unpadded = Record(name=name, offset=offset, size=size, crc=crc, padding=0)
    return Record(name=name, offset=offset, size=size, crc=crc, padding=-unpadded.payload % alignment)


def bare_header_size(record: Record) -> int:
    """Bytes before the payload, but for the padding."""
    return LOCAL_SIZE + len(record.name.encode()) + len(_zip64_field(record)) + 4


def local_header(record: Record) -> bytes:
    """Everything before the payload. Sizes and CRC are zero here; the descriptor has them."""
    name = record.name.encode()
    # miniz writes this field before it knows the packed size, so that one stays 0 here.
    extra = _zip64_field(record, packed=0) + struct.pack("<2sH", b"FB", record.padding)
    size = len(extra) + record.padding
    fixed = _LOCAL.pack(LOCAL_MAGIC, 0, _flags(record), 0, 0, 0, 0, 0, 0, len(name), size)
    return fixed + name + extra + b"Z" * record.padding


def descriptor_size(record: Record) -> int:
    if not record.size:
        return 0
    return 24 if _is_zip64(record) else 16


def descriptor(record: Record) -> bytes:
    """What follows the payload; nothing for an empty one."""
    if not record.size:
        return b""
    sizes = "<4sIQQ" if _is_zip64(record) else "<4sIII"
    return struct.pack(sizes, DESCRIPTOR_MAGIC, record.crc, record.size, record.size)


def central_entry(record: Record) -> bytes:
    name = record.name.encode()
    extra = _zip64_field(record, packed=record.size)
    size, offset = min(record.size, UINT32_MAX), min(record.offset, UINT32_MAX)
    lengths = (len(name), len(extra), 0, 0, 0)
    zeros = (0, 0, 0)
    fixed = _CENTRAL.pack(
        CENTRAL_MAGIC, 0, 0, _flags(record), *zeros, record.crc, size, size, *lengths, 0, offset
    )
    return fixed + name + extra


def end_records(count: int, size: int, offset: int) -> bytes:
    """zip64 end, locator and end of a central directory of `count` entries and `size` bytes."""
    zip64 = struct.pack(
        "<4sQ2H2I4Q", ZIP64_END_MAGIC, ZIP64_END_SIZE - 12, 0x031E, 45, 0, 0, count, count, size, offset
    )
    locator = struct.pack("<4sIQI", LOCATOR_MAGIC, 0, offset + size, 1)
    short = min(count, UINT16_MAX)
    end = struct.pack(
        "<4s4H2IH", END_MAGIC, 0, 0, short, short, min(size, UINT32_MAX), min(offset, UINT32_MAX), 0
    )
    return zip64 + locator + end


def _flags(record: Record) -> int:
    return _UTF8 | (_DESCRIPTOR if record.size else 0)


def _is_zip64(record: Record) -> bool:
    return record.size >= UINT32_MAX or record.offset >= UINT32_MAX


def _zip64_field(record: Record, packed: int = 0) -> bytes:
    """What does not fit into 32 bits; miniz repeats the offset in the local header too."""
    if not _is_zip64(record):
        return b""
    values = [record.size, packed] if record.size >= UINT32_MAX else []
    if record.offset >= UINT32_MAX:
        values.append(record.offset)
    return struct.pack(f"<2H{len(values)}Q", _ZIP64_TAG, 8 * len(values), *values)
