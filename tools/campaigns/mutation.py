"""Put small faults into the rooms that handle bytes, one at a time: does a test fail?

    python tools/campaigns/mutation.py [--cases N] [--seconds S] [--seed S] [--jobs J]
        [--again FILE]

Every fault is tried, in an order drawn by lot, or so many, or for so long: all take many hours.
For each, tests that reach its line are run in a copy of the checkout: first those with the
module's name in theirs, then the quickest. `mutation_equivalent.txt` lists the faults that change
nothing which could be seen, with a reason.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from pathlib import Path
from typing import Final

from mutants import Mutant, mutants
from mutation_run import FOUND, SURVIVED, Baseline, Workshop
from tally import Tally

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = ("files/archive/*.py", "files/pickles/*.py", "batch/place.py", "zoo/publication.py")
TESTS: Final = (
    "tests/files",
    "tests/threats",
    "tests/zoo/publication",
    "tests/batch/test_batch_place.py",
    "tests/batch/test_batch_publish.py",
)
EQUIVALENT: Final = Path(__file__).with_name("mutation_equivalent.txt")
WANTED: Final = 95


def every_mutant() -> list[Mutant]:
    """Of all modules of the rooms, in a fixed order."""
    package = ROOT / "mm_ckpt_migrate"
    modules = sorted(path for room in ROOMS for path in package.glob(room))
    return [one for path in modules for one in mutants(ROOT, path.relative_to(ROOT))]


def equivalent() -> set[str]:
    """Names of the faults that cannot be seen; lines that start with `#` say why."""
    if not EQUIVALENT.exists():
        return set()
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def run(chosen: list[Mutant], jobs: int, limit: float) -> Tally:
    """Try each of them, or those for which there is time; survivors are accused if too many."""
    tally = Tally("Faults put into the rooms that handle bytes")
    survivors = []
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        workshop = Workshop(ROOT, Path(folder), TESTS, jobs)
        baseline: Baseline = workshop.baseline()
        for mutant, outcome in workshop.results(chosen, baseline, limit):
            tally.count("tried")
            tally.count(outcome)
            if outcome == SURVIVED:
                survivors.append(f"line {mutant.line} of {mutant.name}")
                print(f"survived: {survivors[-1]}", file=sys.stderr, flush=True)
    caught = sum(tally.counts[outcome] for outcome in FOUND)
    score = 100 * caught / max(tally.counts["tried"], 1)
    tally.count("score in hundredths of a percent", round(100 * score))
    if score < WANTED:
        for survivor in survivors:
            tally.accuse(f"no test fails with {survivor}")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, help="how many; default: all")
    parser.add_argument("--seconds", type=float, default=math.inf, help="none is begun after them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--only", default="", help="only faults whose name has this in it")
    again = "output of an earlier run: only the faults that survived it"
    parser.add_argument("--again", type=Path, metavar="FILE", help=again)
    args = parser.parse_args()
    known = equivalent()
    faults = [one for one in every_mutant() if args.only in one.name and one.name not in known]
    if args.again is not None:
        told = args.again.read_text(encoding="utf-8").splitlines()
        faults = [one for one in faults if any(line.endswith(f" of {one.name}") for line in told)]
    random.Random(args.seed).shuffle(faults)
    return run(faults[: args.cases], args.jobs, args.seconds).finish(args.save)


if __name__ == "__main__":
    sys.exit(main())
