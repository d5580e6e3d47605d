"""What is made from private files, or tells of them, is as private as they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

# Of group and others.
_READ_OR_WRITE: Final = 0o066
_ENTER: Final = 0o011


@contextmanager
def as_private_as(files: Iterable[Path | None]) -> Iterator[None]:
    """Files and folders made meanwhile are open to nobody to whom one of these files is not.

    It is done by the process's umask, so that no file is open for a moment. Other threads are
    bound by it, too.
    """
    before = os.umask(_READ_OR_WRITE | _ENTER)
    os.umask(before | hidden_bits(files))
    try:
        yield
    finally:
        os.umask(before)


def make_private(path: Path, files: Iterable[Path | None]) -> None:
    """Have a file that is there already be as private as these; one that is not ours stays."""
    with suppress(OSError):
        mode = path.stat().st_mode & 0o777
        if mode & (hidden := hidden_bits(files)):
            path.chmod(mode & ~hidden)


def hidden_bits(files: Iterable[Path | None]) -> int:
    """The permissions of group and others that at least one of the files does not give.

    Files that are not there say nothing.
    """
    hidden = 0
    for file in filter(None, files):
        with suppress(OSError, ValueError):
            hidden |= ~file.stat().st_mode & _READ_OR_WRITE
    return hidden | (hidden >> 2 & _ENTER)
