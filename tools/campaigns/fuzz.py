"""Fuzz one parser, or all: `python tools/campaigns/fuzz.py zip --seconds 300`.

With `--seconds` it is guided by coverage (`pip install atheris`); with `--cases` it makes that
many random edits of the seeds in this process, the same for the same `--seed`, without atheris.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from fuzz_seeds import damaged, seeds, with_right_sums
from fuzz_targets import TARGETS
from tally import Tally

# The slowest file of the seeds takes a twentieth of it under atheris.
_SECONDS_EACH: Final = 10
_MEMORY_MIB: Final = 2048
_MAX_BYTES: Final = 65_536
_SLOW: Final = 2.0


def blindly(name: str, cases: int, seed: int) -> Tally:
    """Random edits of the seeds, in this process."""
    tally, random_ = Tally(name), random.Random(f"{name} {seed}")
    found = seeds(name)
    for number in range(cases):
        data = found[number] if number < len(found) else _edited(name, found, random_)
        _try(name, data, tally)
    return tally


def _edited(name: str, found: list[bytes], random_: random.Random) -> bytes:
    data = damaged(random_.choice(found), random_, found)
    return with_right_sums(data) if name == "zip" and random_.random() < 0.8 else data


def _try(name: str, data: bytes, tally: Tally) -> None:
    start = time.perf_counter()
    tally.count(f"{name}: executions")
    try:
        TARGETS[name](data)
    except Exception as error:
        tally.accuse(f"{name}: {type(error).__name__}: {error!s:.300} from {data[:200]!r}")
    if time.perf_counter() - start > _SLOW:
        tally.accuse(f"{name}: more than {_SLOW} s for {data[:200]!r}")


def guided(name: str, seconds: int, seed: int, keep: Path | None) -> Tally:
    """By coverage, in a child process that ends at the first finding."""
    tally = Tally(name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        corpus, found = folder / name, folder / "found"
        corpus.mkdir(parents=True, exist_ok=True)
        found.mkdir(exist_ok=True)
        for number, data in enumerate(seeds(name)):
            (corpus / f"seed-{number}").write_bytes(data)
        options = (
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            f"-timeout={_SECONDS_EACH}",
            f"-rss_limit_mb={_MEMORY_MIB}",
            f"-max_len={_MAX_BYTES}",
            "-print_final_stats=1",
            f"-artifact_prefix={found}/{name}-",
        )
        one = Path(__file__).with_name("fuzz_one.py")
        log = folder / f"{name}.log"
        with log.open("wb") as file:
            command = [sys.executable, os.fspath(one), name, *options, os.fspath(corpus)]
            status = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
        _read_log(name, log.read_text("utf-8", "replace"), status, tally)
        tally.count(f"{name}: inputs kept for their coverage", len(list(corpus.iterdir())))
        for path in found.glob(f"{name}-*"):
            tally.accuse(f"{path.name}: {path.read_bytes()[:200]!r}")
    return tally


def _read_log(name: str, log: str, status: int, tally: Tally) -> None:
    runs = re.search(r"stat::number_of_executed_units: (\d+)", log)
    tally.count(f"{name}: executions", int(runs[1]) if runs else 0)
    covered = re.findall(r"cov: (\d+)", log)
    tally.count(f"{name}: branches covered", int(covered[-1]) if covered else 0)
    if status or not runs:
        tally.accuse(f"{name}: status {status}: {log[-1500:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*TARGETS, "all"])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--seconds", type=int, help="for each parser, guided by coverage")
    how.add_argument("--cases", type=int, default=2000, help="for each parser, at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the corpus and what was found")
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    tally = Tally("Fuzzing")
    for name in TARGETS if args.name == "all" else [args.name]:
        if args.seconds is None:
            tally.update(blindly(name, args.cases, args.seed))
        else:
            tally.update(guided(name, args.seconds, args.seed, args.keep))
    return tally.finish(args.save)


if __name__ == "__main__":
    sys.exit(main())
