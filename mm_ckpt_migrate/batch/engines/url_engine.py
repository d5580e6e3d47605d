"""The engine for files behind URLs on this machine alone: worker processes that fetch, too.

What comes over a network may come for ever, a byte at a time. Only a process can be ended while
it waits for that, so each task has one, and a clock beside it, as for files in folders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Final

from mm_ckpt_migrate.batch.engine import Started
from mm_ckpt_migrate.batch.engines.task import Setup, Urls, version
from mm_ckpt_migrate.batch.item import Item, Outcome
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.pool import Pool, Task
from mm_ckpt_migrate.batch.process import WorkerKind
from mm_ckpt_migrate.files.archive.scratch import sweep_scratch

_MODULE: Final = "mm_ckpt_migrate.batch.engines.worker"
# A worker ends a fetch that takes too long itself, and says so; it is killed where it does not.
_GRACE: Final = 5.0


class UrlEngine(Pool):
    """A context manager: leaving it kills the workers, and removes what they fetched."""

    _together = 1  # each has to be fetched

    def __init__(
        self, batch: Batch, jobs: int, started: Started, held: Sequence[int] = (), *, urls: Urls
    ) -> None:
        setup = Setup(batch, urls, version(batch)).to_json()
        super().__init__(batch, jobs, started, held, kind=WorkerKind(_MODULE, setup))
        self._seconds = batch.options.seconds + _GRACE

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        sweep_scratch()

    def prove(self, done: Iterable[tuple[Item, Outcome]]) -> Iterator[tuple[Item, Outcome]]:
        """Have new files verified, one after the other: each takes the whole machine."""
        how = self._batch.proving
        assert how is not None
        self._seconds = self._batch.options.seconds + how.seconds + _GRACE
        for item, outcome in done:
            yield from self._outcomes([Task(item, outcome=outcome)])
