"""One batch at a time on one folder of results; the kernel lets go of the lock in any case."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from mm_ckpt_migrate.errors import DestinationError

# The workers of a batch that was killed hold its lock until they are gone, too:
# longer waits for slow ones, shorter refuses sooner where another batch really is at work.
_PATIENCE: Final = 10.0


@contextmanager
def locked(state: Path, shard: str) -> Iterator[tuple[int, ...]]:
    """Hold the folder's lock, alone, or beside other shards and that of the own shard alone.

    Gives the descriptors, for workers to hold on to: no other batch begins before they are gone.

    Raises:
        DestinationError: another batch holds it, and which; or the file cannot be written.
    """
    kind = fcntl.LOCK_SH if shard else fcntl.LOCK_EX
    with ExitStack() as stack:
        held = [stack.enter_context(_held(state / "lock", kind))]
        if shard:
            held.append(stack.enter_context(_held(state / f"lock{shard}", fcntl.LOCK_EX)))
        yield tuple(held)


@contextmanager
def _held(path: Path, kind: int) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise DestinationError(path, str(error.strerror)) from error
    try:
        _take(descriptor, kind, path)
        _sign(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            if not _gone(holder) or time.monotonic() > deadline:
                raise DestinationError(
                    path.parent.parent,
                    f"another batch is at work there: {_words(holder)}",
                    hint="Wait for it, or end it; then run this again.",
                ) from None
            time.sleep(0.02)
        except OSError as error:
            raise DestinationError(path, f"it cannot be locked: {error.strerror}") from error


def _sign(descriptor: int, path: Path) -> None:
    who = {"process": os.getpid(), "host": socket.gethostname()}
    text = json.dumps({**who, "since": time.strftime("%Y-%m-%d %H:%M:%S")})
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
    except OSError as error:
        raise DestinationError(path, f"cannot be written: {error.strerror}") from error


def _holder(descriptor: int) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        who = json.loads(os.pread(descriptor, 4096, 0))
        if isinstance(who, dict) and isinstance(who.get("process"), int):
            return who
    return {}


def _gone(holder: dict[str, Any]) -> bool:
    """Whether it was a process of this machine that is no more."""
    if holder.get("host") != socket.gethostname():
        return False
    try:
        os.kill(holder["process"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _words(holder: dict[str, Any]) -> str:
    if not holder:
        return "it is just starting"
    host, since = str(holder.get("host")), str(holder.get("since"))
    return f"process {holder['process']} on {host:.100}, since {since:.40}"
