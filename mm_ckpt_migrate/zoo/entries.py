"""The 34 zoo files that the refactoring made useless, and what the zoos said of them.

Their successors are the same weights under new names, or were trained anew. Weights that were
trained anew score differently, so a migrated file is held against its own entry, the old one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Final

TABLE: Final = Path(__file__).with_name("republished.csv")
_PUBLISHED = re.compile(r"-([0-9a-f]{8})\.pth")

FULL_SETS: Final = {"ADE20K": ("ADE20KDataset", 2000), "Cityscapes": ("CityscapesDataset", 500)}
"""Data set in the zoo's words to mmsegmentation's class, and the size of its validation set."""


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """One old file of a zoo.

    Attributes:
        project: mmseg or mmdet.
        old_file, new_file: names as published; each ends with 8 digits of the file's SHA-256.
        retrained: whether the new file holds other weights.
        old_metrics: what the old file's entry said, such as {"mIoU": 44.29}.
    """

    project: str
    dataset: str
    old_file: str
    new_file: str
    retrained: bool
    old_metrics: dict[str, float]

    @property
    def old_digest(self) -> str:
        """The first 8 hexadecimal digits of the old file's SHA-256."""
        return digest_in(self.old_file)


def digest_in(name: str) -> str:
    """The 8 digits at the end of a published file's name, or nothing."""
    found = _PUBLISHED.search(name)
    return found.group(1) if found else ""


@cache
def entries() -> tuple[ZooEntry, ...]:
    """All of them, in the order of the table."""
    return tuple(_read())


def _read() -> Iterator[ZooEntry]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pairs = (text.partition("=") for text in row["old_metrics"].split(";"))
            yield ZooEntry(
                project=row["project"],
                dataset=row["dataset"],
                old_file=row["old_file"],
                new_file=row["new_file"],
                retrained=row["how"] == "retrained",
                old_metrics={name: float(value) for name, _, value in pairs},
            )


def old_entry(names: Sequence[str], digests: Sequence[str] = ()) -> ZooEntry | None:
    """The entry that a file comes from.

    A digest outweighs a name: a file that is called like the zoo's and was made from another one
    has no entry.

    Args:
        names: of the file and its source, with or without folders.
        digests: SHA-256 of the file itself, then of what it was made from, where that is known.
    """
    prefixes = {digest[:8].lower() for digest in digests}
    found = next((entry for entry in entries() if _digests(entry) & prefixes), None)
    if found is not None or len(digests) > 1:
        return found
    known = {PurePath(name).name for name in names}
    return next((entry for entry in entries() if _names(entry) & known), None)


def _names(entry: ZooEntry) -> set[str]:
    """The names under which an entry's weights are known."""
    return {entry.old_file} if entry.retrained else {entry.old_file, entry.new_file}


def _digests(entry: ZooEntry) -> set[str]:
    return {digest_in(name) for name in _names(entry)}
