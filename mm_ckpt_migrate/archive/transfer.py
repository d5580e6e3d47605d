"""Copy storages from the source into the new file, and measure what arrived."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Final

from mm_ckpt_migrate.archive.image import Extent, Image
from mm_ckpt_migrate.archive.progress import Progress
from mm_ckpt_migrate.archive.publish import Draft, as_destination_error
from mm_ckpt_migrate.archive.source import CHUNK, Source, read_blocks
from mm_ckpt_migrate.errors import CheckpointError, IntegrityError

_NO_KERNEL_COPY: Final = {
    errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY,
}  # fmt: skip
_KERNEL_CHUNK: Final = 64 << 20

_FLUSH_SECONDS: Final = 0.15


def measure(fd: int, offset: int, size: int, path: Path) -> int:
    """CRC-32 of a range of an open file."""
    crc = 0
    for block in read_blocks(fd, offset, size, path):
        crc = zlib.crc32(block, crc)
    return crc


def measure_extents(source: Source, extents: Iterable[Extent]) -> list[Extent]:
    """The same extents with their CRC; those that have one are held against it.

    Raises:
        CheckpointError: a storage's bytes do not match the CRC that its container records.
    """
    return [replace(extent, crc=_source_crc(source, extent)) for extent in extents]


def _source_crc(source: Source, extent: Extent) -> int:
    crc = measure(source.fd, extent.offset, extent.size, source.path)
    if extent.crc not in (None, crc):
        raise CheckpointError(
            source.path, f"storage {extent.key} is damaged: its CRC does not match",
            hint="Fetch the file again; the damage was there before.",
        )  # fmt: skip
    return crc


@dataclass(frozen=True, slots=True)
class Copies:
    """What was copied. Storages are named by their first byte in a file.

    Attributes:
        source, output: CRC-32 of each range that was copied, by first byte and size, in the
            source and in the new file; equal by now.
        origin: where each storage of the new file lies in the source.
    """

    source: Mapping[tuple[int, int], int]
    output: Mapping[tuple[int, int], int]
    origin: Mapping[int, int]


class Transfer:
    """Copies the storages of an image in the background, and reads back what arrived.

    Three threads, none of which holds Python's lock for long: one copies, one reads back right
    behind it, and one has the disk write meanwhile what it would otherwise write at the end.
    """

    def __init__(
        self,
        source: Source,
        image: Image,
        draft: Draft,
        progress: Progress,
        left_out: Iterable[Extent] = (),
    ) -> None:
        """`left_out`: storages that are not copied, whose CRC is checked all the same."""
        self._left_out = list(left_out)
        self._source = source
        self._draft = draft
        self._progress = progress
        self._extents = [(offset, extent) for offset, extent in image.extents() if extent.size]
        self._arriving: list[Future[int]] = []
        self._stopping = Event()
        self._copied = Event()
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="transfer")

    def __enter__(self) -> Transfer:
        self._copying = self._pool.submit(self._copy_all)
        self._checking = [
            self._pool.submit(_source_crc, self._source, extent) for extent in self._left_out
        ]
        self._flushing = self._pool.submit(self._flush)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def result(self) -> Copies:
        """Wait until every storage has arrived.

        Raises:
            CheckpointError: the source is damaged or cut short.
            DestinationError: the disk is full or fails.
            IntegrityError: what arrived is not what the source holds.
        """
        try:
            self._copying.result()
            for check in self._checking:
                check.result()
            crcs = [future.result() for future in self._arriving]
            self._flushing.result()
        except OSError as error:
            raise as_destination_error(self._draft.path, error) from error
        placed = list(zip(self._extents, crcs, strict=True))
        return Copies(
            {(extent.offset, extent.size): crc for (_, extent), crc in placed},
            {(offset, extent.size): crc for (offset, extent), crc in placed},
            {offset: extent.offset for (offset, extent), _ in placed},
        )

    def _copy_all(self) -> None:
        try:
            for offset, extent in self._extents:
                if self._stopping.is_set():
                    return
                _copy(self._source, extent, self._draft, offset)
                task = (self._source, extent, self._draft, offset)
                self._arriving.append(self._pool.submit(_arrived, *task))
                self._progress(extent.size)
        finally:
            self._copied.set()

    def _flush(self) -> None:
        while not self._copied.wait(_FLUSH_SECONDS):
            os.fdatasync(self._draft.fd)
        if not self._stopping.is_set():
            os.fdatasync(self._draft.fd)


def _arrived(source: Source, extent: Extent, draft: Draft, offset: int) -> int:
    crc = measure(draft.fd, offset, extent.size, draft.path)
    if crc != (extent.crc if extent.crc is not None else _source_crc(source, extent)):
        _source_crc(source, extent)
        raise IntegrityError(
            f"{draft.path}: storage {extent.key} arrived changed; nothing was published",
            hint="Memory or disk of this machine fails; try another one.",
        )
    return crc


def _copy(source: Source, extent: Extent, draft: Draft, offset: int) -> None:
    done = 0
    while done < extent.size:
        count = _kernel_copy(source, extent.offset + done, draft, offset + done, extent.size - done)
        if not count:
            block = source.read(extent.offset + done, min(CHUNK, extent.size - done))
            draft.write(offset + done, block)
            count = len(block)
        done += count


def _kernel_copy(source: Source, start: int, draft: Draft, offset: int, size: int) -> int:
    """Bytes copied inside the kernel; 0 where it cannot do that between these two files."""
    if not hasattr(os, "copy_file_range"):
        return 0
    try:
        return os.copy_file_range(source.fd, draft.fd, min(size, _KERNEL_CHUNK), start, offset)
    except OSError as error:
        if error.errno in _NO_KERNEL_COPY:
            return 0
        raise
