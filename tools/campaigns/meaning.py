"""Change pickles inside files whose checksums are right, and see that torch reads what we accept.

    python tools/campaigns/meaning.py [--cases 1000000] [--seed 0] [--jobs 2] [--save FILE.json]

Bytes, opcodes and objects are changed, and streams spliced. What this tool accepts, each meaning
once, is given to torch in its four modes (with and without mmap, with and without weights_only);
each must refuse it or make the very object that this tool says. `--case N` shows one case.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from meaning_child import MODES, Answer, Torch
from meaning_mutate import Stream, mutated
from meaning_nodes import RefusedError, digest, read
from seeds import Parts, as_zip, parts, pieces
from tally import Tally, tally_of

from mm_ckpt_migrate.files.archive.storages import storage_refs
from mm_ckpt_migrate.files.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

_TITLE = "Changed pickles under right checksums"
_AT_ONCE = 25_000


@dataclass(frozen=True, slots=True)
class Task:
    """Some of the cases."""

    streams: tuple[Stream, ...]
    seed: int
    cases: range


class Campaign:
    """One file in memory, a process with torch, and what was found."""

    def __init__(self, streams: tuple[Stream, ...], seed: int, folder: Path) -> None:
        self.streams = streams
        self.seed = seed
        self.tally = Tally(_TITLE)
        self.torch = Torch(folder)
        self.fd = os.memfd_create("changed")
        self.seen: set[bytes] = set()

    def run(self, cases: Iterable[int]) -> Tally:
        for number in cases:
            kind, made = mutated(self.streams, random.Random(f"{self.seed} {number}"))
            self.tally.count(f"cases: {kind}")
            try:
                self.attempt(f"case {number} ({kind})", made)
            except Exception as error:
                self.tally.accuse(f"case {number} ({kind}): crashed with {error!r}")
        return self.tally

    def close(self) -> None:
        self.torch.close()
        os.close(self.fd)

    def attempt(self, where: str, made: Parts) -> None:
        """Read one, and ask torch about it where it is accepted."""
        try:
            # As opening the file would do first, without the time that it takes to make one.
            nodes = walk(parse_whole(made.pickle))
            refs = storage_refs(nodes)
        except PickleError:
            self.tally.count("refused")
            return
        data = as_zip(Parts(made.pickle, {k: v for k, v in made.storages.items() if k in refs}))
        os.ftruncate(self.fd, len(data))
        os.pwrite(self.fd, data, 0)
        try:
            said = read(self.fd)
        except RefusedError:
            self.tally.count("refused")
            return
        self.tally.count("accepted")
        if (known := digest(said)) not in self.seen:
            self.seen.add(known)
            answers = self.torch.ask(data, said)
            self._judge(where, answers, refused_globals(nodes))

    def _judge(self, where: str, answers: list[Answer], foreign: tuple[str, ...]) -> None:
        self.tally.count("given to torch")
        for (mmap, safe), answer in zip(MODES, answers, strict=True):
            mode = f"mmap={mmap}, weights_only={safe}"
            if answer.different:
                self.tally.accuse(f"{where}, {mode}: {answer.different}")
            if answer.attempts:
                self.tally.accuse(f"{where}, {mode}: attempted {answer.attempts}")
            same = not answer.different and not answer.refused
            self.tally.count(f"torch reads the same: {mode}", int(same))
        reasons = [answer.refused for answer in answers]
        if all(reasons):
            self.tally.count(f"torch refuses in every mode: {reasons[-1]}")
        elif any(reasons):
            known = "names outside its list, as we say" if foreign else next(filter(None, reasons))
            self.tally.count(f"torch refuses in some mode: {known}")


def streams() -> tuple[Stream, ...]:
    """What the changes start from."""
    return tuple(Stream(parts(made)) for made in pieces())


def run(task: Task) -> Tally:
    """One task's count."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Campaign(task.streams, task.seed, Path(folder))) as campaign,
    ):
        return campaign.run(task.cases)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--case", type=int, help="run this one alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--save", type=Path)
    wanted = parser.parse_args()
    made = streams()
    every = range(wanted.cases) if wanted.case is None else range(wanted.case, wanted.case + 1)
    starts = range(every.start, every.stop, _AT_ONCE)
    tasks = [Task(made, wanted.seed, every[s - every.start :][:_AT_ONCE]) for s in starts]
    return tally_of(_TITLE, run, tasks, wanted.jobs).finish(wanted.save)


if __name__ == "__main__":
    sys.exit(main())
