"""Put the filter over this process, all threads of it, by the system call of this name."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

from mm_ckpt_migrate.releases.wall import calls, program

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
# Threads that imports started are bound, too; and reading memory by speculation is no concern
# where all that may be read is readable, so that the processor need not be slowed down.
_TSYNC, _SPEC_ALLOW = 1, 4
_CALL = {"x86_64": 317, "aarch64": 277}


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class NoWall(Exception):  # noqa: N818 - it says what there is
    """The kernel cannot confine this process, for this reason."""


def renounce() -> None:
    """Give up on ever gaining privileges, without which the kernel confines root alone.

    Raises:
        NoWall: this is not Linux, or the kernel refuses.
    """
    if sys.platform != "linux":
        raise NoWall(f"{sys.platform} has no seccomp")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise NoWall(f"prctl answers: {os.strerror(ctypes.get_errno())}")


def confine(files: int, *, gpu: bool) -> None:
    """Put the filter over every thread; see `program.assemble`. There is no way back.

    Raises:
        NoWall: the architecture is another, or the kernel refuses.
    """
    machine = platform.machine()
    if machine not in calls.MACHINES:
        raise NoWall(f"the system calls of {machine} are not known here")
    libc = ctypes.CDLL(None, use_errno=True)
    code = program.assemble(machine, own=os.getpid(), files=files, gpu=gpu)
    wanted = ctypes.byref(_Program(len(code) // 8, code))
    left = libc.syscall(_CALL[machine], _SET_MODE_FILTER, _TSYNC | _SPEC_ALLOW, wanted)
    if left < 0:
        raise NoWall(f"seccomp answers: {os.strerror(ctypes.get_errno())}")
    if left:
        raise NoWall("seccomp cannot bind a thread that has a filter of its own")
