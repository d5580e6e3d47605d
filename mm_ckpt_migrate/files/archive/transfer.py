"""Copy storages from the source into the new file, and measure what arrived."""

from __future__ import annotations

import errno
import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import TracebackType
from typing import Final, TypeAlias, TypeVar

from mm_ckpt_migrate.errors import CheckpointError, IntegrityError
from mm_ckpt_migrate.files.archive.crc import crc32
from mm_ckpt_migrate.files.archive.image import Extent, Image
from mm_ckpt_migrate.files.archive.progress import Progress
from mm_ckpt_migrate.files.archive.publish import Draft, as_destination_error
from mm_ckpt_migrate.files.archive.source import CHUNK, Source, read_blocks

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_KERNEL_CHUNK: Final = 64 << 20

_RUN_BYTES: Final = 8 << 20
_RUN_GAP: Final = 4 << 10
_FLUSH_SECONDS: Final = 0.15
_BEHIND: Final = 2 << 30

_T = TypeVar("_T")
# First byte in the new file, and the storage that is copied there.
Placed: TypeAlias = tuple[int, Extent]


def measure(fd: int, offset: int, size: int, path: Path) -> int:
    """CRC-32 of a range of an open file."""
    crc = 0
    for block in read_blocks(fd, offset, size, path):
        crc = crc32(block, crc)
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
            source.path,
            f"storage {extent.key} is damaged: its CRC does not match",
            hint="Fetch the file again; the damage was there before.",
        )
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

    One thread copies, the second has the disk write what it would otherwise write at the end. The
    third reads back, some gigabytes behind the copy: closer, it would take the processor from the
    digest of the source, which takes the longest; farther, the memory would not hold it any more.
    """

    def __init__(
        self, source: Source, image: Image, draft: Draft, progress: Progress, left_out: Iterable[Extent] = ()
    ) -> None:
        """`left_out`: storages that are not copied, whose CRC is checked all the same."""
        self._left_out = list(left_out)
        self._source = source
        self._draft = draft
        self._progress = progress
        self._extents = [(offset, extent) for offset, extent in image.extents() if extent.size]
        self._stopping = Event()
        self._copied = Event()
        self._arrived: SimpleQueue[list[Placed] | None] = SimpleQueue()
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="transfer")

    def __enter__(self) -> Transfer:
        self._copying = self._pool.submit(self._copy_all)
        self._comparing = self._pool.submit(self._compare_all)
        self._flushing = self._pool.submit(self._flush)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def copied(self) -> None:
        """Wait until all is copied, if not yet compared; what lies between may be written then.

        Raises:
            CheckpointError: the source is cut short.
            DestinationError: the disk is full or fails.
        """
        self._wait(self._copying)

    def compared(self) -> Copies:
        """Wait until everything that was copied was read back.

        Raises:
            CheckpointError: the source is damaged.
            IntegrityError: what arrived is not what the source holds.
        """
        crcs = self._wait(self._comparing)
        placed = list(zip(self._extents, crcs, strict=True))
        return Copies(
            {(extent.offset, extent.size): crc for (_, extent), crc in placed},
            {(offset, extent.size): crc for (offset, extent), crc in placed},
            {offset: extent.offset for (offset, extent), _ in placed},
        )

    def flushed(self) -> None:
        """Wait until the disk has it all; raises DestinationError."""
        self._wait(self._flushing)

    def _wait(self, future: Future[_T]) -> _T:
        try:
            return future.result()
        except OSError as error:
            raise as_destination_error(self._draft.path, error) from error

    def _copy_all(self) -> None:
        ahead: deque[list[Placed]] = deque()
        try:
            for run in _runs(self._extents):
                if self._stopping.is_set():
                    return
                (offset, first), (_, last) = run[0], run[-1]
                size = last.offset + last.size - first.offset
                _copy(self._source, first.offset, self._draft, offset, size)
                ahead.append(run)
                while offset - ahead[0][0][0] > _BEHIND:
                    self._arrived.put(ahead.popleft())
                self._progress(sum(extent.size for _, extent in run))
        finally:
            self._copied.set()
            for run in ahead:
                self._arrived.put(run)
            self._arrived.put(None)

    def _compare_all(self) -> list[int]:
        """CRC of each storage in the new file; those that are left out are checked as well."""
        crcs: list[int] = []
        while (run := self._arrived.get()) is not None:
            for offset, extent in run:
                if not self._stopping.is_set():
                    crcs.append(_arrived(self._source, extent, self._draft, offset))
        for extent in self._left_out:
            if not self._stopping.is_set():
                _source_crc(self._source, extent)
        return crcs

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


def _runs(placed: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Storages that lie in the new file as they lie in the source, to be copied in one go.

    What lies between them is copied too, as the kernel is slowed by each seam; the caller writes
    the new file's own there afterwards.
    """
    run: list[Placed] = []
    for offset, extent in placed:
        if run:
            (start, first), (_, last) = run[0], run[-1]
            moved = extent.offset - first.offset != offset - start
            gap = extent.offset - last.offset - last.size
            too_long = extent.offset + extent.size - first.offset > _RUN_BYTES
            if moved or not 0 <= gap <= _RUN_GAP or too_long:
                yield run
                run = []
        run.append((offset, extent))
    if run:
        yield run


def copy_whole(source: Source, draft: Draft) -> str:
    """Copy a file as it is, and read it back; gives its SHA-256, in hex.

    Raises:
        CheckpointError: the source is cut short, or changed meanwhile.
        DestinationError: the disk is full or fails.
        IntegrityError: what arrived is not what the source holds.
    """
    source.start_digest()
    try:
        _copy(source, 0, draft, 0, source.size)
    except OSError as error:
        raise as_destination_error(draft.path, error) from error
    arrived = hashlib.sha256()
    for block in read_blocks(draft.fd, 0, source.size, draft.path):
        arrived.update(block)
    if arrived.hexdigest() != source.digest():
        raise IntegrityError(f"{draft.path}: it arrived changed; nothing was published")
    return source.digest()


def _copy(source: Source, start: int, draft: Draft, offset: int, size: int) -> None:
    done = 0
    while done < size:
        count = _kernel_copy(source, start + done, draft, offset + done, size - done)
        if not count:
            block = source.read(start + done, min(CHUNK, size - done))
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
        if error.errno in _NO_ROOM:
            raise
        # What the kernel cannot copy here, we can; and where a disk fails, it is not said which of
        # the two: reading and writing one after the other tells.
        return 0
