"""The tables of a model zoo's README: metrics, and a link to the weights in each row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.zoo.metafile import file_name, number

_MAX_BYTES: Final = 4 << 20
# A bar inside a cell is written with a backslash.
_BAR: Final = re.compile(r"(?<!\\)\|")
_RULE: Final = re.compile(r":?-+:?")
_LINK: Final = re.compile(r"\]\(\s*(https?://[^\s()]{1,2000}\.(?:pth|pt|safetensors))\s*\)")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table that links a file of weights.

    Attributes:
        metrics: the cells that are numbers, by the heading of their column.
    """

    file: str
    metrics: Mapping[str, float]
    line: int


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of all tables in a README; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(_rows(text.splitlines()))


def _rows(lines: Sequence[str]) -> Iterator[Row]:
    heads: list[str] = []
    for place, line in enumerate(lines):
        cells = _cells(line)
        if not cells:
            heads = []
        elif all(_RULE.fullmatch(cell) for cell in cells):
            heads = _cells(lines[place - 1]) if place else []
        elif len(heads) == len(cells) == len(set(heads)):
            row = _row(dict(zip(heads, cells, strict=True)), place + 1)
            if row is not None:
                yield row


def _cells(line: str) -> list[str]:
    line = line.strip()
    if not line.startswith("|"):
        return []
    inner = line.removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in _BAR.split(inner)]


def _row(cells: Mapping[str, str], line: int) -> Row | None:
    files = {file_name(link) for cell in cells.values() for link in _LINK.findall(cell)}
    if len(files) != 1:
        return None
    values = {head: number(cell) for head, cell in cells.items()}
    return Row(files.pop(), {h: v for h, v in values.items() if v is not None}, line)
