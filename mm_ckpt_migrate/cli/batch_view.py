"""What a batch shows: its plan, its progress, its result."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from mm_ckpt_migrate.batch.item import Action, Item, Outcome, Status
from mm_ckpt_migrate.cli.render import safe_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mm_ckpt_migrate.batch.report import Result
    from mm_ckpt_migrate.batch.run import Watcher

_COLOURS: Final = {
    Status.MIGRATED: "green",
    Status.COPIED: "green",
    Status.REFUSED: "yellow",
    Status.FAILED: "red",
}
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


def print_result(result: Result, report: Path) -> None:
    left = [(item, outcome) for item, outcome in result.outcomes if not outcome.done]
    for item, outcome in left[:_SHOWN]:
        _print_outcome(item, outcome)
    if len(left) > _SHOWN:
        typer.echo(f"and {len(left) - _SHOWN} more")
    counts = Counter(outcome.status for _, outcome in result.outcomes)
    total = ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])
    typer.secho(f"{len(result.outcomes)} checkpoints: {total or 'none'}", bold=True)
    if result.absent:
        typer.echo(f"{len(result.absent)} that the zoo lists are not there (`absent` in batch.json)")
    typer.echo(safe_line(f"{report} accounts for each"))


def _print_outcome(item: Item, outcome: Outcome) -> None:
    status = typer.style(f"{outcome.status.value:<8}", fg=_COLOURS[outcome.status])
    typer.echo(f"{status}  {safe_line(item.source)}: {safe_line(outcome.summary)}")


class _Nothing:
    def found(self, count: int, undecided: int) -> None:
        pass

    def decided(self, item: Item) -> None:
        pass

    def planned(self, items: Sequence[Item], left: Sequence[Item]) -> None:
        pass

    def started(self, item: Item, worker: int) -> None:
        pass

    def ended(self, item: Item, outcome: Outcome) -> None:
        pass

    def proving(self, items: Sequence[Item]) -> None:
        pass


class _Lines(_Nothing):
    """One line per file, where there is no terminal."""

    def planned(self, items: Sequence[Item], left: Sequence[Item]) -> None:
        counts = Counter(item.action for item in items)
        plan = ", ".join(f"{counts[action]} to {action.value}" for action in Action)
        typer.echo(f"{len(items)} checkpoints: {plan}; {len(left)} to be done now", err=True)

    def ended(self, item: Item, outcome: Outcome) -> None:
        line = f"{outcome.status.value}  {item.source}: {outcome.summary}"
        typer.echo(safe_line(line), err=True)

    def proving(self, items: Sequence[Item]) -> None:
        typer.echo(f"{len(items)} new files to verify", err=True)


class _Live(_Nothing):
    """A live view: what is done, how fast, and what each worker is at."""

    def __init__(self, progress: Progress, looking: Progress) -> None:
        self._progress = progress
        self._looking = looking
        self._looked: TaskID | None = None
        self._total: TaskID | None = None
        self._rows: dict[int, TaskID] = {}
        self._workers: dict[str, TaskID] = {}
        self._left = 0
        self._what = "files"

    def found(self, count: int, undecided: int) -> None:
        self._looked = self._looking.add_task(f"looking into {undecided} of {count} files")
        self._looking.update(self._looked, total=undecided)

    def decided(self, item: Item) -> None:
        assert self._looked is not None
        self._looking.advance(self._looked)

    def planned(self, items: Sequence[Item], left: Sequence[Item]) -> None:
        assert self._looked is not None
        self._looking.update(self._looked, visible=False)
        self._left = len(left)
        self._begin(left)

    def proving(self, items: Sequence[Item]) -> None:
        assert self._total is not None
        self._progress.update(self._total, visible=False)
        self._left, self._what = len(items), "files to verify"
        self._begin(items)

    def _begin(self, left: Sequence[Item]) -> None:
        size = sum(item.signature.size for item in left)
        self._total = self._progress.add_task(f"{len(left)} {self._what} left", total=size)

    def started(self, item: Item, worker: int) -> None:
        if worker not in self._rows:
            self._rows[worker] = self._looking.add_task("", total=None)
        row = self._rows[worker]
        self._workers[item.source] = row
        size = f"{item.signature.size / 1e6:.1f} MB"
        text = f"  {item.action.value} {safe_line(item.source)} ({size})"
        self._looking.reset(row, total=None, description=text)

    def ended(self, item: Item, outcome: Outcome) -> None:
        assert self._total is not None
        self._left -= 1
        text = f"{self._left} {self._what} left"
        self._progress.update(self._total, advance=item.signature.size, description=text)
        self._looking.update(self._workers[item.source], description="  waiting")
        if not outcome.done:
            line = f"{outcome.status.value}  {item.source}: {outcome.summary}"
            self._progress.console.print(safe_line(line), markup=False, soft_wrap=True)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watcher]:
    """Who shows what happens: live in a terminal, line by line elsewhere, or not at all."""
    if quiet or not sys.stderr.isatty():
        yield _Nothing() if quiet else _Lines()
        return
    from rich import progress as rich
    from rich.console import Console, Group
    from rich.live import Live

    console = Console(stderr=True, markup=False, highlight=False)
    text = rich.TextColumn("{task.description}", markup=False)
    total = rich.Progress(
        text,
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
        console=console,
    )
    rows = rich.Progress(text, rich.TimeElapsedColumn(), console=console)
    with Live(Group(rows, total), console=console, transient=True, refresh_per_second=8):
        yield _Live(total, rows)
