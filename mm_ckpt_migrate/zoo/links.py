"""The new URL of a file that was published anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

_PARAMETERS = re.compile(r"[?#]")


@dataclass(frozen=True, slots=True)
class Base:
    """URLs below `old` move below `new`."""

    old: str
    new: str

    def move(self, url: str) -> str:
        """A URL that is not below `old` stays as it is."""
        old = self.old.rstrip("/") + "/"
        return f"{self.new.rstrip('/')}/{url[len(old) :]}" if url.startswith(old) else url


@dataclass(frozen=True, slots=True)
class Link:
    """What becomes of one URL."""

    old_name: str
    new_name: str
    url: str


@dataclass(frozen=True, slots=True)
class NewLinks:
    """New names by old ones, and where the new files lie if that is somewhere else."""

    names: Mapping[str, str] = field(default_factory=dict)
    base: Base | None = None

    def find(self, url: str) -> Link | None:
        """The new URL in place of one whose last part is an old name, percent-encoded or not."""
        address = _PARAMETERS.split(url, maxsplit=1)[0]
        folder, slash, part = address.rpartition("/")
        old = unquote(part)
        if old not in self.names:
            return None
        new = self.names[old]
        moved = folder + slash + (new if part == old else quote(new)) + url[len(address) :]
        return Link(old, new, self.base.move(moved) if self.base else moved)

    def any_in(self, text: str) -> bool:
        """Whether a text holds an old name at all: cheap, and never no where `find` finds one."""
        plain = unquote(text)
        lengths = {len(name) for name in self.names}
        # By how names end, as nearly all do alike: a zoo may have ten thousand of them.
        for end in {PurePosixPath(name).suffix or name[-1:] for name in self.names}:
            for found in re.finditer(re.escape(end), plain):
                if any(plain[max(0, found.end() - n) : found.end()] in self.names for n in lengths):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class Replacement:
    """One URL that was replaced.

    Attributes:
        line: 1-based, in the text before.
        entry: name of the metafile's entry; empty in Markdown.
    """

    line: int
    entry: str
    old_name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Patched:
    """A text after its URLs were replaced."""

    text: str
    replaced: tuple[Replacement, ...] = ()
