"""`Engine`: does the work of a batch, with processes on this machine or by other means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.item import Item, Outcome
from mm_ckpt_migrate.batch.options import Batch

Started: TypeAlias = Callable[[Item, int], None]


class Engine(Protocol):
    """Both answer each input once, in no order; a file that costs lives is set aside."""

    def decide(self, found: Iterable[Found]) -> Iterator[Item]: ...
    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Outcome]]: ...
    def prove(self, done: Iterable[tuple[Item, Outcome]]) -> Iterator[tuple[Item, Outcome]]: ...


# Of a batch, how many files at once, whom to tell what is begun, and descriptors to hold.
EngineMaker: TypeAlias = Callable[[Batch, int, Started, Sequence[int]], AbstractContextManager[Engine]]
