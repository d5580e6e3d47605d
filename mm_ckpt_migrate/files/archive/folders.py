"""Folders whose names are on the disk, so that a power cut does not take what lies in them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the names in it on the disk; raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        with contextlib.suppress(OSError):  # it was only read
            os.close(fd)


def make_folder(folder: Path) -> None:
    """Make it and those above it, if need be, on the disk when this returns; raises OSError."""
    missing = [one for one in (folder, *folder.parents) if not os.path.isdir(one)]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)
