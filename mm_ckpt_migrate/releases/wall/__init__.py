"""The wall around a child that builds or runs a model: the kernel lets it compute and answer.

It stands before anything of a file is used, and cannot be taken down. Python's own means, as in
`sandbox`, cannot do this: `ctypes` goes around them, and `_posixsubprocess.fork_exec` raises no
audit event.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Collection
from dataclasses import dataclass

from mm_ckpt_migrate.releases.wall import landlock, seccomp

_DEVICES = "/dev/nvidia"


@dataclass(frozen=True)
class Wall:
    """What confines this process.

    Attributes:
        kind: `seccomp` or `seccomp+landlock`; empty where nothing does.
        reason: why nothing does.
        milliseconds: what setting it took.
    """

    kind: str
    reason: str = ""
    milliseconds: float = 0.0


def build(keep: Collection[int] = (), *, files: int = -1, gpu: bool = False) -> Wall:
    """Confine this process from now on, as far as the kernel can.

    Args:
        keep: descriptors of the protocol; all others that could be written to are closed.
        files: the socket that files are received from, also kept; -1 for none.
        gpu: CUDA is up, and its driver goes on being used.
    """
    started = time.perf_counter()
    _close_others({*keep, files})
    try:
        seccomp.renounce()
        added = landlock.confine(gpu=gpu)
        seccomp.confine(files, gpu=gpu)
    except seccomp.NoWall as error:
        return Wall("", str(error))
    kind = "seccomp+landlock" if added else "seccomp"
    return Wall(kind, milliseconds=round((time.perf_counter() - started) * 1000, 3))


def _close_others(keep: Collection[int]) -> None:
    """What is open for writing, and what leads to the network, must not stay so by accident."""
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    for number in [int(name) for name in os.listdir(folder)]:
        try:
            if number not in keep and _leads_out(number, f"{folder}/{number}"):
                os.close(number)
        except OSError:  # the listing's own, which is closed again
            continue


def _leads_out(number: int, link: str) -> bool:
    mode = os.fstat(number).st_mode
    if stat.S_ISSOCK(mode):
        return True
    writable = fcntl.fcntl(number, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR)
    file = stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
    return bool(writable) and file and not os.readlink(link).startswith(_DEVICES)
