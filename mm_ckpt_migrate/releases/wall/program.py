"""The filter that the kernel runs on every system call: classic BPF over `struct seccomp_data`.

It answers for each call: allowed, an errno, or the end of the process. `linux/seccomp.h` and
`linux/bpf_common.h` have the numbers.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mm_ckpt_migrate.releases.wall import calls


class Instruction(NamedTuple):
    """`struct sock_filter`; the jumps skip so many instructions."""

    code: int
    if_true: int
    if_false: int
    operand: int


ALLOW = 0x7FFF0000
END = 0x80000000  # SECCOMP_RET_KILL_PROCESS: all threads, by SIGSYS
_ERRNO = 0x00050000

_LOAD, _AND, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

# AUDIT_ARCH_*: a process can call by another architecture's numbers, such as i386's.
_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # x86-64's other set of numbers

_OPEN_CHANGES = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND and __O_TMPFILE, alike on both architectures."""
_THREAD = 0x00010000
_NAMESPACES = 0x7E020080
"""CLONE_NEWNS, CLONE_NEWCGROUP to CLONE_NEWNET, and CLONE_NEWTIME."""
_AF_UNIX = 1
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS.
# Not F_SETOWN and F_SETSIG, which send any signal to any process of this user.
_FCNTL = (0, 1, 2, 3, 4, 5, 1030, 1032, 1034)
# TCGETS (is it a terminal?), FIONREAD, FIOCLEX, FIONCLEX. Not TIOCSTI, which types.
_IOCTL = (0x5401, 0x541B, 0x5451, 0x5450)
_OPEN_FILES = 7
"""RLIMIT_NOFILE, alike on both architectures; mmengine's Runner raises it, up to its hard limit."""
# PR_GET_NAME, PR_SET_NAME, PR_GET_DUMPABLE, and PR_SET_VMA, by which malloc names its memory.
_PRCTL = (16, 15, 3, 0x53564D41)


def assemble(machine: str, *, own: int, files: int = -1, gpu: bool = False) -> bytes:
    """The filter as an array of `struct sock_filter`.

    Args:
        machine: one of `calls.MACHINES`.
        own: this process's number, the only one that signals may go to.
        files: the socket that files are received from; -1 for none.
        gpu: let NVIDIA's driver be spoken to, through what is open.
    """
    answers = [
        *((calls.ALLOWED, _returned(ALLOW)), (calls.REFUSED, _refused(errno.EACCES))),
        (calls.ENDING, _returned(END)),
    ]
    code = [
        _load(_ARCHITECTURE),
        *_unless(_EQUAL, _AUDIT[machine], _returned(END)),
        _load(_NUMBER),
        *(_if(_AT_LEAST, _X32, _returned(END)) if machine == "x86_64" else []),
    ]
    for table, answer in answers:
        for number in calls.numbers(table, machine).values():
            code += _if(_EQUAL, number, answer)
    judgements = _judgements(own, files, gpu=gpu)
    for name, number in calls.numbers(calls.JUDGED, machine).items():
        code += _if(_EQUAL, number, judgements[name])
    code += _refused(errno.ENOSYS)
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def _judgements(own: int, files: int, *, gpu: bool) -> dict[str, list[Instruction]]:
    """Of the calls that depend on an argument, how it is looked at."""
    alone = _one_of(0, (0,), _refused(errno.EPERM))
    return {
        "open": _without(1, _OPEN_CHANGES, _refused(errno.EACCES)),
        "openat": _without(2, _OPEN_CHANGES, _refused(errno.EACCES)),
        "clone": [
            *_without(0, _NAMESPACES, _returned(END))[:-1],
            *_if(_ANY_BIT, _THREAD, _ok()),
            *_returned(END),
        ],
        # glibc looks for a cache of names over a local socket, and does without.
        "socket": [_argument(0), *_if(_EQUAL, _AF_UNIX, _refused(errno.EACCES)), *_returned(END)],
        "recvmsg": _one_of(0, (files,) if files >= 0 else (), _returned(END)),
        "tgkill": _one_of(0, (own,), _returned(END)),  # abort()
        "fcntl": _one_of(1, _FCNTL, _refused(errno.EPERM)),
        "ioctl": _ioctl(gpu=gpu),
        "prctl": _one_of(0, _PRCTL, _refused(errno.EPERM)),
        # Its own limits may be looked at; the parent sets them, but for that of open files.
        "prlimit64": [*_zero(0), *_one_of(1, (_OPEN_FILES,), [*_zero(4), *_zero(5), *_ok()])],
        "setrlimit": _one_of(0, (_OPEN_FILES,), _refused(errno.EPERM)),
        "sched_setaffinity": alone,
    }


def _ioctl(*, gpu: bool) -> list[Instruction]:
    """With a GPU also what NVIDIA's driver takes: `'F'` as type, and plain small numbers.

    A terminal's requests have the type `'T'`, a file system's `'f'` and others.
    """
    plain = _one_of(1, _IOCTL, _refused(errno.ENOTTY))
    if not gpu:
        return plain
    small = [_argument(1), *_unless(_AT_LEAST, 0x100, _ok())]
    uvm = [*_if(_AT_LEAST, 0x30000010, [Instruction(_JUMP, 0, 0, 2)]), *_if(_AT_LEAST, 0x30000000, _ok())]
    typed = [Instruction(_AND, 0, 0, 0xFF00), *_if(_EQUAL, ord("F") << 8, _ok())]
    return [*small, *uvm, *typed, *plain]


def _load(offset: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, offset)


def _argument(number: int) -> Instruction:
    """The low half, which is all that the kernel takes of these arguments: they are `int`s."""
    return _load(_ARGUMENTS + 8 * number)


def _zero(half: int) -> list[Instruction]:
    """EPERM unless this half of an argument is zero; each argument has two, the low one first."""
    return [_load(_ARGUMENTS + 4 * half), *_unless(_EQUAL, 0, _refused(errno.EPERM))]


def _returned(answer: int) -> list[Instruction]:
    return [Instruction(_RETURN, 0, 0, answer)]


def _ok() -> list[Instruction]:
    return _returned(ALLOW)


def _refused(number: int) -> list[Instruction]:
    return _returned(_ERRNO | number)


def _if(test: int, operand: int, block: Sequence[Instruction]) -> list[Instruction]:
    return [Instruction(test, 0, len(block), operand), *block]


def _unless(test: int, operand: int, block: Sequence[Instruction]) -> list[Instruction]:
    return [Instruction(test, len(block), 0, operand), *block]


def _without(argument: int, bits: int, otherwise: Sequence[Instruction]) -> list[Instruction]:
    return [_argument(argument), *_if(_ANY_BIT, bits, otherwise), *_ok()]


def _one_of(argument: int, values: Iterable[int], otherwise: Sequence[Instruction]) -> list[Instruction]:
    tests = [line for value in values for line in _if(_EQUAL, value, _ok())]
    return [_argument(argument), *tests, *otherwise]
