"""Find the checkpoints in a folder tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.batch.item import Signature
from mm_ckpt_migrate.errors import CheckpointError

SUFFIXES: Final = (".pth", ".pt", ".ckpt", ".safetensors")
LEADS_OUT: Final = "it is a link that leads out of the folder, and is left out"
NOTHING: Final = Signature(device=0, inode=0, size=0, modified=0, changed=0)


@dataclass(frozen=True, slots=True)
class Found:
    """An input.

    Attributes:
        fault: why it cannot be looked into; or nothing.
    """

    source: str
    signature: Signature
    fault: str = ""


def find_checkpoints(folder: Path, *, without: Path) -> list[Found]:
    """All of them, by name; and the folders and links that are left out, with the reason.

    Links to folders are followed after the folders themselves, each folder is entered once. Links
    that lead out of the folder are not followed, or a zoo would have its own user's private files
    copied into what is published. Hidden files and folders are left out.

    Args:
        without: a folder that is not entered: the results may lie among the sources.

    Raises:
        CheckpointError: `folder` is no folder that can be listed.
    """
    try:
        os.listdir(folder)
    except NotADirectoryError as error:
        raise CheckpointError(folder, "it is no folder", hint="Give convert a file.") from error
    except OSError as error:
        raise CheckpointError(folder, f"{error.strerror}") from error
    walk = _Walk(folder, {_identity(without)} if without.exists() else set())
    return sorted(walk.all(), key=lambda found: found.source)


@dataclass(slots=True)
class _Walk:
    root: Path
    entered: set[tuple[int, int]]
    links: list[str] = field(default_factory=list)

    def all(self) -> Iterator[Found]:
        waiting = [""]
        while waiting:
            yield from self._below(waiting.pop())
            if not waiting and self.links:
                waiting.append(self.links.pop(0))

    def _below(self, start: str) -> Iterator[Found]:
        """A folder and its folders, without recursion: no nesting is too deep."""
        waiting = [start]
        while waiting:
            below = waiting.pop()
            try:
                if not self._enter(below):
                    continue
                names = sorted(os.listdir(self.root / below))
            except OSError as error:
                yield Found(below, NOTHING, f"the folder cannot be read: {error.strerror}")
                continue
            for name in names:
                if not name.startswith("."):
                    yield from self._entry(f"{below}{name}", waiting)

    def _enter(self, below: str) -> bool:
        identity = _identity(self.root / below)
        fresh = identity not in self.entered
        self.entered.add(identity)
        return fresh

    def _entry(self, source: str, folders: list[str]) -> Iterator[Found]:
        path = self.root / source
        try:
            status = path.stat()
            outside = path.is_symlink() and leads_out(path, self.root)
        except OSError as error:
            if path.suffix in SUFFIXES:
                yield Found(source, NOTHING, f"it leads nowhere: {error.strerror}")
            return
        if outside and (stat.S_ISDIR(status.st_mode) or path.suffix in SUFFIXES):
            yield Found(source, NOTHING, LEADS_OUT)
        elif stat.S_ISDIR(status.st_mode):
            (self.links if path.is_symlink() else folders).append(f"{source}/")
        elif path.suffix in SUFFIXES:
            yield Found(source, signature(status))


def find_named(folder: Path, names: Iterable[str], *, without: Path) -> list[Found]:
    """Inputs by their paths below a folder, each once; what is wrong with one is its fault."""
    start, apart = os.path.abspath(folder), os.path.realpath(without)
    found: dict[str, Found] = {}
    for name in names:
        path = os.path.normpath(os.path.join(start, name))
        source = os.path.relpath(path, start)
        try:
            known, fault = signature(os.stat(path)), ""
        except (OSError, ValueError) as error:
            known, fault = NOTHING, f"{getattr(error, 'strerror', error)}"
        if source.split("/")[0] == ".." or _is_below(os.path.realpath(path), apart):
            fault = "it lies outside the folder of the sources, or among the results"
        elif not fault and leads_out(Path(path), folder):
            known, fault = NOTHING, LEADS_OUT
        found[source] = Found(source, known, fault)
    return sorted(found.values(), key=lambda one: one.source)


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path below a folder leads out of it by a link, its own or one of a folder's."""
    return not _is_below(os.path.realpath(path), os.path.realpath(folder))


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def signature(status: os.stat_result) -> Signature:
    return Signature(
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        modified=status.st_mtime_ns,
        changed=status.st_ctime_ns,
    )
