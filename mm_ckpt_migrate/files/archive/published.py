"""Which files were given their names: so that a failure can take them back, and it can be said."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from mm_ckpt_migrate.files.archive.folders import sync_folder
from mm_ckpt_migrate.files.archive.leftovers import draft_name, hold


@dataclass(slots=True)
class _Name:
    """A name that a file is given.

    Attributes:
        file: device and inode of the new file.
        replaces: whether another file had the name.
        kept: a second name of that file, for the time being; None where it has none.
        lock: its descriptor, whose lock keeps other runs from sweeping `kept` away.
    """

    path: Path
    file: tuple[int, int]
    replaces: bool = False
    kept: Path | None = None
    lock: int | None = None

    def holds(self) -> bool:
        """Whether the name is that of the new file, however far the naming came."""
        with contextlib.suppress(OSError):
            return _identity(self.path.lstat()) == self.file
        return False

    def keep(self) -> None:
        """Give what has the name now a second one; where that cannot be, it has none."""
        with contextlib.suppress(OSError):
            self.lock = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            if hold(self.lock):
                kept = draft_name(self.path.parent)
                os.link(self.path, kept, follow_symlinks=False)
                self.kept = kept

    def take_back(self) -> None:
        """What was there before is there again; a file that could not be kept stays replaced."""
        with contextlib.suppress(OSError):
            if not self.holds():
                return
            if self.kept is not None:
                self.kept.rename(self.path)
            elif not self.replaces:
                self.path.unlink()
            sync_folder(self.path.parent)

    def settle(self) -> None:
        """Let what was there before go."""
        if self.kept is not None:
            with contextlib.suppress(OSError):
                self.kept.unlink(missing_ok=True)
            self.kept = None
        if self.lock is not None:
            with contextlib.suppress(OSError):
                os.close(self.lock)
            self.lock = None


@dataclass(slots=True)
class Published:
    """The files that were published while somebody watched, in order."""

    names: list[_Name] = field(default_factory=list)
    blocks: int = 0

    def there(self) -> list[Path]:
        """Those that are there, complete."""
        return list(dict.fromkeys(name.path for name in self.names if name.holds()))


_watching: ContextVar[Published | None] = ContextVar("watching", default=None)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


@contextmanager
def watched() -> Iterator[Published]:
    """Keep account of what is published in this block."""
    token = _watching.set(Published())
    try:
        found = _watching.get()
        assert found is not None
        yield found
    finally:
        _watching.reset(token)


@contextmanager
def all_or_none() -> Iterator[None]:
    """Take back what was published in this block where it ends with an error of any kind."""
    with contextlib.ExitStack() as stack:
        published = _watching.get() or stack.enter_context(watched())
        first = len(published.names)
        published.blocks += 1
        try:
            yield
        except BaseException:
            for name in reversed(published.names[first:]):
                name.take_back()
            raise
        finally:
            published.blocks -= 1
            for name in published.names if not published.blocks else ():
                name.settle()


@contextmanager
def naming(path: Path, descriptor: int) -> Iterator[None]:
    """Account for the name that the open file gets in this block; raises OSError."""
    published = _watching.get()
    if published is None:
        yield
        return
    path = Path(os.path.abspath(path))
    name = _Name(path, _identity(os.fstat(descriptor)), os.path.lexists(path))
    if published.blocks and name.replaces:
        name.keep()
    # Before it has it: whatever ends the run from here on finds it.
    published.names.append(name)
    yield
    if not name.holds():  # file systems that are laid over others give numbers of their own
        name.file = _identity(path.lstat())
