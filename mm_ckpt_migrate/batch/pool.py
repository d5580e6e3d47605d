"""The local engine: worker processes, each with one item at a time, and a clock beside each."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, TypeAlias

from mm_ckpt_migrate.batch.journal import outcome_from_json
from mm_ckpt_migrate.batch.model import Item, Outcome, Status
from mm_ckpt_migrate.batch.options import BatchOptions
from mm_ckpt_migrate.errors import ExitCode

# A file that costs a worker its life is tried once more, and then set aside.
_ATTEMPTS: Final = 2
_TICK: Final = 0.2

Started: TypeAlias = Callable[[Item, int], None]


@dataclass(slots=True)
class _Worker:
    number: int
    process: subprocess.Popen[bytes]
    item: Item | None = None
    since: float = 0.0
    answer: bytearray = field(default_factory=bytearray)


class Pool:
    """Worker processes. A context manager: leaving it kills them."""

    def __init__(
        self, sources: Path, results: Path, options: BatchOptions, jobs: int, started: Started
    ) -> None:
        """`started` is told of each item and of the number of its worker."""
        self._setup = json.dumps(
            {"sources": str(sources), "results": str(results), "options": options.to_json()}
        )
        self._options = options
        self._started = started
        self._selector = selectors.DefaultSelector()
        self._workers = {number: self._start(number) for number in range(jobs)}
        self._attempts: dict[str, int] = {}

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers.values():
            self._end(worker)
        self._selector.close()

    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Every item once, with its outcome, in the order in which they are done."""
        waiting = deque(items)
        left = len(waiting)
        while left:
            for worker in self._workers.values():
                if worker.item is None and waiting:
                    self._give(worker, waiting.popleft())
            for worker, outcome in list(self._answers()):
                item, worker.item = worker.item, None
                assert item is not None
                if outcome is None and self._attempts[item.source] < _ATTEMPTS:
                    waiting.append(item)
                    continue
                left -= 1
                yield item, outcome or self._set_aside(item)

    def _start(self, number: int) -> _Worker:
        process = subprocess.Popen(
            [sys.executable, "-m", "mm_ckpt_migrate.batch.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        worker = _Worker(number, process)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        self._send(worker, self._setup)
        return worker

    def _give(self, worker: _Worker, item: Item) -> None:
        worker.item, worker.since = item, time.monotonic()
        self._attempts[item.source] = self._attempts.get(item.source, 0) + 1
        self._started(item, worker.number)
        self._send(worker, json.dumps(item.to_json()))

    def _send(self, worker: _Worker, line: str) -> None:
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # that it is gone is noticed where it is read
            worker.process.stdin.write(line.encode() + b"\n")
            worker.process.stdin.flush()

    def _answers(self) -> Iterator[tuple[_Worker, Outcome | None]]:
        """Outcomes, and None for a worker that died or was killed for its slowness."""
        for key, _ in self._selector.select(_TICK):
            worker = key.data
            block = os.read(key.fd, 1 << 20)
            worker.answer += block
            if not block:
                busy = worker.item is not None
                dead = self._replace(worker)
                if busy:
                    yield dead, None
            elif worker.answer.endswith(b"\n"):
                outcome = outcome_from_json(json.loads(worker.answer))
                worker.answer.clear()
                yield worker, outcome
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.item is not None and now - worker.since > self._options.seconds:
                yield self._replace(worker), None

    def _replace(self, worker: _Worker) -> _Worker:
        """A new process in the place of a worker's; the item stays with it, to be accounted for."""
        self._end(worker)
        fresh = self._start(worker.number)
        worker.process = fresh.process
        worker.answer.clear()
        assert fresh.process.stdout is not None
        self._selector.modify(fresh.process.stdout, selectors.EVENT_READ, worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        process = worker.process
        assert process.stdout is not None
        assert process.stdin is not None
        self._selector.unregister(process.stdout)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)  # its children too: digests, and target models
        process.wait()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()

    def _set_aside(self, item: Item) -> Outcome:
        reason = (
            f"its worker died {_ATTEMPTS} times, of the memory it took, of the "
            f"{self._options.seconds:.0f} seconds it may take, or was killed"
        )
        return Outcome(Status.FAILED, reason, exit_code=int(ExitCode.INTERNAL))
