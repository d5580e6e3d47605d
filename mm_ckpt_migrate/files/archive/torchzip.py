"""torch's zip format: which members there are, and how a new file of them is composed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive import zipformat as z
from mm_ckpt_migrate.files.archive.image import Extent, Image, Piece, piece_size
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.zipread import read_records
from mm_ckpt_migrate.files.pickles import limits

# Members beside the pickle and the storages, with the contents that torch can write.
_SMALL: Final[dict[str, re.Pattern[bytes]]] = {
    ".format_version": re.compile(rb"1"),
    ".storage_alignment": re.compile(rb"[1-9][0-9]{0,4}"),
    "byteorder": re.compile(rb"little"),
    "version": re.compile(rb"([1-9]|10)\n?"),
    ".data/serialization_id": re.compile(rb"[0-9]{1,64}"),
}
_WORTH_ALIGNING: Final = 16 << 20
_SPLICE: Final = 64 << 10
# A zip extra field holds 65,535 bytes at most, and torch's own padding needs some of them.
_MAX_EXTRA_PADDING: Final = 65_535 - 4 - z.DEFAULT_ALIGNMENT


@dataclass(frozen=True, slots=True)
class TorchZip:
    """The members of a torch zip file.

    Attributes:
        pickle: the content of `data.pkl`.
        extents: the storages in file order.
        top: the folder that all members lie in.
        before, after: small members before and after the storages, as (name, content).
    """

    pickle: bytes
    extents: tuple[Extent, ...]
    top: str = "archive"
    before: tuple[tuple[str, bytes], ...] = (
        (".format_version", b"1"),
        (".storage_alignment", b"64"),
        ("byteorder", b"little"),
    )
    after: tuple[tuple[str, bytes], ...] = (("version", b"3\n"),)

    @property
    def alignment(self) -> int:
        return int(dict(self.before).get(".storage_alignment", z.DEFAULT_ALIGNMENT))


def read_zip(source: Source, *, check_crc: bool | None = True) -> TorchZip:
    """Read the members; storages are located, not read.

    Args:
        check_crc: hold what is read against its CRC, and refuse an archive that records none;
            None checks where there is one.

    Raises:
        CheckpointError: the archive is damaged or is not one that torch.save writes.
        LimitError: its pickle is larger than any genuine one.
    """
    records = read_records(source)
    top, names = _names(source, records)
    recorded = any(record.crc for record in records if record.size)
    if check_crc and not recorded:
        raise CheckpointError(
            source.path,
            "it was saved without CRCs, so damage cannot be detected",
            hint="Add --no-crc to accept it with that reduced assurance.",
        )
    check_crc = recorded if check_crc is None else check_crc
    small = [(n, r) for n, r in zip(names, records, strict=True) if not n.startswith("data/")]
    first = next((i for i, name in enumerate(names) if name.startswith("data/")), len(names))
    content = {name: _read_small(source, name, r, check_crc) for name, r in small}
    pickle = content.pop("data.pkl")
    found = TorchZip(
        pickle=pickle,
        extents=tuple(
            Extent(name.removeprefix("data/"), r.payload, r.size, r.crc if check_crc else None)
            for name, r in zip(names, records, strict=True)
            if name.startswith("data/")
        ),
        top=top,
        before=tuple((n, content[n]) for n in names[:first] if n in content),
        after=tuple((n, content[n]) for n in names[first:] if n in content),
    )
    if found.alignment & (found.alignment - 1):  # it has five digits at most
        raise CheckpointError(source.path, f"storage alignment {found.alignment} is impossible")
    return found


def _names(source: Source, records: Sequence[z.Record]) -> tuple[str, list[str]]:
    """The top folder, and the members' names below it; data.pkl must come first."""
    top, slash, _ = records[0].name.partition("/")
    names = [record.name.removeprefix(f"{top}/") for record in records]
    if not slash or any(not record.name.startswith(f"{top}/") for record in records):
        raise CheckpointError(source.path, "this zip archive was not written by torch.save")
    if names[0] != "data.pkl":
        raise CheckpointError(source.path, "this zip archive has no data.pkl as its first member")
    for name in names[1:]:
        if name not in _SMALL and not re.fullmatch(r"data/(0|[1-9][0-9]*)", name):
            raise CheckpointError(source.path, f"the zip member {name[:80]!r} is unknown")
    if "version" not in names:
        raise CheckpointError(source.path, "the zip member `version` is missing")
    return top, names


def _read_small(source: Source, name: str, record: z.Record, check_crc: bool) -> bytes:
    limit = limits.MAX_PICKLE_BYTES if name == "data.pkl" else 64
    if record.size > limit:
        raise LimitError(source.path, f"{name} is larger than {limit} bytes")
    content = source.read(record.payload, record.size)
    if check_crc and zlib.crc32(content) != record.crc:
        raise CheckpointError(
            source.path, f"{name} is damaged: its CRC does not match", hint="Fetch the file again."
        )
    if name in _SMALL and not _SMALL[name].fullmatch(content):
        raise CheckpointError(source.path, f"{name} holds {content[:40]!r}")
    return content


def compose_zip(container: TorchZip, pickle: bytes, storages: Sequence[Piece]) -> Image:
    """The file with this pickle and these storages, numbered in the order given.

    Every extent must have its CRC. The small members keep their contents and places.
    """
    builder = _compose_start(container, pickle, 0)
    first = storages[0] if storages else None
    if isinstance(first, Extent) and sum(map(piece_size, storages)) >= _WORTH_ALIGNING:
        builder = _compose_start(container, pickle, _shift_padding(container, builder, first))
    for number, piece in enumerate(storages):
        crc = piece.crc if isinstance(piece, Extent) else zlib.crc32(piece)
        assert crc is not None
        builder.add(f"{container.top}/data/{number}", piece, crc)
    for name, content in container.after:
        builder.add(f"{container.top}/{name}", content, zlib.crc32(content))
    return builder.finish()


def _compose_start(container: TorchZip, pickle: bytes, padding: int) -> _Builder:
    """Everything before the storages; `padding` goes into the first member's `FB` field."""
    builder = _Builder(container.alignment)
    builder.add(f"{container.top}/data.pkl", pickle, zlib.crc32(pickle), padding)
    for name, content in container.before:
        builder.add(f"{container.top}/{name}", content, zlib.crc32(content))
    return builder


def _shift_padding(container: TorchZip, start: _Builder, first: Extent) -> int:
    """Padding that moves the storages by a multiple of what the kernel copies at once.

    Linux splices 64 KiB at a time, and takes half as long again where those do not fall onto
    whole pages of the new file. Only the first member may be padded more than torch would: the
    offsets of storages are computed from each other (`calculate_storage_offsets`).
    """
    name = f"{container.top}/data/0"
    payload = z.place(name, start.offset, first.size, 0, container.alignment).payload
    padding = (first.offset - payload) % _SPLICE
    fits = padding % container.alignment == 0 and padding <= _MAX_EXTRA_PADDING
    return padding if fits else 0


@dataclass(slots=True)
class _Builder:
    alignment: int
    offset: int = 0
    pieces: list[Piece] = field(default_factory=list)
    literal: bytearray = field(default_factory=bytearray)
    records: list[z.Record] = field(default_factory=list)

    def add(self, name: str, payload: Piece, crc: int, padding: int = 0) -> None:
        record = z.place(name, self.offset, piece_size(payload), crc, self.alignment)
        record = record._replace(padding=record.padding + padding)
        self.literal += z.local_header(record)
        if isinstance(payload, bytes):
            self.literal += payload
        else:
            self.pieces += (bytes(self.literal), payload)
            self.literal.clear()
        self.literal += z.descriptor(record)
        self.records.append(record)
        self.offset = record.end

    def finish(self) -> Image:
        directory = b"".join(map(z.central_entry, self.records))
        end = z.end_records(len(self.records), len(directory), self.offset)
        self.pieces.append(bytes(self.literal + directory + end))
        return Image(self.pieces)
