"""Run a function in a child whose every system call is seen, and can be struck.

A small ptrace: unlike strace it counts the calls of all threads and children in one row, and makes
reads and writes really short. Registers are those of x86-64.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import signal
import struct
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol

from crash_calls import NAMES, ORIG_RAX, POKEUSER, RAX, Call, ptrace

SECONDS: Final = 60
_TRACEME, _CONT, _SYSCALL = 0, 7, 24
_SETOPTIONS, _GETEVENTMSG, _GET_SYSCALL_INFO = 0x4200, 0x4201, 0x420E
# System calls marked; threads, forks and programs followed; nobody outlives the tracer.
_OPTIONS: Final = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x100000
_BIRTHS: Final = {1, 2, 3}
_WALL: Final = 0x40000000
_ENTRY, _EXIT = 1, 2


@dataclass(frozen=True, slots=True)
class Strike:
    """What befalls one call.

    Attributes:
        at: which, counted from 1 over all threads and children.
        name: counts calls of that name only.
        what: the name of an error, `short`, or `kill`. A `close` that fails closes nevertheless,
            as in the kernel.
    """

    at: int
    name: str = ""
    what: str = "kill"


@dataclass(slots=True)
class Run:
    """How it went.

    Attributes:
        calls: names of the calls up to the strike, or of all.
        struck: the call that was struck, and its file.
        status: exit code, or minus the signal.
    """

    calls: list[str] = field(default_factory=list)
    struck: Call | None = None
    file: str = ""
    status: int = 0
    out: str = ""
    err: str = ""


def why_not() -> str:
    """Why this machine cannot do it; empty where it can."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "calls are traced on Linux on x86-64 only"
    try:
        traced(lambda: os._exit(0), None)
    except OSError as error:
        return f"this machine does not let processes be traced: {error.strerror}"
    return ""


class Watcher(Protocol):
    """Is told of every call before it happens and afterwards, while its thread stands still."""

    def before(self, call: Call) -> None: ...

    def after(self, call: Call) -> None: ...


def traced(program: Callable[[], NoReturn], strike: Strike | None, watcher: Watcher | None = None) -> Run:
    """Run it, with every call of all its threads and children counted, and one of them struck.

    Raises:
        TimeoutError: it did not end.
        OSError: processes cannot be traced here.
    """
    with _started(program, trace=True) as (process, streams):
        return _Tracer(process, strike, watcher).follow(streams)


def untraced(program: Callable[[], NoReturn]) -> Run:
    """Run it undisturbed; raises TimeoutError."""
    with _started(program, trace=False) as (process, streams):
        _, status = os.waitpid(process, 0)
        return Run(status=os.waitstatus_to_exitcode(status), out=_text(streams[0]), err=_text(streams[1]))


@contextmanager
def _started(program: Callable[[], NoReturn], *, trace: bool) -> Iterator[tuple[int, tuple[int, int]]]:
    streams = os.memfd_create("out"), os.memfd_create("err")
    process = os.fork()
    if not process:
        _become(program, streams, trace=trace)
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        yield process, streams
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        _end(process)
        for stream in streams:
            os.close(stream)


def _become(program: Callable[[], NoReturn], streams: tuple[int, int], *, trace: bool) -> NoReturn:
    """The child's side."""
    os.setsid()
    os.dup2(streams[0], 1)
    os.dup2(streams[1], 2)
    if trace:
        try:
            ptrace(_TRACEME, 0, 0, 0)
        except OSError as error:
            os._exit(error.errno or 1)
        os.kill(os.getpid(), signal.SIGSTOP)
    try:
        program()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _too_long(number: int, frame: object) -> NoReturn:
    raise TimeoutError(f"not ended after {SECONDS} seconds")


def _end(process: int) -> None:
    """Kill what is left of the group, and take leave of it."""
    try:
        os.killpg(process, signal.SIGKILL)
        while True:
            os.waitpid(-process, _WALL)
    except (ProcessLookupError, ChildProcessError):
        pass


def _text(stream: int) -> str:
    return os.pread(stream, 1 << 20, 0).decode("utf-8", "replace")


class _Tracer:
    def __init__(self, process: int, strike: Strike | None, watcher: Watcher | None) -> None:
        self._process = process
        self._watcher = watcher
        self._inside: dict[int, Call] = {}
        self._strike = strike
        self._left = strike.at if strike else 0
        self._run = Run()
        self._known = {process}
        self._alive = {process}
        self._failing: dict[int, int] = {}
        self._resume = _SYSCALL
        _, status = os.waitpid(process, _WALL)
        if not os.WIFSTOPPED(status):
            code = os.waitstatus_to_exitcode(status)
            raise OSError(code, os.strerror(code))
        ptrace(_SETOPTIONS, process, 0, _OPTIONS)

    def follow(self, streams: tuple[int, int]) -> Run:
        ptrace(self._resume, self._process, 0, 0)
        while self._alive:
            # Not only those of its group: some begin one of their own.
            thread, status = os.waitpid(-1, _WALL)
            if os.WIFSTOPPED(status):
                self._go_on(thread, self._stopped(thread, status))
                continue
            self._alive.discard(thread)
            if thread == self._process:
                self._run.status = os.waitstatus_to_exitcode(status)
        self._run.out, self._run.err = map(_text, streams)
        return self._run

    def _go_on(self, thread: int, deliver: int) -> None:
        resume = _SYSCALL if thread in self._failing else self._resume
        with contextlib.suppress(ProcessLookupError):  # killed meanwhile
            ptrace(resume, thread, 0, deliver)

    def _stopped(self, thread: int, status: int) -> int:
        """Act on what happened; gives the signal to be delivered."""
        number = os.WSTOPSIG(status)
        if number == signal.SIGTRAP | 0x80:
            self._at_call(thread)
        elif number == signal.SIGSTOP:
            self._born(thread)  # nobody else stops it
        elif number != signal.SIGTRAP:
            return number
        elif status >> 16 in _BIRTHS:
            child = ctypes.c_ulong()
            ptrace(_GETEVENTMSG, thread, 0, ctypes.addressof(child))
            self._born(child.value)
        return 0

    def _born(self, thread: int) -> None:
        """Told twice of each, by itself and by its parent; it may be gone before the second."""
        if thread not in self._known:
            self._known.add(thread)
            self._alive.add(thread)

    def _at_call(self, thread: int) -> None:
        buffer = ctypes.create_string_buffer(88)
        try:
            ptrace(_GET_SYSCALL_INFO, thread, len(buffer), ctypes.addressof(buffer))
        except ProcessLookupError:
            return
        if buffer.raw[0] == _ENTRY and self._run.struck is None:
            number, *arguments = struct.unpack_from("<7Q", buffer.raw, 24)
            call = Call(thread, NAMES.get(number, f"call {number}"), tuple(arguments))
            if self._watcher:
                self._watcher.before(call)
                self._inside[thread] = call
            self._entered(call)
        elif buffer.raw[0] == _EXIT and self._watcher and thread in self._inside:
            self._watcher.after(self._inside.pop(thread))
        elif buffer.raw[0] == _EXIT and thread in self._failing:
            ptrace(POKEUSER, thread, RAX, -self._failing.pop(thread))

    def _entered(self, call: Call) -> None:
        self._run.calls.append(call.name)
        if self._strike is None or self._strike.name not in ("", call.name):
            return
        self._left -= 1
        if self._left:
            return
        self._run.struck, self._run.file = call, call.file
        self._hit(call, self._strike.what)
        self._resume = _CONT

    def _hit(self, call: Call, what: str) -> None:
        if what == "kill":
            os.killpg(self._process, signal.SIGKILL)
        elif what == "short":
            call.shorten()
        else:
            self._failing[call.thread] = getattr(errno, what)
            if call.name != "close":
                ptrace(POKEUSER, call.thread, ORIG_RAX, -1)
