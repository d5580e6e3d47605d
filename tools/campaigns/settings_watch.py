"""Build a model in a forked process, and see what it runs, opens or connects to.

The kernel ends the process at a call that starts a program or a process, connects, or opens
something for writing: a seccomp filter of this module, so that the campaign does not trust the wall
that it stands behind. Python's audit events tell whether the hostile value itself was compiled,
opened or imported, which need not come to a system call of that kind.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Collection, Sequence
from types import CodeType
from typing import Final

MARK: Final = "mm_settings_canary"
SECONDS: Final = 40
_MEMORY: Final = 3 << 30
BUILT, RAISED, TOUCHED, BROKEN = 0, 1, 3, 4

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X86_64: Final = 0xC000003E
_THREAD: Final = 0x10000
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2

# connect, bind, sendto, sendmsg, listen, accept, socketpair is none; fork, vfork, execve, kill;
# creat, rename, mkdir, rmdir, link, unlink, symlink, chmod, chown, truncate and their kin; mount,
# ptrace, process_vm_writev, io_uring, execveat, memfd_create, bpf, pidfd, openat2, tkill.
_FORBIDDEN: Final = (
    41,
    42,
    43,
    44,
    46,
    49,
    50,
    57,
    58,
    59,
    62,
    76,
    77,
    82,
    83,
    84,
    85,
    86,
    87,
    88,
    90,
    91,
    92,
    93,
    94,
    101,
    133,
    165,
    200,
    234,
    258,
    259,
    260,
    263,
    264,
    265,
    266,
    268,
    311,
    316,
    319,
    321,
    322,
    424,
    425,
    434,
    437,
    438,
)
_OPEN, _OPENAT, _CLONE, _CLONE3 = 2, 257, 56, 435

_OURS: Final = b"'type': "
_EVENTS: Final = ("compile", "exec", "open", "import", "os.", "subprocess.", "socket.", "ctypes.dl")

_READS: Final = ("open", "os.listdir", "os.scandir")


def confined(builds: Sequence[Callable[[], object]], *, reads: bool = False) -> list[int]:
    """Build one after the other in forked processes, and say how each ended.

    Args:
        reads: to open what a value names is what the class is for, if it is only read.

    Returns:
        BUILT, RAISED, TOUCHED, BROKEN, or minus the signal that ended the process; the next build
        then has a process of its own.
    """
    ends: list[int] = []
    while len(ends) < len(builds):
        reading, writing = os.pipe()
        process = os.fork()
        if not process:
            try:
                _inside(builds[len(ends) :], writing, _READS if reads else ())
            finally:
                os._exit(BROKEN)
        os.close(writing)
        with open(reading, "rb") as answers:
            ends += answers.read()
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if len(ends) < len(builds):
            ends.append(status)
    return ends


def _inside(builds: Sequence[Callable[[], object]], answers: int, meant: Collection[str]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    touched: list[str] = []
    _watch_calls()
    _listen(touched, meant)
    for build in builds:
        touched.clear()
        signal.alarm(SECONDS)  # ends the process: nobody handles it
        try:
            build()
            ended = BUILT
        except BaseException:
            ended = RAISED
        os.write(answers, bytes([TOUCHED if touched else ended]))


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _listen(touched: list[str], meant: Collection[str]) -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        source = arguments[0] if arguments else None
        if event == "compile" and isinstance(source, bytes) and _OURS in source:
            return  # the config's literal, which `build` itself reads
        if event in meant:
            return
        if event.startswith(_EVENTS) and any(_names_mark(value) for value in arguments):
            touched.append(event)

    sys.addaudithook(hook)


def _names_mark(value: object) -> bool:
    if isinstance(value, bytes):
        return MARK.encode() in value
    if isinstance(value, (list, tuple)):
        return any(map(_names_mark, value))
    if isinstance(value, CodeType):
        return _names_mark(value.co_consts) or _names_mark(value.co_names)
    return isinstance(value, str) and MARK in value


def _watch_calls() -> None:
    program = b"".join(_filter())
    libc = ctypes.CDLL(None, use_errno=True)
    memory = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(memory))
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp here")


def _filter() -> list[bytes]:
    """Instructions of BPF: calls that are forbidden, and those that depend on an argument."""
    lines = [_line(_LOAD, _ARCHITECTURE), _line(_EQUAL, _X86_64, 1, 0), _line(_RETURN, _KILL)]
    lines.append(_line(_LOAD, _NUMBER))
    for number in _FORBIDDEN:
        lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, _KILL)]
    # Its flags lie in memory; without it glibc falls back to `clone`, whose flags do not.
    lines += [_line(_EQUAL, _CLONE3, 0, 1), _line(_RETURN, _ERRNO | errno.ENOSYS)]
    lines += _by_argument(_OPEN, 1, _WRITING, _KILL, _ALLOW)
    lines += _by_argument(_OPENAT, 2, _WRITING, _KILL, _ALLOW)
    lines += _by_argument(_CLONE, 0, _THREAD, _ALLOW, _KILL)
    return [*lines, _line(_RETURN, _ALLOW)]


def _by_argument(number: int, position: int, bits: int, where: int, else_: int) -> Sequence[bytes]:
    return (
        _line(_EQUAL, number, 0, 4),
        _line(_LOAD, _ARGUMENTS + 8 * position),
        _line(_ANY, bits, 0, 1),
        _line(_RETURN, where),
        _line(_RETURN, else_),
    )


def _line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
