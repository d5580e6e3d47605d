"""Read a zip archive strictly: every byte of the file belongs to exactly one known structure."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive import zipformat as z
from mm_ckpt_migrate.files.archive.source import Source

MAX_DIRECTORY_BYTES: Final = 100 << 20
# Printable ASCII but for the backslash, which is a separator on some systems.
_NAME: Final = re.compile(rb"[ -\[\]-~]+")
# A descriptor, a header, and its padding.
_AHEAD: Final = 256
_TORCHSCRIPT: Final = ("constants.pkl", "code/", "model.json", "tensors/")
_RESAVE: Final = "Load it with torch and write it again with torch.save, or fetch it again."


def read_records(source: Source) -> list[z.Record]:
    """The archive's members in file order.

    Raises:
        CheckpointError: the archive is damaged, ambiguous, or not as torch.save writes it.
        LimitError: its directory is larger than any genuine one.
    """
    count, size, offset = _end_of_directory(source)
    directory = source.read(offset, size)
    window = _Window(source)
    records = [_complete(window, *entry) for entry in _entries(source, directory, count)]
    _check_layout(source, records, offset)
    return records


class _Window:
    """A little of the file: between two payloads lie a descriptor and a header, for one read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._offset = 0
        self._data = b""

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes; raises as `Source.read` does."""
        start = offset - self._offset
        if start < 0 or start + size > len(self._data):
            ahead = min(max(size, _AHEAD), self.source.size - offset)
            self._data = self.source.read(offset, max(size, ahead))
            self._offset, start = offset, 0
        return self._data[start : start + size]


def _refuse(source: Source, reason: str) -> CheckpointError:
    return CheckpointError(source.path, reason, hint=_RESAVE)


def _end_of_directory(source: Source) -> tuple[int, int, int]:
    """Count, size and offset of the central directory, all three end records agreeing."""
    if source.size < z.TAIL_SIZE:
        raise _refuse(source, "the zip archive is cut short")
    tail = source.read(source.size - z.TAIL_SIZE, z.TAIL_SIZE)
    if tail[-z.END_SIZE :][:4] != z.END_MAGIC or tail[:4] != z.ZIP64_END_MAGIC:
        raise _refuse(source, "the zip archive has no end record; the file is cut short or extended")
    count, _, size, offset = struct.unpack_from("<4Q", tail, 24)
    if offset + size != source.size - z.TAIL_SIZE:
        raise _refuse(source, "the zip archive's directory is not where its end record says")
    if z.end_records(count, size, offset) != tail:
        raise _refuse(source, "the zip archive's end records contradict each other")
    if size > MAX_DIRECTORY_BYTES:
        raise LimitError(source.path, f"the zip directory is larger than {MAX_DIRECTORY_BYTES} bytes")
    return count, size, offset


def _entries(source: Source, directory: bytes, count: int) -> Iterator[tuple[str, int, int, int]]:
    """Name, offset, size and CRC of each central entry."""
    position = 0
    for _ in range(count):
        fixed = directory[position : position + z.CENTRAL_SIZE]
        if len(fixed) < z.CENTRAL_SIZE or fixed[:4] != z.CENTRAL_MAGIC:
            raise _refuse(source, "the zip directory is damaged")
        crc, _, size, name_size, extra_size = struct.unpack_from("<3I2H", fixed, 16)
        (offset,) = struct.unpack_from("<I", fixed, 42)
        start = position + z.CENTRAL_SIZE
        name = _name(source, directory[start : start + name_size])
        extra = directory[start + name_size : start + name_size + extra_size]
        size, offset = _widen(source, name, size, offset, extra)
        expected = z.central_entry(z.Record(name, offset, size, crc, 0))
        if directory[position : position + len(expected)] != expected:
            raise _refuse(source, f"{name}: its zip entry is not as torch.save writes it")
        position += len(expected)
        yield name, offset, size, crc
    if position != len(directory):
        raise _refuse(source, "the zip directory holds bytes that belong to no entry")


def _name(source: Source, raw: bytes) -> str:
    """A member's name; anything but printable ASCII below one folder is refused.

    The folder's name is that of the file which torch.save was told to write, spaces and all.
    """
    if not _NAME.fullmatch(raw):
        raise _refuse(source, f"a zip member has the name {raw[:80]!r}")
    name = raw.decode("ascii")
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        raise _refuse(source, f"a zip member has the name {name[:80]!r}")
    if name.partition("/")[2].startswith(_TORCHSCRIPT):
        raise CheckpointError(
            source.path,
            "this is a TorchScript archive, a program rather than a checkpoint",
            hint="Give the .pth file that the training run wrote.",
        )
    return name


def _widen(source: Source, name: str, size: int, offset: int, extra: bytes) -> tuple[int, int]:
    """Sizes and offsets of 4 GiB and more stand in a zip64 field."""
    wanted = (2 if size == z.UINT32_MAX else 0) + (1 if offset == z.UINT32_MAX else 0)
    if len(extra) != (4 + 8 * wanted if wanted else 0):
        raise _refuse(source, f"{name}: its zip entry is not as torch.save writes it")
    values = list(struct.unpack(f"<{wanted}Q", extra[4:])) if wanted else []
    return (values[0] if size == z.UINT32_MAX else size, values[-1] if offset == z.UINT32_MAX else offset)


def _complete(window: _Window, name: str, offset: int, size: int, crc: int) -> z.Record:
    """The record with the padding that its local header states."""
    source = window.source
    if offset + size > source.size:
        raise _refuse(source, f"{name}: the zip entry points behind the end of the file")
    fixed = window.read(offset, z.LOCAL_SIZE)
    bare = z.Record(name, offset, size, crc, 0)
    extra_size = int.from_bytes(fixed[28:30], "little")
    padding = z.LOCAL_SIZE + len(name) + extra_size - z.bare_header_size(bare)
    record = z.Record(name, offset, size, crc, max(padding, 0))
    header = z.local_header(record)
    if window.read(offset, len(header)) != header:
        raise _refuse(source, f"{name}: its local header contradicts the zip directory")
    tail = z.descriptor(record)
    if window.read(offset + len(header) + size, len(tail)) != tail:
        raise _refuse(source, f"{name}: its data descriptor contradicts the zip directory")
    return record


def _check_layout(source: Source, records: list[z.Record], directory: int) -> None:
    """No gap, no overlap, no name twice (not even in another case)."""
    if not records or records[0].offset:
        raise _refuse(source, "there are bytes before the zip archive's first member")
    ends = [*(record.offset for record in records[1:]), directory]
    for record, following in zip(records, ends, strict=True):
        if record.end != following:
            raise _refuse(source, f"{record.name}: bytes around this zip member belong to nothing")
    names = sorted(record.name.casefold() for record in records)
    for name, following_name in pairwise(names):
        if name == following_name:
            raise _refuse(source, f"two zip members are named {name}")
