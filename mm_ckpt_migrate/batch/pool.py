"""The local engine: worker processes, each with one task at a time, and a clock beside each."""

from __future__ import annotations

import json
import selectors
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Final

from mm_ckpt_migrate.batch.decide import refuse
from mm_ckpt_migrate.batch.engine import Started
from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.item import Item, Outcome, Status, item_from_json, outcome_from_json
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.process import WorkerKind, WorkerProcess, for_files
from mm_ckpt_migrate.batch.prove import prove
from mm_ckpt_migrate.errors import ExitCode, MigrateError

# A file that costs a worker its life is tried once more, and then set aside.
_ATTEMPTS: Final = 2
_TICK: Final = 0.2
_PATIENCE: Final = 2.0


class WorkerError(MigrateError):
    """The worker processes do not even start."""

    exit_code = ExitCode.INTERNAL


@dataclass(frozen=True, slots=True)
class Task:
    """One message: an item to work on, or inputs to decide on.

    Attributes:
        lives: how many workers it cost.
        outcome: of the item, where its new file is to be verified.
    """

    item: Item | None = None
    found: tuple[Found, ...] = ()
    lives: int = 0
    outcome: Outcome | None = None

    def message(self) -> dict[str, Any]:
        if self.item is not None:
            proof = {"outcome": self.outcome.to_json()} if self.outcome is not None else {}
            return {"item": self.item.to_json(), **proof}
        return {"found": [asdict(one) for one in self.found]}

    def again(self) -> list[Task]:
        """What to try after it cost a worker: each input by itself; nothing, after the last try."""
        if self.lives + 1 >= _ATTEMPTS:
            return []
        if self.item is not None:
            return [replace(self, lives=self.lives + 1)]
        return [replace(self, found=(one,), lives=self.lives + 1) for one in self.found]


class Pool:
    """Worker processes, started as they are needed. A context manager: leaving it kills them.

    Attributes:
        _together: inputs to decide on in one message, which costs about as much as one of them.
    """

    _together = 32

    def __init__(
        self,
        batch: Batch,
        jobs: int,
        started: Started,
        held: Sequence[int] = (),
        *,
        kind: WorkerKind | None = None,
    ) -> None:
        """
        Args:
            started: told of each item and of the number of its worker.
            held: descriptors that the workers hold while they live.
            kind: of the workers, if the files are not on this machine.
        """
        self._batch = batch
        self._kind = kind or for_files(batch)
        self._seconds = batch.options.seconds
        self._jobs = jobs
        self._started = started
        self._held = held
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, WorkerProcess] = {}
        self._stillborn = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in list(self._workers.values()):
            self._end(worker)
        self._selector.close()

    def decide(self, found: Iterable[Found]) -> Iterator[Item]:
        """What is to become of each input, in no order.

        Raises:
            WorkerError: no worker can be started.
        """
        listed = list(found)
        size = max(1, min(self._together, len(listed) // (4 * self._jobs)))
        parts = (tuple(listed[at : at + size]) for at in range(0, len(listed), size))
        for task, answer in self._results([Task(found=part) for part in parts]):
            if isinstance(answer, str):
                (one,) = task.found
                yield refuse(replace(one, signature=one.signature.unsettled()), answer)
            else:
                yield from map(item_from_json, answer)

    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Every item once, with its outcome, in the order in which they are done.

        Raises:
            WorkerError: no worker can be started.
        """
        yield from self._outcomes([Task(item) for item in items])

    def prove(self, done: Iterable[tuple[Item, Outcome]]) -> Iterator[tuple[Item, Outcome]]:
        """Have new files verified, one after the other: each takes the whole machine."""
        batch, how = self._batch, self._batch.proving
        assert how is not None
        for item, outcome in done:
            self._started(item, 0)
            yield item, prove(item, outcome, batch.sources, batch.results, how)

    def _outcomes(self, tasks: Iterable[Task]) -> Iterator[tuple[Item, Outcome]]:
        for task, answer in self._results(tasks):
            assert task.item is not None
            if isinstance(answer, str):
                failed = task.outcome or Outcome(Status.FAILED, "")
                code = int(ExitCode.INTERNAL)
                yield (task.item, replace(failed, status=Status.FAILED, summary=answer, exit_code=code))
            else:
                yield task.item, outcome_from_json(answer)

    def _results(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Any]]:
        """Answers; or, for a task that was set aside, why, as text."""
        waiting = deque(tasks)
        left = len(waiting)
        while left:
            self._feed(waiting)
            for task, answer in self._answers():
                left -= 1
                again = task.again() if isinstance(answer, str) else []
                waiting.extend(again)
                left += len(again)
                if isinstance(answer, str) and not again:
                    yield task, f"its worker died {_ATTEMPTS} times: {answer}"
                elif not again:
                    yield task, answer

    def _feed(self, waiting: deque[Task]) -> None:
        for worker in self._workers.values():
            if worker.ready and worker.task is None and waiting:
                task = waiting.popleft()
                if task.item is not None:
                    self._started(task.item, worker.number)
                worker.give(task, task.message())
        coming = sum(not worker.ready for worker in self._workers.values())
        for number in range(self._jobs):
            if coming < len(waiting) and number not in self._workers:
                self._workers[number] = worker = WorkerProcess(number, self._kind, self._held)
                self._selector.register(worker, selectors.EVENT_READ, worker)
                coming += 1

    def _answers(self) -> Iterator[tuple[Task, Any]]:
        """Answers; or the cause, as text, for a worker that died or was killed for its slowness."""
        for key, _ in self._selector.select(_TICK):
            worker = key.data
            lines = worker.lines()
            if lines is None:
                yield from self._lost(worker, "")
            for line in lines or ():
                if not worker.ready:
                    worker.ready, self._stillborn = True, 0
                    continue
                task, worker.task = worker.task, None
                yield task, json.loads(line)
        now, seconds = time.monotonic(), self._seconds
        for worker in list(self._workers.values()):
            if worker.task is not None and now - worker.since > seconds:
                yield from self._lost(worker, f"it took more than {seconds:g} seconds")

    def _lost(self, worker: WorkerProcess, cause: str) -> Iterator[tuple[Task, str]]:
        how = self._end(worker, 0.0 if cause else _PATIENCE)
        if worker.task is not None:
            yield worker.task, cause or how
        elif not worker.ready:
            self._stillborn += 1
            if self._stillborn > _ATTEMPTS * self._jobs:
                raise WorkerError(f"the worker processes cannot start: {how}")

    def _end(self, worker: WorkerProcess, patience: float = 0.0) -> str:
        del self._workers[worker.number]
        self._selector.unregister(worker)
        return worker.end(patience)
