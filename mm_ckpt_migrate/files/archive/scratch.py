"""Folders for one task on this machine's own disk; those of the dead are swept.

A process can be killed at any moment, and what it copied there, weights as a rule, would stay for
ever. So the owner of each folder holds a lock on it, which the kernel lets go of however the
owner ends, and whoever makes the next folder removes those that nobody holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import DestinationError
from mm_ckpt_migrate.files.archive.publish import as_destination_error

_PREFIX: Final = "mm-ckpt-migrate-"
_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, open to its user alone and gone afterwards.

    Raises:
        DestinationError: there is no place for it.
    """
    root = _root()
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        if root.lstat().st_uid != os.getuid():
            raise DestinationError(root, "it belongs to somebody else", hint="Set TMPDIR.")
        # One at a time: a folder that is not locked yet must not be swept.
        with _open(root) as turn:
            _lock(turn)
            _sweep(root)
            folder = Path(tempfile.mkdtemp(dir=root))
            held = os.open(folder, _FLAGS)
            _lock(held)
    except OSError as error:
        raise as_destination_error(root, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


class Scratch:
    """A `scratch_folder` that is there until `cleanup`; raises DestinationError."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self.folder = self._held.enter_context(scratch_folder())

    def cleanup(self) -> None:
        self._held.close()


def sweep_scratch() -> None:
    """Remove what those left who are dead by now."""
    with contextlib.suppress(OSError, DestinationError), _open(root := _root()) as turn:
        if root.lstat().st_uid == os.getuid():
            _lock(turn)
            _sweep(root)


def _root() -> Path:
    try:
        return Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getuid()}"
    except OSError as error:
        raise DestinationError(
            "TMPDIR", "there is no folder for temporary files", hint="Set TMPDIR to one."
        ) from error


def _sweep(root: Path) -> None:
    for folder in root.iterdir():
        # Whoever holds it is alive; where nothing can be locked, nothing is swept.
        with contextlib.suppress(OSError), _open(folder) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _lock(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # some network disks know no locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)


@contextmanager
def _open(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, _FLAGS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
