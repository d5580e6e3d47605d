"""Kill `convert` at every system call, and at random moments, and look at what is left each time.

    python tools/campaigns/crash.py [--cases N] [--moments 2000] [--seed 1] [--jobs 2]
        [--only WORDS]

The destination must be what it was or the whole new file, the source as it was; and once the
program was started again nothing else may be left. Counted are the calls of all threads and
children from the program's first own call to its end; what Python does to start and to import
modules was done before, for it touches none of these files.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from crash_cases import CASES, TEMPORARY, Case, Place, warm
from crash_tracer import Strike, traced, why_not
from tally import Tally

T = TypeVar("T", int, float)
Digests: TypeAlias = Mapping[str, str]
_CHUNK: Final = 10
_TITLE: Final = "convert, killed"


def kill_at_calls(case: Case, folder: Path, expected: Digests, numbers: Sequence[int]) -> Tally:
    """Kill it before each of these calls, counted over all its threads and children."""
    place, tally = Place(case, folder, expected), Tally(_TITLE)
    for number in numbers:
        place.reset()
        run = traced(place.program, Strike(number))
        if run.struck is None:
            tally.count(f"{case.name}: ended before the call came")
        else:
            tally.count(f"{case.name}: killed at a call")
            _look(place, f"{case.name}, killed at call {number} ({run.struck.name})", tally)
    place.remove()
    return tally


def kill_at_moments(case: Case, folder: Path, expected: Digests, moments: Sequence[float]) -> Tally:
    """Start it as users do, and kill it after each of these times."""
    place, tally = Place(case, folder, expected), Tally(_TITLE)
    for moment in moments:
        place.reset()
        with place.start() as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if process.returncode != -signal.SIGKILL:
            tally.count(f"{case.name}: ended before the moment came")
        else:
            tally.count(f"{case.name}: killed at a moment")
        _look(place, f"{case.name}, killed after {moment:.6f} s", tally)
    place.remove()
    return tally


def _look(place: Place, what: str, tally: Tally) -> None:
    states = place.states()
    wrong = place.faults(states)
    for state in states.values():
        tally.count(f"left: {'the new file' if state == 'new' else 'what was there before'}")
    for name in place.strays():
        tally.count("left: a temporary file, for the next start to sweep")
        if not TEMPORARY.fullmatch(name):
            wrong.append(f"{name} is none of ours")
    wrong += place.faults_of_next_start()
    tally.count("started again")
    if wrong:
        tally.accuse(f"{what}: {'; '.join(wrong)}")


def calls_of(place: Place) -> int:
    """How many calls it makes; threads make it a few more or less each time, so the most of 3."""

    def count() -> int:
        place.reset()
        return len(traced(place.program, None).calls)

    return max(count() for _ in range(3))


def seconds_of(place: Place) -> float:
    """How long it takes when nobody kills it; the longest of three times."""

    def measure() -> float:
        place.reset()
        began = time.monotonic()
        with place.start() as process:
            pass
        assert process.returncode == 0
        return time.monotonic() - began

    return max(measure() for _ in range(3))


class _Campaign:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._luck = random.Random(options.seed)
        self._names = map(str, itertools.count())
        chosen = [case for case in CASES if options.only in case.name]
        self._places = [warm(case, self._new_folder()) for case in chosen]

    def run(self) -> Tally:
        tally = Tally(_TITLE)
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(self._options.jobs, mp_context=fork) as pool:
            for done in [*self._calls(pool, tally), *self._moments(pool)]:
                tally.update(done.result())
        return tally

    def _new_folder(self) -> Path:
        return self._folder / next(self._names)

    def _calls(self, pool: ProcessPoolExecutor, tally: Tally) -> Iterable[Future[Tally]]:
        for place in self._places:
            calls = calls_of(place)
            tally.count(f"{place.case.name}: calls", calls)
            numbers = list(range(1, calls + 1))
            if self._options.cases is not None:
                numbers = self._luck.sample(numbers, self._options.cases)
            yield from self._given(pool, kill_at_calls, place, numbers)

    def _moments(self, pool: ProcessPoolExecutor) -> Iterable[Future[Tally]]:
        usual = [place for place in self._places if place.case.usual]
        for number, place in enumerate(usual):
            if times := range(number, self._options.moments, len(usual)):
                longest = seconds_of(place)
                moments = [self._luck.uniform(0, longest) for _ in times]
                yield from self._given(pool, kill_at_moments, place, moments)

    def _given(
        self,
        pool: ProcessPoolExecutor,
        work: Callable[[Case, Path, Digests, Sequence[T]], Tally],
        place: Place,
        strikes: Sequence[T],
    ) -> Iterable[Future[Tally]]:
        for start in range(0, len(strikes), _CHUNK):
            some = strikes[start : start + _CHUNK]
            yield pool.submit(work, place.case, self._new_folder(), place.expected, some)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, help="calls per conversion; all where left out")
    parser.add_argument("--moments", type=int, default=2000, help="random moments in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="conversions with these words in their names")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args(arguments)
    if reason := why_not():
        parser.error(reason)
    with tempfile.TemporaryDirectory() as folder:
        return _Campaign(options, Path(folder)).run().finish(options.save)


if __name__ == "__main__":
    sys.exit(main())
