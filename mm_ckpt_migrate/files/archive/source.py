"""A checkpoint file, opened once, for reading only."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.digest import DigestProcess

# Small enough to stay in a core's cache between the read and the sum over it.
CHUNK: Final = 256 << 10
_WORTH_A_PROCESS: Final = 64 << 20


class Source:
    """All reads go through one descriptor, so that replacing the path changes nothing.

    Raises:
        CheckpointError: the path is missing, unreadable, or no regular file.
    """

    def __init__(self, path: Path, fd: int | None = None) -> None:
        """`fd`: an open file to read instead, of which `path` is but the name; which stays open."""
        self.path = path
        self.fd = _open(path, fd)
        self.status = self._checked()
        self.size = self.status.st_size
        self._hashing: DigestProcess | None = None
        self._digest: str | None = None

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hashing:
            self._hashing.close()
        with contextlib.suppress(OSError):  # it was only read
            os.close(self.fd)

    def _checked(self) -> os.stat_result:
        try:
            status = self._stat()
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(self.path, "this is not a regular file", hint="Give a checkpoint file.")
        except CheckpointError:
            os.close(self.fd)
            raise
        return status

    def _stat(self) -> os.stat_result:
        try:
            return os.fstat(self.fd)
        except OSError as error:
            raise CheckpointError(self.path, f"the disk failed: {error.strerror}") from error

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes.

        Raises:
            CheckpointError: the file ends before that, or the disk reports an error.
        """
        return read_exactly(self.fd, offset, size, self.path)

    def start_digest(self) -> None:
        """Begin to compute the SHA-256 of a large file beside other work."""
        if self._hashing is None and self.size >= _WORTH_A_PROCESS and sys.executable:
            with contextlib.suppress(OSError):  # without it the digest takes longer, later
                self._hashing = DigestProcess(self.fd)

    def digest(self) -> str:
        """The SHA-256 of the whole file, in hex; also makes sure that it did not change.

        Raises:
            CheckpointError: the file was changed since it was opened, or cannot be read.
        """
        if self._digest is None:
            self._digest = self._compute_digest()
            self.check_unchanged()
        return self._digest

    def _compute_digest(self) -> str:
        if self._hashing is not None:
            # It may have been killed; where the file is at fault, that shows here as well.
            with contextlib.suppress(OSError):
                return self._hashing.result()
        sha = hashlib.sha256()
        for block in read_blocks(self.fd, 0, self.size, self.path):
            sha.update(block)
        return sha.hexdigest()

    def check_unchanged(self) -> None:
        """Raises CheckpointError where the open file was written to or cut since it was opened."""
        now = self._stat()
        before = self.status
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise CheckpointError(
                self.path, "the file changed while it was read", hint="Wait until it is complete."
            )


def read_exactly(fd: int, offset: int, size: int, path: Path) -> bytes:
    """Read with short reads and interruptions looped over; raises CheckpointError at the end."""
    blocks: list[bytes] = []
    while size > 0:
        try:
            block = os.pread(fd, size, offset)
        except OSError as error:
            raise CheckpointError(path, f"the disk failed to read it: {error.strerror}") from error
        if not block:
            raise CheckpointError(path, f"the file ends at byte {offset}, in the middle of a record")
        blocks.append(block)
        offset += len(block)
        size -= len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def read_blocks(fd: int, offset: int, size: int, path: Path) -> Iterator[memoryview]:
    """A range of a file, block after block in one buffer: each is gone when the next is asked for.

    Raises:
        CheckpointError: the file ends before that, or the disk reports an error.
    """
    buffer = memoryview(bytearray(min(CHUNK, size)))
    while size > 0:
        try:
            count = os.preadv(fd, [buffer[: min(CHUNK, size)]], offset)
        except OSError as error:
            raise CheckpointError(path, f"the disk failed to read it: {error.strerror}") from error
        if not count:
            raise CheckpointError(path, f"the file ends at byte {offset}, in the middle of a record")
        yield buffer[:count]
        offset += count
        size -= count


def _open(path: Path, fd: int | None) -> int:
    # O_NONBLOCK keeps a FIFO from hanging the open; it means nothing to a regular file.
    try:
        if fd is not None:
            return os.dup(fd)
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise CheckpointError(
            path, "there is no such file", hint="Check the path of the old checkpoint."
        ) from None
    except OSError as error:
        raise CheckpointError(path, f"cannot be opened: {error.strerror}") from error
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise CheckpointError(
            ascii(str(path))[1:-1], "no file can have such a name", hint="Check the path."
        ) from error
