"""`Folders`: the sources and results of a batch as its driver sees them, here or behind URLs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mm_ckpt_migrate.batch.find import Found, find_checkpoints, find_named, signature
from mm_ckpt_migrate.batch.item import Signature
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.errors import DestinationError, MigrateError
from mm_ckpt_migrate.files.archive.source import Source


class Folder(Protocol):
    """Names are paths below it, with `/`."""

    def same(self, name: str, known: Signature | None, digest: str) -> Signature | None:
        """The signature of a file that was not written to since, or has the same bytes."""

    def exists(self, name: str) -> bool: ...


class Folders(Protocol):
    """Sources and results."""

    @property
    def sources(self) -> Folder: ...
    @property
    def results(self) -> Folder: ...

    def find(self, names: Iterable[str] | None) -> list[Found]:
        """Inputs: those with the names, or all; by name.

        Raises:
            CheckpointError: there is no such folder, or it cannot be listed.
            DestinationError: the sources lie among the results.
        """


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder.

    Attributes:
        links: whether a link is as good as the file that it leads to.
    """

    path: Path
    links: bool

    def same(self, name: str, known: Signature | None, digest: str) -> Signature | None:
        path = self.path / name
        try:
            if path.is_symlink() and not self.links:
                return None
            with Source(path) as source:
                now = signature(source.status)
                return now if now == known or source.digest() == digest else None
        except MigrateError:
            return None

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.path / name)


class LocalFolders:
    """Both on this machine."""

    def __init__(self, batch: Batch) -> None:
        self.sources = LocalFolder(batch.sources, links=True)
        self.results = LocalFolder(batch.results, links=False)

    def find(self, names: Iterable[str] | None) -> list[Found]:
        sources, results = self.sources.path, self.results.path
        if sources.resolve().is_relative_to(results.resolve()):
            raise holds_sources(results)
        if names is None:
            return find_checkpoints(sources, without=results)
        return find_named(sources, names, without=results)


def holds_sources(results: Path | str) -> DestinationError:
    """The refusal of a folder of results that the sources lie in."""
    return DestinationError(
        results,
        "the sources lie in it, which are never written",
        hint="Choose another folder for the results.",
    )
