"""A progress bar on stderr, where the work is long and somebody watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_WORTH_A_BAR: Final = 256 << 20


@contextmanager
def copying(source: Path) -> Iterator[Callable[[int], None]]:
    """Give the function that is told the bytes copied."""
    if _size(source) < _WORTH_A_BAR or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as SpeedColumn

    columns = (BarColumn(), DownloadColumn(), SpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress("copying", *columns, console=console, transient=True) as progress:
        task = progress.add_task("copying", total=_size(source))
        yield lambda done: progress.advance(task, done)


def _size(path: Path) -> int:
    """0 where it is no file that can be read; which is for others to say."""
    try:
        return os.path.getsize(path) if os.path.isfile(path) else 0
    except OSError:
        return 0
