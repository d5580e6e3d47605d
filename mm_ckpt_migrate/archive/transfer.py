"""Copy storages from the source into the new file, and measure what arrived."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.archive.image import Extent, Image
from mm_ckpt_migrate.archive.publish import Draft, as_destination_error
from mm_ckpt_migrate.archive.source import CHUNK, Source, read_blocks
from mm_ckpt_migrate.errors import CheckpointError, IntegrityError

_NO_KERNEL_COPY: Final = {
    errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY,
}  # fmt: skip
_KERNEL_CHUNK: Final = 64 << 20

Progress = Callable[[int], None]


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
    """CRC-32 of every storage that was copied, equal on both sides.

    Attributes:
        source: by first byte in the source.
        output: by first byte in the new file.
    """

    source: Mapping[int, int]
    output: Mapping[int, int]


def copy_storages(source: Source, image: Image, draft: Draft, progress: Progress) -> Copies:
    """Copy every storage, and read back what arrived.

    The reading back runs in a second thread, right behind the copying. It tells at once whether
    the source's own bytes match the CRC that its container records.

    Raises:
        CheckpointError: the source is damaged or cut short.
        DestinationError: the disk is full or fails.
        IntegrityError: what arrived is not what the source holds.
    """
    arriving: list[tuple[Extent, int, Future[int]]] = []
    with ThreadPoolExecutor(1, thread_name_prefix="crc32") as pool:
        try:
            for offset, extent in image.extents():
                if not extent.size:
                    continue
                _copy(source, extent, draft, offset)
                arriving.append(
                    (extent, offset, pool.submit(_arrived, source, extent, draft, offset))
                )
                progress(extent.size)
            os.fdatasync(draft.fd)
            crcs = [(extent.offset, offset, future.result()) for extent, offset, future in arriving]
        except OSError as error:
            raise as_destination_error(draft.path, error) from error
        finally:
            pool.shutdown(cancel_futures=True)
    return Copies({s: crc for s, _, crc in crcs}, {o: crc for _, o, crc in crcs})


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
