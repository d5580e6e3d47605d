"""Child only: limits, streams of its own and refused actions, which keep it harmless beside the wall.

Python's audit hooks confine nobody who means harm; that is what `wall` is for. They turn what a
library does in good faith, such as a download, into an exception that it may survive; and where
the system has no wall they are all there is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys


def _events(module: str, calls: str) -> frozenset[str]:
    """Names of Python's audit events."""
    return frozenset(f"{module}.{call}" for call in calls.split())


_NETWORK = _events(
    "socket", "bind connect getaddrinfo gethostbyaddr gethostbyname getnameinfo sendmsg sendto"
)
_PROCESSES = _events("os", "exec fork forkpty kill killpg posix_spawn spawn system") | {
    "pty.spawn",
    "subprocess.Popen",
}
_CHANGES = _events("os", "chmod chown link mkdir remove rename rmdir symlink truncate utime")
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have Linux kill this process when the parent ends, however that comes about."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def limit(memory: int, file: int) -> None:
    """Bound the address space, the size of each file written, and core dumps; these for good.

    Behind the wall no limit can be changed from within; the parent may raise that of memory.
    """
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_at_most(hard, memory), hard))
    for kind, wanted in ((resource.RLIMIT_FSIZE, file), (resource.RLIMIT_CORE, 0)):
        allowed = _at_most(resource.getrlimit(kind)[1], wanted)
        resource.setrlimit(kind, (allowed, allowed))


def _at_most(hard: int, wanted: int) -> int:
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def take_streams() -> tuple[int, int]:
    """File descriptors of the protocol; stray prints, native ones too, go to stderr instead."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def block_network() -> None:
    """Refuse every connection but local ones from now on; there is no way back.

    Workers that load data for several processes (`--launcher`) talk over local sockets.
    """

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event in _NETWORK and int(getattr(args[0], "family", 0)) != socket.AF_UNIX:
            raise PermissionError(f"no network while a target model is built ({event})")

    sys.addaudithook(hook)


def seal(*, unpickling: bool = False) -> None:
    """Refuse processes and changes to files too, once everything is imported.

    Args:
        unpickling: let pickles name classes: data sets keep their lists pickled.
    """
    sys.dont_write_bytecode = True
    refused = _PROCESSES | _CHANGES | (frozenset() if unpickling else {"pickle.find_class"})
    writing = os.O_WRONLY | os.O_RDWR

    def hook(event: str, args: tuple[object, ...]) -> None:
        changes = event == "open" and _flags(args) & writing
        if event in refused or (changes and not isinstance(args[0], int)):  # a file that is open
            raise PermissionError(f"not while a target model is built: {event}")

    sys.addaudithook(hook)


def _flags(args: tuple[object, ...]) -> int:
    return args[2] if len(args) > 2 and isinstance(args[2], int) else 0
