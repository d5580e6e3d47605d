"""Cut the power at every moment of `convert`, and of a `batch`, and look at what is left.

    python tools/campaigns/power_cut.py [--rounds 20] [--cases N] [--seed 1] [--jobs 2]
        [--only WORDS]

Each is traced several times, as threads do not go side by side in the same way twice. After every
call that changes something, all that the disk may hold by then, in a model of it (`power_disk.py`),
is laid out as files: each destination must be what it was or the whole new file, the source as it
was, and the next start must make what is missing and sweep away the rest. Once the program has
ended well, every destination must be the new file, whatever else was lost.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from crash_cases import CASES, TEMPORARY, Place, warm
from crash_tracer import traced, why_not
from power_batch import BatchPlace
from power_disk import Disk, State
from tally import Tally

AnyPlace: TypeAlias = Place | BatchPlace
MakePlace: TypeAlias = Callable[[Path, Mapping[str, str]], AnyPlace]
_TITLE: Final = "convert and batch, the power cut"


def cut(make: MakePlace, folder: Path, expected: Mapping[str, str], seed: int, limit: int | None) -> Tally:
    """Trace it once, lay out each state that the disk may be in, and start again."""
    place, tally, luck = make(folder, expected), Tally(_TITLE), random.Random(seed)
    place.reset()
    disk = Disk(place.folder, luck)
    run = traced(place.program, None, disk)
    if run.status:
        tally.accuse(f"{place.name}, undisturbed: {run.err}")
    ended = list(disk.possible())
    during = list(disk.states.difference(ended))
    tally.count(f"{place.name}: moments", disk.cuts)
    tally.count(f"{place.name}: states of the disk", len(during) + len(ended))
    tally.count("states after the end", len(ended))
    if limit is not None:
        during, ended = (luck.sample(some, min(limit, len(some))) for some in (during, ended))
    for state in during:
        _look(place, state, tally)
    for state in ended:
        _look(place, state, tally, has_ended=True)
    place.remove()
    return tally


def _look(place: AnyPlace, state: State, tally: Tally, *, has_ended: bool = False) -> None:
    place.reset(dict(state))
    states, strays = place.states(), place.strays()
    wrong = place.faults(states)
    for left in states.values():
        tally.count(f"left: {'the new file' if left == 'new' else 'what was there before'}")
    tally.count("left: a temporary file, for the next start to sweep", len(strays))
    wrong += [f"{name} is none of ours" for name in strays if not TEMPORARY.fullmatch(name)]
    if has_ended:
        wrong += [f"{name} is {left} after all" for name, left in states.items() if left != "new"]
    wrong += place.faults_of_next_start()
    tally.count("started again")
    if wrong:
        sizes = {name: len(content) for name, content in state}
        tally.accuse(f"{place.name}, with {sizes}: {'; '.join(wrong)}")


def _prepared(only: str, folders: Iterator[Path]) -> Iterator[tuple[MakePlace, AnyPlace]]:
    for case in CASES:
        if only in case.name:
            yield partial(Place, case), warm(case, next(folders))
    if only in BatchPlace.name:
        yield BatchPlace, BatchPlace(next(folders))


def _run(options: argparse.Namespace, folder: Path) -> Tally:
    folders = (folder / str(number) for number in itertools.count())
    places = list(_prepared(options.only, folders))
    fork = multiprocessing.get_context("fork")
    tally = Tally(_TITLE)
    with ProcessPoolExecutor(options.jobs, mp_context=fork) as pool:
        rounds = [
            pool.submit(cut, make, next(folders), place.expected, seed, options.cases)
            for make, place in places
            for seed in range(options.seed, options.seed + options.rounds)
        ]
        for done in rounds:
            tally.update(done.result())
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="how often each is traced")
    parser.add_argument("--cases", type=int, help="states during a round, and after; all where left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="those with these words in their names")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args(arguments)
    if reason := why_not():
        parser.error(reason)
    with tempfile.TemporaryDirectory() as folder:
        return _run(options, Path(folder).resolve()).finish(options.save)


if __name__ == "__main__":
    sys.exit(main())
