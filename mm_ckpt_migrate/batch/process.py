"""One worker process, seen from outside: lines go in, lines come out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mm_ckpt_migrate.batch.options import Batch, batch_to_json


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """What a worker process runs, and the first line that it is told."""

    module: str
    setup: Mapping[str, Any]


def for_files(batch: Batch) -> WorkerKind:
    """Workers for the files of this machine."""
    return WorkerKind("mm_ckpt_migrate.batch.worker", batch_to_json(batch))


class WorkerProcess:
    """A process with at most one task at a time, in a session of its own.

    Attributes:
        number: for those who watch.
        ready: whether it said that it is set up.
        task: what it is at.
        since: when it was given that, on the monotonic clock.
    """

    def __init__(self, number: int, kind: WorkerKind, held: Sequence[int]) -> None:
        """`held`: descriptors that it holds while it lives."""
        self.number = number
        self.ready = False
        self.task: Any = None
        self.since = 0.0
        self._rest = b""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(  # noqa: S603 - a module of this program, and no shell
            [sys.executable, "-m", kind.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=held,
            start_new_session=True,
        )
        self._send({**kind.setup, "parent": os.getpid()})

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def give(self, task: Any, message: dict[str, Any]) -> None:
        self.task, self.since = task, time.monotonic()
        self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # that it is gone is noticed where it is read
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def lines(self) -> list[str] | None:
        """What it wrote since, in whole lines; None where it ended."""
        block = os.read(self.fileno(), 1 << 20)
        if not block:
            return None
        *lines, self._rest = (self._rest + block).split(b"\n")
        return [line.decode() for line in lines]

    def end(self, patience: float = 0.0) -> str:
        """Kill it and its children, digests and target models; gives how it ended.

        Args:
            patience: seconds for it to end by itself, which says more.
        """
        pid, deadline = self._process.pid, time.monotonic() + patience
        # Not reaped before its group is killed: the group's number must not become another's.
        ended = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while time.monotonic() < deadline and os.waitid(os.P_PID, pid, ended) is None:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()
        return self._words(code)

    def _words(self, code: int) -> str:
        with self._errors as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
            last = file.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{how}: {last[:300]}" if last and code > 0 else how
