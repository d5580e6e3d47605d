"""A child process that answers JSON lines, killed with everything it started when done with."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

_ROOT = str(Path(__file__).resolve().parents[2])
_MAX_ANSWER = 64 * 1024 * 1024
_STDERR_TAIL = 8192

# Not `-m`: that would put the working directory, where downloads lie, in front of sys.path.
_BOOTSTRAP = """\
import sys
sys.path[:] = [p for p in sys.path if p]
if sys.argv[1] not in sys.path: sys.path.insert(0, sys.argv[1])
from mm_ckpt_migrate.releases.probe import serve
serve.begin(sys.argv[2], sys.argv[3])
"""


class ChildGone(Exception):  # noqa: N818 - it says what happened
    """The child gave no answer: it ended, was killed, or ran out of time."""


class ChildUnborn(ChildGone):
    """The fork server gave no child, or ended and took it along."""


class ChildStopped(ChildGone):
    """The kernel ended the child: it called the system for what the wall does not let through."""


class Started(Protocol):
    """A process that was started, the leader of a group of its own."""

    @property
    def pid(self) -> int:
        """Its number; raises ProcessLookupError where it never came to be."""

    def wait(self, seconds: float) -> int | None:
        """Its status, negative for a signal; None while it runs. Raises `ChildGone`."""

    def kill(self) -> None:
        """Kill its group and wait for its end; harmless when repeated."""


Fork = Callable[[Mapping[str, object], int], Started]
"""Starts a child with these options and the number of its socket, where its streams come along."""


def bootstrap(module: str) -> tuple[str, ...]:
    """What an interpreter of this environment runs to be a child; the options follow."""
    return (_BOOTSTRAP, _ROOT, f"mm_ckpt_migrate.releases.current.child.{module}")


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
        bootstrap: Sequence[str] = bootstrap("probe"),
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
                self._process: Started = _Spawned(command, options, streams, files.fileno(), environment)
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


class _Spawned:
    """A child in an interpreter of its own."""

    def __init__(
        self,
        command: Sequence[str],
        options: Mapping[str, object],
        streams: tuple[int, int, int],
        files: int,
        environment: Mapping[str, str] | None,
    ) -> None:
        stdin, stdout, stderr = streams
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [*command, json.dumps({**options, "parent": os.getpid(), "files": files})],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd="/",  # a relative path in a config must not find a file
            env=quiet_environment() if environment is None else environment,
            start_new_session=True,  # so that killing the group reaches grandchildren, not us
            pass_fds=(files,),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def _signal(number: int) -> str:
    """Its name; most of the real-time ones have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def quiet_environment() -> dict[str, str]:
    """Ours, less the GPUs and with no path in it that depends on the working directory."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    if paths := os.environ.get("PYTHONPATH"):
        absolute = (os.path.abspath(path) for path in paths.split(os.pathsep) if path)
        environment["PYTHONPATH"] = os.pathsep.join(absolute)
    return environment
