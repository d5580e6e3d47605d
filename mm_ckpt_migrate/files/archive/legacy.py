"""torch's format before 1.6, which mmdet's `publish_model.py` still writes.

Five pickles in a row (magic, protocol, system, object, storage keys), then for each key a
64-bit element count and the storage's bytes. There is no checksum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.dtypes import ITEM_SIZES
from mm_ckpt_migrate.files.archive.image import Extent, Image, Piece
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import StorageRef, storage_refs
from mm_ckpt_migrate.files.pickles import limits
from mm_ckpt_migrate.files.pickles.build import elements, find, from_plain
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleCutShortError
from mm_ckpt_migrate.files.pickles.nodes import List, Scalar, Text
from mm_ckpt_migrate.files.pickles.parse import Parsed, parse

# pickle.dumps(0x1950a86a20f9469cfc6c, 2) and pickle.dumps(1001, 2)
PREAMBLE: Final = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e80024de9032e")
_FIRST_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class LegacyFile:
    """The parts of a legacy file.

    Attributes:
        head: the bytes before the object's pickle.
        parsed: the object.
        extents: the storages in file order; they carry no CRC.
    """

    head: bytes
    parsed: Parsed
    extents: tuple[Extent, ...]


def read_legacy(source: Source) -> LegacyFile:
    """Read the pickles and locate the storages.

    Raises:
        CheckpointError: the file is damaged or not as torch.save writes it.
        PickleError: one of its pickles is malformed.
    """
    if source.read(0, len(PREAMBLE)) != PREAMBLE:
        raise CheckpointError(source.path, "it is of a protocol that torch never wrote")
    system = _parse_at(source, len(PREAMBLE))
    endian = find(system.root, "little_endian")
    if not isinstance(endian, Scalar) or endian.value is not True:
        raise CheckpointError(source.path, "it was written on a big-endian machine")
    start = system.end
    body = _parse_at(source, start)
    keys = _parse_at(source, body.end)
    names = [key.value for key in elements(keys.root) if isinstance(key, Text)]
    if not isinstance(keys.root, List) or len(names) != len(elements(keys.root)):
        raise CheckpointError(source.path, "its list of storages is malformed")
    extents = _locate(source, names, storage_refs(body.made.persistents), keys.end)
    return LegacyFile(source.read(0, start), body, tuple(extents))


def _parse_at(source: Source, start: int) -> Parsed:
    """Parse one pickle from the middle of the file; `end` counts from the file's first byte."""
    size = _FIRST_READ
    while True:
        available = min(size, source.size - start)
        try:
            parsed = parse(source.read(start, available))
        except PickleCutShortError:
            if available < size:
                raise
            size = min(4 * size, limits.MAX_PICKLE_BYTES + 1)  # of so many bytes nothing is parsed
        else:
            return replace(parsed, end=start + parsed.end)


def _locate(source: Source, keys: Sequence[str], refs: dict[str, StorageRef], offset: int) -> list[Extent]:
    if sorted(keys) != sorted(refs):
        raise CheckpointError(source.path, "its list of storages does not match its tensors")
    extents = []
    for key in keys:
        ref = refs[key]
        if offset + 8 + ref.nbytes > source.size:
            raise CheckpointError(
                source.path,
                "it is cut short: a storage lies behind the end of the file",
                hint="Fetch the file again.",
            )
        numel = int.from_bytes(source.read(offset, 8), "little", signed=True)
        if numel != ref.numel:
            raise CheckpointError(source.path, f"a storage has {numel} elements, not {ref.numel}")
        extents.append(Extent(key, offset + 8, ref.nbytes))
        offset += 8 + ref.nbytes
    if offset != source.size:
        raise CheckpointError(source.path, "there are bytes after its last storage")
    return extents


def compose_legacy(
    container: LegacyFile,
    pickle: bytes,
    refs: Mapping[str, StorageRef],
    new: Mapping[str, bytes] = MappingProxyType({}),
) -> Image:
    """The file with this pickle and those of the storages that `refs` names, in file order.

    Args:
        new: of storages with other bytes than they had, as many as before.
    """
    kept = [extent for extent in container.extents if extent.key in refs]
    keys = emit(from_plain([extent.key for extent in kept]))
    pieces: list[Piece] = [container.head + pickle + keys]
    for extent in kept:
        numel = extent.size // ITEM_SIZES[refs[extent.key].dtype]
        pieces += (numel.to_bytes(8, "little"), new.get(extent.key, extent))
    return Image(pieces)
