"""System calls of a traced process: which they are, what they are about, how to change them.

Numbers and registers are those of Linux on x86-64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.restype = ctypes.c_long
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

POKEUSER: Final = 6
RAX, ORIG_RAX = 10 * 8, 15 * 8
# Where the arguments of a call lie among the registers.
_ARGUMENTS: Final = (14 * 8, 13 * 8, 12 * 8, 7 * 8, 9 * 8, 8 * 8)

NAMES: Final = {
    0: "read",
    1: "write",
    3: "close",
    5: "fstat",
    8: "lseek",
    17: "pread64",
    18: "pwrite64",
    19: "readv",
    20: "writev",
    21: "access",
    72: "fcntl",
    73: "flock",
    74: "fsync",
    75: "fdatasync",
    77: "ftruncate",
    82: "rename",
    83: "mkdir",
    86: "link",
    87: "unlink",
    89: "readlink",
    137: "statfs",
    138: "fstatfs",
    217: "getdents64",
    257: "openat",
    262: "newfstatat",
    263: "unlinkat",
    264: "renameat",
    265: "linkat",
    267: "readlinkat",
    285: "fallocate",
    295: "preadv",
    296: "pwritev",
    316: "renameat2",
    326: "copy_file_range",
    327: "preadv2",
    328: "pwritev2",
    332: "statx",
    439: "faccessat2",
}
# Which argument is the path; without one the first is a descriptor.
_PATHS: Final = {
    "openat": 1,
    "newfstatat": 1,
    "statx": 1,
    "linkat": 3,
    "unlinkat": 1,
    "readlinkat": 1,
    "faccessat2": 1,
    "renameat": 3,
    "renameat2": 3,
    **dict.fromkeys(("access", "mkdir", "unlink", "readlink", "statfs"), 0),
    "rename": 1,
    "link": 1,
}
# Which argument is the number of bytes, or the list of buffers that holds it.
_SIZES: Final = {"read": 2, "write": 2, "pread64": 2, "pwrite64": 2, "copy_file_range": 4}
_BUFFERS: Final = {"preadv2": 1, "preadv": 1, "readv": 1, "pwritev": 1, "pwritev2": 1, "writev": 1}


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that is about to happen."""

    thread: int
    name: str
    arguments: tuple[int, ...]

    @property
    def file(self) -> str:
        """The file that it is about; empty where it is about none."""
        at = _PATHS.get(self.name)
        if at is not None and (path := self._memory(self.arguments[at], 4096).split(b"\0")[0]):
            return os.path.join(self._link("cwd"), os.fsdecode(path))
        return self._link(f"fd/{self.arguments[0]}")

    def _link(self, name: str) -> str:
        try:
            return os.readlink(f"/proc/{self.thread}/{name}")
        except OSError:
            return ""

    def _memory(self, address: int, size: int) -> bytes:
        with open(f"/proc/{self.thread}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(min(size, 4096 - address % 4096))

    def shorten(self) -> None:
        """Have it handle half of what it was asked to."""
        if self.name in _SIZES:
            at = _SIZES[self.name]
            half = max(1, self.arguments[at] // 2)
            ptrace(POKEUSER, self.thread, _ARGUMENTS[at], half)
            return
        length = self.arguments[_BUFFERS[self.name]] + 8
        (size,) = struct.unpack("<Q", self._memory(length, 8))
        with open(f"/proc/{self.thread}/mem", "r+b", buffering=0) as memory:
            memory.seek(length)
            memory.write(struct.pack("<Q", max(1, size // 2)))


def ptrace(request: int, thread: int, address: int, data: int) -> None:
    """Raises OSError where the kernel refuses."""
    ctypes.set_errno(0)
    value = ctypes.c_void_p(data & (1 << 64) - 1)
    if _LIBC.ptrace(request, thread, ctypes.c_void_p(address), value) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {errno.errorcode.get(number)}")
