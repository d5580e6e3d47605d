"""SHA-256 of the storages of files, each read and computed once.

A CRC-32, which torch's zip format records, tells damage, but not intent: other bytes with an equal
one are found at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.crc import crc32
from mm_ckpt_migrate.files.archive.image import Extent
from mm_ckpt_migrate.files.archive.source import read_blocks
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint


class Digests:
    """Computes what is asked for, and keeps it."""

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
        with ThreadPoolExecutor(max(1, len(files)), thread_name_prefix="digests") as pool:
            for _ in pool.map(self._read_all, files):
                pass

    def _read_all(self, checkpoint: Checkpoint) -> None:
        for extent in checkpoint.extents.values():
            self._digest(checkpoint, extent, extent.crc)

    def _digest(self, checkpoint: Checkpoint, extent: Extent, recorded: int | None) -> bytes:
        place = (checkpoint.source.fd, extent.offset, extent.size)
        if place not in self._known:
            self._known[place] = _read(checkpoint, extent, recorded)
        return self._known[place]


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
