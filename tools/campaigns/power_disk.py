"""What a disk may hold after a power cut: a model, told of the calls of a traced program.

No kinder than POSIX: certain is only what was there when an fsync that has returned was asked for.
Of everything else any page may have arrived or not, with any length; and so may each change of a
folder, in any order (T. S. Pillai and others, "All File Systems Are Not Created Equal", OSDI 2014).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from crash_calls import Call

# Names and contents; names of folders end with a slash.
State: TypeAlias = frozenset[tuple[str, bytes]]

_PAGE: Final = 4096
_SYNCS: Final = {"fsync", "fdatasync"}
# Which argument is the descriptor of the file that is changed.
_WRITES: Final = {
    "copy_file_range": 2,
    **dict.fromkeys(("write", "writev", "pwrite64", "pwritev", "pwritev2"), 0),
    **dict.fromkeys(("ftruncate", "fallocate"), 0),
}
_NAMERS: Final = {
    "openat",
    "link",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
}
# Of `openat`: that it makes a file, with or without a name.
_MAKES: Final = os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY
_OUTCOMES: Final = 6
_ALL_SUBSETS: Final = 6
_MANY: Final = 64


@dataclass(frozen=True, slots=True)
class _File:
    """What it certainly holds, what was written last, and what may be left, always as many."""

    certain: bytes
    latest: bytes
    outcomes: tuple[bytes, ...]


def _file(certain: bytes, latest: bytes, luck: random.Random) -> _File:
    if certain == latest:
        return _File(certain, latest, (latest,) * _OUTCOMES)
    blank = certain[: len(latest)].ljust(len(latest), b"\0")
    mixes = [_mix(certain, latest, luck) for _ in range(_OUTCOMES - 3)]
    return _File(certain, latest, (certain, latest, blank, *mixes))


def _mix(certain: bytes, latest: bytes, luck: random.Random) -> bytes:
    size = luck.choice((len(certain), len(latest)))
    both = [one.ljust(size, b"\0") for one in (certain, latest)]
    pages = (luck.choice(both)[at : at + _PAGE] for at in range(0, size, _PAGE))
    return b"".join(pages)[:size]


@dataclass(slots=True)
class _Change:
    """Names of one folder that come, go, or become another file's, all at once."""

    folder: str
    names: Mapping[str, int | None]
    certain: bool = False


class Disk:
    """Watches a program that works in a folder.

    Attributes:
        cuts: moments at which the power may fail, each after a call that changed something.
        states: what may be there after any of them.
    """

    def __init__(self, folder: Path, luck: random.Random) -> None:
        self.cuts = 0
        self.states: set[State] = set()
        self._folder = folder
        self._luck = luck
        self._changes: list[_Change] = []
        # Files have numbers of our own, as a file system gives the inode of one to the next.
        self._numbers: dict[int, int] = {}
        self._fresh = itertools.count()
        self._files: dict[int, _File] = {}
        self._inodes = self._names()
        self._first = {name: self._number(inode) for name, inode in self._inodes.items()}
        for name, number in self._first.items():
            content = b"" if name.endswith("/") else (folder / name).read_bytes()
            self._files[number] = _file(content, content, luck)
        # By thread: what a sync that is under way is of, what it held, how many changes there were.
        self._asked: dict[int, tuple[int, bytes | None, int]] = {}

    def possible(self) -> set[State]:
        """What may be there where the power fails now."""
        return {
            frozenset((name, self._file(number).outcomes[one]) for name, number in names.items())
            for names in self._possible_names()
            for one in range(_OUTCOMES)
        }

    def before(self, call: Call) -> None:
        if call.name in _SYNCS and (status := self._status(call, 0)):
            is_file = stat.S_ISREG(status.st_mode)
            content = self._file(self._number(status.st_ino)).latest if is_file else None
            self._asked[call.thread] = status.st_ino, content, len(self._changes)

    def after(self, call: Call) -> None:
        if call.thread in self._asked:
            self._synced(*self._asked.pop(call.thread))
            changed = True
        elif call.name in _WRITES:
            changed = self._written(call, _WRITES[call.name])
        else:
            changed = call.name in _NAMERS and self._named(call)
        if changed:
            self.cuts += 1
            self.states |= self.possible()

    def _number(self, inode: int) -> int:
        return self._numbers[inode] if inode in self._numbers else self._renumber(inode)

    def _renumber(self, inode: int) -> int:
        self._numbers[inode] = next(self._fresh)
        return self._numbers[inode]

    def _file(self, number: int) -> _File:
        return self._files.get(number) or _file(b"", b"", self._luck)

    def _synced(self, inode: int, content: bytes | None, changes: int) -> None:
        if content is not None:
            number = self._number(inode)
            self._files[number] = _file(content, self._file(number).latest, self._luck)
            return
        names = (n for n, one in self._inodes.items() if one == inode and n.endswith("/"))
        folder = next(names, "")
        for change in self._changes[:changes]:
            change.certain |= change.folder == folder

    def _written(self, call: Call, at: int) -> bool:
        status = self._status(call, at)
        if status is not None:
            number = self._number(status.st_ino)
            content = Path(_descriptor(call, at)).read_bytes()
            self._files[number] = _file(self._file(number).certain, content, self._luck)
        return status is not None

    def _named(self, call: Call) -> bool:
        if call.name == "openat":
            if not call.arguments[2] & _MAKES:
                return False
            self._find_unnamed(call)
        before, self._inodes = self._inodes, self._names()
        names = {*before, *self._inodes}
        changed = [name for name in names if before.get(name) != self._inodes.get(name)]
        for name in changed:
            inode = self._inodes.get(name)
            if inode and inode not in before.values() and self._is_empty(name):
                self._renumber(inode)
        for folder, some in itertools.groupby(sorted(changed, key=_folder_of), _folder_of):
            inodes = {name: self._inodes.get(name) for name in some}
            numbers = {name: inode and self._number(inode) for name, inode in inodes.items()}
            self._changes.append(_Change(folder, numbers))
        return bool(changed)

    def _find_unnamed(self, call: Call) -> None:
        """A file that was just opened without a name."""
        for path in Path(f"/proc/{call.thread}/fd").iterdir():
            with contextlib.suppress(OSError):
                status = path.stat()
                if not status.st_size and not status.st_nlink:
                    self._renumber(status.st_ino)

    def _is_empty(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            status = (self._folder / name).stat()
            return stat.S_ISDIR(status.st_mode) or not status.st_size
        return False

    def _names(self) -> dict[str, int]:
        """Inode by name, relative to the folder."""
        found = {}
        for path in self._folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                slash = "/" if stat.S_ISDIR(status.st_mode) else ""
                found[f"{path.relative_to(self._folder)}{slash}"] = status.st_ino
        return found

    def _status(self, call: Call, at: int) -> os.stat_result | None:
        """Of the file behind an argument, where it is in the folder."""
        path = _descriptor(call, at)
        with contextlib.suppress(OSError):
            if Path(os.readlink(path)).is_relative_to(self._folder):
                return os.stat(path)
        return None

    def _possible_names(self) -> Iterator[dict[str, int]]:
        pending = [change for change in self._changes if not change.certain]
        for arrived in self._subsets(len(pending)):
            lost = {id(one) for one, there in zip(pending, arrived, strict=True) if not there}
            names: dict[str, int | None] = dict(self._first)
            for change in self._changes:
                if id(change) not in lost:
                    names.update(change.names)
            yield {n: i for n, i in names.items() if i is not None and _is_reached(n, names)}

    def _subsets(self, size: int) -> Iterator[tuple[bool, ...]]:
        if size <= _ALL_SUBSETS:
            yield from itertools.product((False, True), repeat=size)
            return
        for first in range(size + 1):
            yield tuple(at < first for at in range(size))
        for _ in range(_MANY):
            yield tuple(self._luck.random() < 0.5 for _ in range(size))


def _descriptor(call: Call, at: int) -> str:
    return f"/proc/{call.thread}/fd/{call.arguments[at] & 0xFFFFFFFF}"


def _folder_of(name: str) -> str:
    parent = os.path.dirname(name.rstrip("/"))
    return parent and f"{parent}/"


def _is_reached(name: str, names: Mapping[str, int | None]) -> bool:
    """Whether its folders have arrived too."""
    folder = _folder_of(name)
    return not folder or (names.get(folder) is not None and _is_reached(folder, names))
