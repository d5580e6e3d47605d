"""Publish a file atomically: at any moment the destination is absent, the old file or the new one.

The new file has no name while it is written (O_TMPFILE), so that a kill at any point leaves
nothing behind; where the file system cannot do that, and for a moment before it replaces another
file, it has a random name in the same folder, which the next run sweeps away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Final

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.folders import sync_folder
from mm_ckpt_migrate.files.archive.leftovers import draft_name, hold, open_draft, sweep
from mm_ckpt_migrate.files.archive.published import all_or_none, naming

_NO_TMPFILE: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS}
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def check_destination(path: Path, source: os.stat_result | None, *, force: bool) -> list[Path]:
    """Make sure, before anything is read, that the destination may be written.

    Returns:
        What killed runs left in its folder, which was swept away.

    Raises:
        DestinationError: it exists (without `force`), is the source, a link or no file, or its
            folder is missing or read-only.
    """
    folder = path.parent
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise DestinationError(path, f"{folder} is no folder", hint="Give another place.")
    if not os.path.isdir(folder):  # unlike Path.is_dir, False where the name is too long
        raise DestinationError(path, "its folder does not exist", hint=f"mkdir -p {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DestinationError(path, "its folder cannot be written to", hint="Choose another one.")
    swept = sweep(folder)
    try:
        status = path.lstat()
    except FileNotFoundError:
        return swept
    except OSError as error:
        raise DestinationError(path, f"{error.strerror}", hint="Choose a shorter name.") from error
    if stat.S_ISLNK(status.st_mode):
        raise DestinationError(
            path,
            "it is a symbolic link, which is never written through",
            hint=f"Give the real file ({os.path.realpath(path)}) or another name.",
        )
    if source is not None and os.path.samestat(status, source):
        raise DestinationError(
            path, "it is the source itself, which is never written", hint="Give another name."
        )
    if not stat.S_ISREG(status.st_mode):
        raise DestinationError(path, "it is not a regular file", hint="Give the name of a new file.")
    if not force:
        raise DestinationError(
            path, "the destination exists", hint="Add --force to replace it, or give another name."
        )
    return swept


def check_space(path: Path, size: int) -> None:
    """Raises DestinationError where the file system has less than `size` bytes left, or fails."""
    try:
        usage = os.statvfs(path.parent)
    except OSError as error:
        raise as_destination_error(path, error) from error
    free = usage.f_bavail * usage.f_frsize
    if free < size:
        raise _full(path, f"{size:,} bytes are needed and {free:,} are free")


def _full(path: Path, detail: str) -> DestinationError:
    return DestinationError(
        path, f"the disk is full: {detail}", hint="Free some space, or choose another disk."
    )


class Draft:
    """The new file before it is published; leaving the block without `publish` discards it.

    Raises:
        DestinationError: the file cannot be made.
    """

    def __init__(self, path: Path, mode: int) -> None:
        self.path = path
        self.temporary: Path | None = None
        try:
            self.fd = self._open(mode)
        except OSError as error:
            raise as_destination_error(path, error) from error

    def _open(self, mode: int) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        if hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir():
            try:
                return os.open(self.path.parent, flags | os.O_TMPFILE, mode)
            except OSError as error:
                if error.errno not in _NO_TMPFILE:
                    raise
        self.temporary, fd = open_draft(self.path.parent, flags, mode)
        return fd

    def __enter__(self) -> Draft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file was synced or is not wanted; a name that stays is swept away by the next run.
        with contextlib.suppress(OSError):
            os.close(self.fd)
        if self.temporary is not None:
            with contextlib.suppress(OSError):
                self.temporary.unlink()

    def resize(self, size: int) -> None:
        """Raises DestinationError where the file system cannot hold a file of that size."""
        try:
            os.ftruncate(self.fd, size)
        except OSError as error:
            raise as_destination_error(self.path, error) from error

    def write(self, offset: int, data: bytes) -> None:
        """Raises DestinationError where the disk is full or fails."""
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self.fd, view, offset)
                offset += written
                view = view[written:]
        except OSError as error:
            raise as_destination_error(self.path, error) from error

    def flush(self) -> None:
        """Have it on the disk, still without its name; raises DestinationError."""
        try:
            os.fsync(self.fd)
        except OSError as error:
            raise as_destination_error(self.path, error) from error

    def publish(self, *, force: bool) -> None:
        """Give the file its name, on disk before this returns.

        Raises:
            DestinationError: the destination appeared meanwhile, or the disk failed.
        """
        try:
            os.fsync(self.fd)
            with naming(self.path, self.fd):
                self._name(force)
                sync_folder(self.path.parent)
        except FileExistsError as error:
            raise DestinationError(
                self.path,
                "the destination was made by somebody else meanwhile",
                hint="Look at it; add --force to replace it.",
            ) from error
        except OSError as error:
            raise as_destination_error(self.path, error) from error

    def _name(self, force: bool) -> None:
        if not force:
            self._link(self.path)
            return
        if self.temporary is None:
            hold(self.fd)
            self.temporary = draft_name(self.path.parent)
            self._link(self.temporary)
        self.temporary.rename(self.path)
        self.temporary = None

    def _link(self, name: Path) -> None:
        """A hard link fails where the name exists, so that two runs cannot both win."""
        if self.temporary is not None and self.temporary != name:
            os.link(self.temporary, name)
        else:
            # Only with a folder's descriptor does Python ask linkat to follow the link in /proc;
            # the path is absolute, so the descriptor itself does not matter.
            os.link(f"/proc/self/fd/{self.fd}", name, src_dir_fd=self.fd, follow_symlinks=True)


def publish_bytes(path: Path, data: bytes, mode: int = 0o644, *, force: bool) -> None:
    """Write a small file, whole or not at all; raises DestinationError."""
    with Draft(path, mode) as draft:
        draft.write(0, data)
        draft.publish(force=force)


def publish_together(drafts: Sequence[Draft], *, force: bool) -> None:
    """Publish several files, in this order: where the last one is there, all are. Or none.

    Raises:
        DestinationError: one of them cannot be; those before it were taken back.
    """
    if len(drafts) > 1:  # one is whole or not there in any case
        for draft in drafts:
            draft.flush()
    with all_or_none() if len(drafts) > 1 else nullcontext():
        for draft in drafts:
            draft.publish(force=force)


def as_destination_error(path: Path, error: OSError) -> DestinationError:
    if error.errno in _FULL:
        return _full(path, os.strerror(error.errno or 0).lower())
    return DestinationError(path, f"cannot be written: {error.strerror}", hint="Choose another place.")
