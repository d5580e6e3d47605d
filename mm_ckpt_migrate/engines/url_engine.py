"""The engine for files behind URLs on this machine alone: a thread for each, and its worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import TracebackType
from typing import TypeVar

from mm_ckpt_migrate.batch.engine import Started
from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.model import Item, Outcome
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.engines.task import Setup, Urls, decide, proof, version, work

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class UrlEngine:
    """Of the same shape as `Pool`. A context manager: leaving it waits for what is begun."""

    def __init__(
        self, batch: Batch, jobs: int, started: Started, held: Sequence[int] = (), *, urls: Urls
    ) -> None:
        self._setup = Setup(batch, urls, version(batch))
        self._started = started
        self._threads = ThreadPoolExecutor(jobs)

    def __enter__(self) -> UrlEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    def decide(self, found: Iterable[Found]) -> Iterator[Item]:
        """What is to become of each input, in no order."""
        yield from (item for _, item in self._each(lambda f: decide(f, self._setup), found))

    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]:
        """Every item once, with its outcome, in the order in which they are done."""
        yield from self._each(self._work, items)

    def prove(self, done: Iterable[tuple[Item, Outcome]]) -> Iterator[tuple[Item, Outcome]]:
        """Have new files verified, one after the other: each takes the whole machine."""
        for item, outcome in done:
            self._started(item, 0)
            yield item, proof(item, outcome, self._setup)

    def _work(self, item: Item) -> Outcome:
        number = threading.current_thread().name.rpartition("_")[2]  # ThreadPoolExecutor-0_3
        self._started(item, int(number))
        return work(item, self._setup)

    def _each(
        self, function: Callable[[_Given], _Made], given: Iterable[_Given]
    ) -> Iterator[tuple[_Given, _Made]]:
        futures = {self._threads.submit(function, one): one for one in given}
        for future in as_completed(futures):
            yield futures[future], future.result()
