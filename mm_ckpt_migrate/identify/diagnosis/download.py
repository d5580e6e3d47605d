"""Whether a file is one of the model zoos', and what they have in its place now."""

from __future__ import annotations

from dataclasses import dataclass

from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.identify.layouts.weights import ZooFile, find_zoo_file, zoo_files
from mm_ckpt_migrate.zoo.entries import entries


@dataclass(frozen=True, slots=True)
class Download:
    """A file of a model zoo.

    Attributes:
        name: as published.
        release, config: the newest release whose metafile names it, and the config there.
        current: the files that the current release names for that model: this one where it still
            does, none where it names none.
        retrained: whether the current file holds other weights; None where that is not known.
    """

    name: str
    release: str
    config: str
    current: tuple[str, ...]
    retrained: bool | None

    @property
    def replaced(self) -> bool:
        return bool(self.current) and self.name not in self.current


def find_download(path: str, digest: str, table: Table) -> Download | None:
    """The zoo's file that a file is.

    Args:
        digest: SHA-256 in hexadecimal digits.
    """
    found = find_zoo_file(path, digest)
    if found is None:
        return None
    release, config = list(found.configs.items())[-1]
    retrained = next((e.retrained for e in entries() if e.old_file == found.name), None)
    return Download(
        name=found.name, release=release, config=config, current=_current(found, table), retrained=retrained
    )


def _current(found: ZooFile, table: Table) -> tuple[str, ...]:
    release, config = list(found.configs.items())[-1]
    if table.is_current(release):
        return (found.name,)
    current, counterpart = table.current(release), table.counterparts[release].get(config)
    return tuple(
        file.name
        for file in zoo_files().values()
        if counterpart is not None and file.configs.get(current) == counterpart
    )
