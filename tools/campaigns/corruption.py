"""Damage small files of every format in every way, and see that none is read with another meaning.

    python tools/campaigns/corruption.py [--cases 200000] [--seed 0] [--jobs 2] [--save FILE.json]

Every bit flipped, every length, every zeroed tail and hole; and `--cases` blocks moved about.
What is accepted must mean what the whole file means. Formats without a checksum cannot tell damage
from another file: there, what is accepted must be what the format's own library reads, and its
digest another one, so that whoever knows the digest is told.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from corruption_cases import Damage, bit_flips, blocks, truncations, zeroed
from corruption_others import difference
from meaning_nodes import Description, RefusedError, read
from seeds import Seed, seeds
from tally import Tally, tally_of

_TITLE = "Damaged files"
_AT_ONCE = 4000


@dataclass(frozen=True, slots=True)
class Task:
    """Some of the damages of one seed: `number` of `of` equal parts."""

    seed: Seed
    other: bytes
    kind: str
    number: int = 0
    of: int = 1
    luck: str = ""
    count: int = 0
    every: int = 1

    def damages(self) -> Iterator[Damage]:
        data, luck = self.seed.data, random.Random(self.luck)
        made = {
            "bits": lambda: bit_flips(data, self.every),
            "lengths": lambda: truncations(data, self.every),
            "zeros": lambda: zeroed(data, self.every),
            "blocks": lambda: blocks(data, self.other, luck, self.count),
        }[self.kind]()
        return (one for index, one in enumerate(made) if index % self.of == self.number)


class Subject:
    """A seed, one file in memory that is damaged again and again, and what was found."""

    def __init__(self, seed: Seed) -> None:
        self.seed = seed
        self.tally = Tally(_TITLE)
        self.fd = os.memfd_create("damaged")
        self.whole = self._read(seed.data)
        self.digest = hashlib.sha256(seed.data).digest()

    def run(self, kind: str, damages: Iterable[Damage]) -> Tally:
        for name, data in damages:
            if data != self.seed.data:
                self.tally.count(f"cases: {kind}")
                self._try(kind, name, data)
        os.close(self.fd)
        return self.tally

    def _read(self, data: bytes) -> Description:
        os.ftruncate(self.fd, len(data))
        os.pwrite(self.fd, data, 0)
        return read(self.fd, check_crc="no-crc" not in self.seed.name)

    def _try(self, kind: str, name: str, data: bytes) -> None:
        where = f"{self.seed.name}: {name}"
        try:
            found = self._read(data)
        except RefusedError:
            self.tally.count(f"refused: {kind}")
        except Exception as error:
            self.tally.accuse(f"{where}: crashed with {error!r}")
        else:
            self._judge(where, data, found)

    def _judge(self, where: str, data: bytes, found: Description) -> None:
        if found == self.whole:
            self.tally.count("accepted: the very same meaning")
        elif self.seed.checked:
            self.tally.accuse(f"{where}: accepted with another meaning")
        else:
            self._undetectable(where, data, found)

    def _undetectable(self, where: str, data: bytes, found: Description) -> None:
        """It is another file of the format, and a right one: only a digest tells."""
        try:
            different = difference(self.seed.suffix, data, found)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:60]
            self.tally.count(f"accepted, and its library does not read it: {reason}")
        else:
            if different:
                self.tally.accuse(f"{where}: its own library reads {different}")
        kind = "tensor bytes" if _same_but_bytes(found, self.whole) else "names, numbers and texts"
        self.tally.count(f"undetectable without a digest: {kind}")
        if hashlib.sha256(data).digest() == self.digest:
            self.tally.accuse(f"{where}: has the digest of the whole file")


def _same_but_bytes(first: object, second: object) -> bool:
    """Whether two meanings differ in the tensors' bytes alone."""
    if not isinstance(first, tuple) or not isinstance(second, tuple):
        return first == second
    if first[:1] == second[:1] == ("tensor",):
        return first[:-1] == second[:-1]
    return len(first) == len(second) and all(map(_same_but_bytes, first, second))


def tasks(cases: int, luck: int, every: int = 1, of: int = 1) -> Iterator[Task]:
    """All damages: exhaustive ones (or one of `every`), and `cases` blocks."""
    found = seeds()
    for index, seed in enumerate(found):
        other = found[index - 1].data
        for kind in ("bits", "lengths", "zeros"):
            parts = 1 + len(seed.data) * 8 // _AT_ONCE if of > 1 else 1
            yield from (Task(seed, other, kind, n, parts, every=every) for n in range(parts))
        share = max(1, cases // len(found))
        for number, start in enumerate(range(0, share, _AT_ONCE)):
            count = min(_AT_ONCE, share - start)
            yield Task(seed, other, "blocks", luck=f"{luck} {index} {number}", count=count)


def run(task: Task) -> Tally:
    """One task's count."""
    return Subject(task.seed).run(task.kind, task.damages())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200_000, help="blocks moved about")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--save", type=Path)
    wanted = parser.parse_args()
    given = tasks(wanted.cases, wanted.seed, of=wanted.jobs + 1)
    return tally_of(_TITLE, run, given, wanted.jobs).finish(wanted.save)


if __name__ == "__main__":
    sys.exit(main())
