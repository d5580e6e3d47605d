"""What a campaign found: counted, printed as a table, and an exit status."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeVar

_Task = TypeVar("_Task")

_SHOWN: Final = 20


class Tally:
    """Counts of what happened, and each thing that must never happen.

    Counts of several processes add up: `a.update(b)`.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def count(self, what: str, times: int = 1) -> None:
        self.counts[what] += times

    def accuse(self, what: str) -> None:
        """Note something that must never happen, with all that is needed to see it again."""
        self.wrong.append(what)

    def update(self, other: Tally) -> None:
        self.counts.update(other.counts)
        self.wrong += other.wrong

    def finish(self, save: Path | None = None) -> int:
        """Print the table; 1 where anything was wrong, else 0."""
        print(f"{self.title}\n\n| what | times |\n| --- | --: |")
        for what, times in sorted(self.counts.items()):
            print(f"| {what} | {times:,} |")
        print(f"| **wrong** | {len(self.wrong):,} |")
        for one in self.wrong[:_SHOWN]:
            print(f"- {one}")
        if save is not None:
            facts = {"title": self.title, "counts": self.counts, "wrong": self.wrong}
            save.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        return int(bool(self.wrong))


def tally_of(title: str, run: Callable[[_Task], Tally], tasks: Iterable[_Task], jobs: int) -> Tally:
    """The sum over tasks, each run in one of so many processes."""
    tally = Tally(title)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for found in pool.map(run, tasks):
            tally.update(found)
    return tally
