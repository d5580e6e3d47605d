"""A child process that answers JSON lines, killed with everything it started when done with."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mm_ckpt_migrate.releases.spawn import Fork, Spawned, Started, bootstrap

if TYPE_CHECKING:
    from typing_extensions import Self

_MAX_ANSWER = 64 * 1024 * 1024
_STDERR_TAIL = 8192


class ChildGone(Exception):  # noqa: N818 - it says what happened
    """The child gave no answer: it ended, was killed, or ran out of time."""


class ChildUnborn(ChildGone):
    """The fork server gave no child, or ended and took it along."""


class ChildStopped(ChildGone):
    """The kernel ended the child: it called the system for what the wall does not let through."""


class Child:
    """A probe in a process of its own, started at once.

    Attributes:
        unconfined: why no wall stands around the child (see `wall`); empty where one does, or
            where nothing is built or run yet.

    Args:
        options: what the probe is told, beside what every child is: see `serve.Service`.
        fork: starts the process where it is not to be an interpreter of its own.
    """

    def __init__(
        self,
        options: Mapping[str, object],
        *,
        interpreter: Sequence[str] = (sys.executable,),
        bootstrap: Sequence[str] = bootstrap("current.child.probe"),
        environment: Mapping[str, str] | None = None,
        fork: Fork | None = None,
    ) -> None:
        self.unconfined = ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self._buffer = b""
        self._files, files = socket.socketpair()
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        streams = (requests, answers, self._log.fileno())
        try:
            if fork is None:
                command = [*interpreter, "-c", *bootstrap]
                self._process: Started = Spawned(command, options, streams, files.fileno(), environment)
            else:
                self._process = fork(options, files.fileno())
                socket.send_fds(self._files, [b"\0"], streams)
        except BaseException:
            self._close_streams()
            raise
        finally:
            files.close()
            os.close(requests)
            os.close(answers)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, request: Mapping[str, object], descriptor: int | None = None) -> None:
        """Hand over a request without waiting for the answer.

        Args:
            descriptor: an open file to hand over with it: the child can open none for writing,
                and none of this process's.

        Raises:
            ChildGone: the child has ended.
        """
        told = {**request, "descriptor": descriptor is not None}
        pending = memoryview(json.dumps(told).encode() + b"\n")
        try:
            if descriptor is not None:
                socket.send_fds(self._files, [b"\0"], [descriptor])
            while pending:
                pending = pending[os.write(self._requests, pending) :]
        except OSError as error:
            raise self._gone() from error

    def receive(self, timeout: float) -> dict[str, Any]:
        """The next answer.

        Raises:
            ChildGone: there is none within `timeout` seconds, or it is no JSON object.
        """
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            chunk = self._chunk(deadline)
            if chunk is None:
                raise ChildGone(f"no answer within {timeout:g} s")
            if not chunk or len(self._buffer) > _MAX_ANSWER:
                raise self._gone()
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        with contextlib.suppress(ValueError, RecursionError):
            answer = json.loads(line)
            if isinstance(answer, dict):
                self._note(answer)
                return answer
        raise ChildGone("the child's answer is not understood")

    def allow_memory(self, size: int) -> None:
        """Bound the address space to so many bytes; only Linux can do that from outside."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # it has ended
                hard = resource.prlimit(self.pid, resource.RLIMIT_AS)[1]
                soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
                resource.prlimit(self.pid, resource.RLIMIT_AS, (soft, hard))

    def stderr_tail(self) -> str:
        """The end of what the child and its libraries printed."""
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), _STDERR_TAIL, max(0, size - _STDERR_TAIL))
        return tail.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Kill the child's process group; harmless when repeated."""
        if not self._log.closed:
            self._process.kill()
            self._close_streams()

    def _close_streams(self) -> None:
        os.close(self._requests)
        os.close(self._answers)
        self._log.close()
        self._files.close()

    def _chunk(self, deadline: float) -> bytes | None:
        """More output, `b""` at its end, or None at the deadline."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
        return os.read(self._answers, 1 << 20)

    def _note(self, answer: Mapping[str, object]) -> None:
        wall = answer.get("wall")
        if isinstance(wall, dict) and answer.get("kind") != "unconfined":
            self.unconfined = "" if wall.get("kind") else str(wall.get("reason"))

    def _gone(self) -> ChildGone:
        try:
            code = self._process.wait(5)
        except ChildGone as error:
            return error
        if code is None:
            return ChildGone("the child closed its output without an answer")
        lines = self.stderr_tail().splitlines()
        said = f": {lines[-1]}" if lines else ""
        if code == -signal.SIGSYS:
            return ChildStopped("the kernel ended the child")
        if code < 0:
            return ChildGone(f"the child was killed by {_signal(-code)}{said}")
        return ChildGone(f"the child ended with status {code}{said}")


class ChildOwner:
    """Holds a child for as long as it is not closed: a context manager, which closes in the end."""

    _child: Child

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the child and what it started."""
        self._child.close()

    @property
    def pid(self) -> int:
        return self._child.pid

    def stderr_tail(self) -> str:
        """The end of what the child and its libraries printed."""
        return self._child.stderr_tail()


def _signal(number: int) -> str:
    """Its name; most of the real-time ones have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
