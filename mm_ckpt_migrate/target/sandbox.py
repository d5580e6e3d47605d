"""What keeps the child harmless: limits, a protocol stream of its own, and refused actions.

This is a second line behind `request` (which lets only OpenMMLab names through): some library
constructors evaluate strings or unpickle files that a config names. Python code cannot be truly
confined from within Python, so nothing here is a licence to build configs of hostile *packages*.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys

_MAX_FILE = 64 * 1024 * 1024

_NETWORK = frozenset(
    {
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
    }
)
_PROCESSES = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.killpg",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)
_CHANGES = frozenset(
    {
        "os.chmod",
        "os.chown",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "os.utime",
    }
)
_SEALED = _NETWORK | _PROCESSES | _CHANGES | {"pickle.find_class"}
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have Linux kill this process when the parent ends, however that comes about."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def limit(memory: int, file: int = _MAX_FILE) -> None:
    """Bound the address space, the size of each file written, and core dumps."""
    limit_memory(memory)
    _limit(resource.RLIMIT_FSIZE, file)
    _limit(resource.RLIMIT_CORE, 0)


def limit_memory(size: int) -> None:
    """Bound the address space, more tightly or less than before."""
    _limit(resource.RLIMIT_AS, size)


def _limit(kind: int, wanted: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (soft, hard))


def take_streams() -> tuple[int, int]:
    """File descriptors of the protocol; stray prints, native ones too, go to stderr instead."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def block_network() -> None:
    """Refuse every connection from now on; there is no way back."""

    def hook(event: str, _args: tuple[object, ...]) -> None:
        if event in _NETWORK:
            raise PermissionError(f"no network while a target model is built ({event})")

    sys.addaudithook(hook)


def seal(writable: str | None = None) -> None:
    """Refuse processes, unpickling and changes to files too, once everything is imported.

    Args:
        writable: a folder in which files may be made all the same.
    """
    sys.dont_write_bytecode = True
    writing = os.O_WRONLY | os.O_RDWR

    def hook(event: str, args: tuple[object, ...]) -> None:
        changes = event == "open" and _flags(args) & writing and not _lies_in(args[0], writable)
        if event in _SEALED or changes:
            raise PermissionError(f"not while a target model is built: {event}")

    sys.addaudithook(hook)


def _lies_in(path: object, folder: str | None) -> bool:
    return folder is not None and isinstance(path, str) and os.path.dirname(path) == folder


def _flags(args: tuple[object, ...]) -> int:
    return args[2] if len(args) > 2 and isinstance(args[2], int) else 0
