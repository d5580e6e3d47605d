"""What a batch shows: its plan, its progress, its result."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from mm_ckpt_migrate.batch.model import Action, Item, Outcome, Status
from mm_ckpt_migrate.cli.render import safe_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mm_ckpt_migrate.batch.run import Result, Watcher

_COLOURS: Final = {
    Status.MIGRATED: "green", Status.COPIED: "green", Status.REFUSED: "yellow",
    Status.FAILED: "red",
}  # fmt: skip
_SHOWN: Final = 400


def print_items(items: Sequence[Item]) -> None:
    """The plan as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("action", "file", "by what, and why"):
        table.add_column(name, overflow="fold")
    for item in items:
        by = f"{item.family}, {item.config}: {item.paired}" if item.paired else item.reason
        table.add_row(*(Text(safe_line(text)) for text in (item.action.value, item.source, by)))
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
    counts = Counter(item.action for item in items)
    typer.echo(", ".join(f"{counts[action]} to {action.value}" for action in Action))


def print_result(result: Result, results: Path) -> None:
    left = [(item, outcome) for item, outcome in result.outcomes if not outcome.done]
    for item, outcome in left[:_SHOWN]:
        _print_outcome(item, outcome)
    counts = Counter(outcome.status for _, outcome in result.outcomes)
    total = ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])
    typer.secho(f"{len(result.outcomes)} checkpoints: {total or 'none'}", bold=True)
    typer.echo(safe_line(f"{results / 'batch.json'} accounts for each"))


def _print_outcome(item: Item, outcome: Outcome) -> None:
    status = typer.style(f"{outcome.status.value:<8}", fg=_COLOURS[outcome.status])
    typer.echo(f"{status}  {safe_line(item.source)}: {safe_line(outcome.summary)}")


class _Lines:
    """One line per file, where there is no terminal."""

    def planned(self, items: Sequence[Item]) -> None:
        counts = Counter(item.action for item in items)
        plan = ", ".join(f"{counts[action]} to {action.value}" for action in Action)
        typer.echo(f"{len(items)} checkpoints: {plan}", err=True)

    def started(self, item: Item, worker: int) -> None:
        pass

    def ended(self, item: Item, outcome: Outcome, *, before: bool) -> None:
        if not before:
            line = f"{outcome.status.value}  {item.source}: {outcome.summary}"
            typer.echo(safe_line(line), err=True)


class _Nothing(_Lines):
    def planned(self, items: Sequence[Item]) -> None:
        pass

    def ended(self, item: Item, outcome: Outcome, *, before: bool) -> None:
        pass


class _Live:
    """A live view: what is done, how fast, and what each worker is at."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total: TaskID | None = None
        self._workers: dict[str, TaskID] = {}
        self._rows: dict[int, TaskID] = {}

    def planned(self, items: Sequence[Item]) -> None:
        size = sum(item.signature.size for item in items if item.action is not Action.REFUSE)
        self._total = self._progress.add_task(f"{len(items)} files", total=size)

    def started(self, item: Item, worker: int) -> None:
        if worker not in self._rows:
            self._rows[worker] = self._progress.add_task("", total=None)
        row = self._rows[worker]
        self._workers[item.source] = row
        self._progress.update(row, description=f"  {safe_line(item.source)}")

    def ended(self, item: Item, outcome: Outcome, *, before: bool) -> None:
        assert self._total is not None
        self._progress.advance(self._total, item.signature.size)
        if item.source in self._workers:
            self._progress.update(self._workers[item.source], description="  waiting")


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watcher]:
    if quiet or not sys.stderr.isatty():
        yield _Nothing() if quiet else _Lines()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True, markup=False, highlight=False)
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
        TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Live(progress)
