"""Landlock, where the kernel has it: nothing on any file system is written, made or run.

It adds to the filter and carries nothing alone: it binds this thread and those to come, and
knows files, TCP and signals only. `linux/landlock.h` has the numbers.
"""

from __future__ import annotations

import ctypes
import os
import struct

_CREATE, _RESTRICT = 444, 446  # alike on every architecture
_VERSION = 1
# LANDLOCK_ACCESS_FS_*: execute, write, remove, make; not reading (bits 2 and 3).
_FILES = 0b1_1111_1111_0011
_SINCE = ((2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
"""Of files also: linking elsewhere, truncating, and commands to devices."""
_DEVICES = 1 << 15
_NETWORK = (4, 0b11)  # binding and connecting by TCP
_SCOPES = (6, 0b11)  # abstract local sockets, and signals to others


def confine(*, gpu: bool) -> bool:
    """Whether the kernel took it. With a GPU, commands to devices stay allowed."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    version = call(_CREATE, None, 0, _VERSION)
    if version < 1:
        return False
    files = _FILES | sum(bit for since, bit in _SINCE if version >= since)
    network, scopes = (bits if version >= since else 0 for since, bits in (_NETWORK, _SCOPES))
    wanted = struct.pack("QQQ", files & ~_DEVICES if gpu else files, network, scopes)
    rules = call(_CREATE, wanted, len(wanted), 0)
    if rules < 0:
        return False
    taken = call(_RESTRICT, rules, 0) == 0
    os.close(rules)
    return bool(taken)
