"""Drafts that have a name while they are written, and what killed runs left of them.

A draft's owner holds a lock on it, which the kernel lets go of however the owner ends. So a draft
that can be locked has no owner.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Some network disks have locks that other machines do not see.
_HOST: Final = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_NAME: Final = re.compile(r"\.mm-ckpt-migrate-([0-9a-f]{8})-[0-9a-f]{16}\.tmp")
_LONG_AGO: Final = 24 * 3600


def draft_name(folder: Path) -> Path:
    """A name that nobody else has."""
    return folder / f".mm-ckpt-migrate-{_HOST}-{os.urandom(8).hex()}.tmp"


def open_draft(folder: Path, flags: int, mode: int) -> tuple[Path, int]:
    """Make a draft that has a name, and hold it; raises OSError."""
    while True:
        path = draft_name(folder)
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, mode)
        if hold(fd) and os.path.lexists(path):
            return path, fd
        # Another run's sweep came between.
        os.close(fd)
        path.unlink(missing_ok=True)


def hold(fd: int) -> bool:
    """Keep sweeps from a draft for as long as it is open; False where one has it already."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # where nothing can be locked, nothing is swept
        pass
    return True


def sweep(folder: Path) -> list[Path]:
    """Remove the drafts that killed runs left, and name them; what cannot be removed stays."""
    swept = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name)]:
            with contextlib.suppress(OSError), _held(path) as status:
                if _is_abandoned(path, status):
                    path.unlink()
                    swept.append(path)
    return swept


@contextmanager
def _held(path: Path) -> Iterator[os.stat_result]:
    """Lock a draft; raises OSError where somebody holds it."""
    fd = _open(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield os.fstat(fd)
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags)  # network disks lock nothing that is read only
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)


def _is_abandoned(path: Path, locked: os.stat_result) -> bool:
    """Whether the name is still that of the file which was locked, and nobody far away writes."""
    host = _NAME.fullmatch(path.name)
    near = host is not None and host[1] == _HOST
    return (
        stat.S_ISREG(locked.st_mode)
        and os.path.samestat(path.lstat(), locked)
        and (near or locked.st_mtime < time.time() - _LONG_AGO)
    )
