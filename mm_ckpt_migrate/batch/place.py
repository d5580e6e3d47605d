"""Give a finished file its name among the results."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from mm_ckpt_migrate.errors import DestinationError, MigrateError
from mm_ckpt_migrate.files.archive.folders import sync_folder
from mm_ckpt_migrate.files.archive.publish import as_destination_error
from mm_ckpt_migrate.files.archive.source import Source

_TAKEN = "another file, which no batch made, has this name already"


def prepare(final: Path, results: Path) -> None:
    """Make the folder of a result, on the disk when this returns.

    What is wrong with it is said before anything is read.

    Raises:
        DestinationError: it cannot be made or written, or a link in it leads out of the results.
    """
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        folder = final.parent.resolve()
        if not folder.is_relative_to(results.resolve()):
            raise DestinationError(final.parent, "a link leads out of the folder of the results")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for above in final.parent.parents:
            if above.is_relative_to(results):  # whoever made the folder may not be done with it
                sync_folder(above)
    except OSError as error:
        raise as_destination_error(final.parent, error) from error


def place(made: Path, digest: str, final: Path, *, replaces: bool) -> None:
    """Move a finished file, on the disk when this returns; a file with the same bytes stays.

    Args:
        digest: SHA-256 of `made`, in hex.
        replaces: whether another file may be replaced.

    Raises:
        DestinationError: another file is there, or the disk is full or fails.
    """
    try:
        if replaces:
            _check_replaceable(final)
            made.replace(final)
        else:
            _link(made, digest, final)
        sync_folder(final.parent)
    except OSError as error:
        raise as_destination_error(final, error) from error


def _link(made: Path, digest: str, final: Path) -> None:
    """A hard link, unlike a renaming, fails where the name exists."""
    try:
        os.link(made, final)
    except FileExistsError:
        if not _holds(final, digest):
            raise DestinationError(final, _TAKEN, hint="Look at it; --force replaces it.") from None
    made.unlink()


def _holds(path: Path, digest: str) -> bool:
    if path.is_symlink():
        return False
    try:
        with Source(path) as file:
            return file.digest() == digest
    except MigrateError:
        return False


def _check_replaceable(final: Path) -> None:
    try:
        mode = final.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise DestinationError(final, "it is a link or a folder, which is never replaced")
