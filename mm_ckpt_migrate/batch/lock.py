"""One batch at a time on one folder of results; the kernel lets go of the lock in any case."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm_ckpt_migrate.errors import DestinationError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`.

    Raises:
        DestinationError: another batch holds it, and which; or the file cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DestinationError(path, str(error.strerror)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DestinationError(
                path.parent.parent, f"another batch is at work there: {_holder(descriptor)}",
                hint="Wait for it, or end it; then run this again.",
            ) from None  # fmt: skip
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_myself()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _myself() -> dict[str, object]:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": now}


def _holder(descriptor: int) -> str:
    try:
        who = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {int(who['process'])} on {who['host']!s:.100}, since {who['since']!s:.40}"
    except (ValueError, KeyError, TypeError):
        return "it is just starting"
