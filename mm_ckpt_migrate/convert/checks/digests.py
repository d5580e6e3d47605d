"""Which storages of files hold the same bytes, each read once.

A CRC-32, which torch's zip format records, tells damage, but not intent: other bytes with an equal
one are found at once. So it only says which two storages are to be held against each other, byte for
byte, which takes a tenth of the time of two SHA-256; of all others that is computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.crc import crc32
from mm_ckpt_migrate.files.archive.image import Extent
from mm_ckpt_migrate.files.archive.source import read_blocks
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint

# Smaller ones have many equals, such as counters of steps; and what `convert` makes anew is small.
_WORTH_COMPARING: Final = 64 << 10


class Digests:
    """Gives equal digests for equal bytes: SHA-256, or a name for two that were found equal."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], bytes] = {}

    def __call__(self, checkpoint: Checkpoint, extent: Extent) -> bytes:
        """The digest of a range of a checkpoint's file; raises CheckpointError where that fails."""
        return self._digest(checkpoint, extent, None)

    def read(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Compute the digests of all storages, of several files at the same time.

        Raises:
            CheckpointError: the CRC that the container records of a storage does not match, or a
                file cannot be read.
        """
        files = list(checkpoints)
        self._compare(files)
        with ThreadPoolExecutor(max(1, len(files)), thread_name_prefix="digests") as pool:
            for _ in pool.map(self._read_all, files):
                pass

    def _read_all(self, checkpoint: Checkpoint) -> None:
        for extent in checkpoint.extents.values():
            self._digest(checkpoint, extent, extent.crc)

    def _compare(self, files: Sequence[Checkpoint]) -> None:
        """Hold pairs, one in each of two files, against each other."""
        alike: dict[tuple[int, int], list[tuple[Checkpoint, Extent]]] = {}
        for checkpoint in files:
            for extent in checkpoint.extents.values():
                if extent.crc is not None and extent.size >= _WORTH_COMPARING:
                    alike.setdefault((extent.size, extent.crc), []).append((checkpoint, extent))
        for (size, crc), pair in alike.items():
            if len(pair) == 2 and pair[0][0] is not pair[1][0] and _equal(*pair):
                same = f"{size} bytes, CRC {crc}".encode()
                self._known.update({(c.source.fd, e.offset, e.size): same for c, e in pair})

    def _digest(self, checkpoint: Checkpoint, extent: Extent, recorded: int | None) -> bytes:
        place = (checkpoint.source.fd, extent.offset, extent.size)
        if place not in self._known:
            self._known[place] = _read(checkpoint, extent, recorded)
        return self._known[place]


def _equal(first: tuple[Checkpoint, Extent], second: tuple[Checkpoint, Extent]) -> bool:
    """Whether two storages hold the same bytes, and those whose CRC is recorded."""
    blocks, crc = [], 0
    for checkpoint, extent in (first, second):
        source = checkpoint.source
        blocks.append(read_blocks(source.fd, extent.offset, extent.size, source.path))
    for one, other in zip(*blocks, strict=False):
        # `bytearray` compares by memcmp, a memoryview element by element.
        if bytearray(one) != other:
            return False
        crc = crc32(one, crc)
    return crc == first[1].crc


def _read(checkpoint: Checkpoint, extent: Extent, recorded: int | None) -> bytes:
    """The digest; on the way the CRC is held against the one that is recorded."""
    sha, crc, source = hashlib.sha256(), 0, checkpoint.source
    for block in read_blocks(source.fd, extent.offset, extent.size, source.path):
        sha.update(block)
        crc = crc32(block, crc) if recorded is not None else 0
    if recorded not in (None, crc):
        raise CheckpointError(
            source.path,
            f"storage {extent.key} is damaged: its CRC does not match",
            hint="Fetch the file again; the damage was there before.",
        )
    return sha.digest()
