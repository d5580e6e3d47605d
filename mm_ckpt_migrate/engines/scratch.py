"""Folders for one task on this machine's own disk; those of the dead are swept."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import DestinationError

_PREFIX: Final = "mm-ckpt-migrate-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, gone afterwards.

    Its owner holds a lock on it, which the kernel lets go of in any case: a task that was killed
    leaves its fetched files to the next task, which removes them.

    Raises:
        DestinationError: there is no place for it.
    """
    root = Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.lstat().st_uid != os.getuid():
        raise DestinationError(root, "it belongs to somebody else", hint="Set TMPDIR.")
    turn = _locked(root, wait=True)
    try:
        for left in root.iterdir():
            _sweep(left)
        folder = Path(tempfile.mkdtemp(dir=root))
        held = _locked(folder, wait=False)
    finally:
        _close(turn)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _close(held)


def _sweep(folder: Path) -> None:
    held = _locked(folder, wait=False)
    if held is not None:
        shutil.rmtree(folder, ignore_errors=True)
        _close(held)


def _locked(folder: Path, *, wait: bool) -> int | None:
    """A descriptor that holds the folder's lock; None where another holds it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
