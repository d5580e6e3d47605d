"""Have every input and output call of `convert` fail, in every way that it can.

    python tools/campaigns/faults.py [--cases N] [--seed 1] [--jobs 2] [--only WORDS] [--call NAME]

The program must make the right file all the same, or say in a sentence what is wrong and end with
the exit code for it. In any case each destination is what it was or the whole new file, the
source is as it was, and no other file is left. Interruptions and short reads and writes must
change nothing at all.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from crash_cases import CASES, OLD, TEMPORARY, Case, Place, warm
from crash_tracer import Run, Strike, traced, why_not
from tally import Tally

from mm_ckpt_migrate.errors import ExitCode

_TITLE: Final = "convert, its calls failing"
_CHUNK: Final = 10
_READ: Final = ("EIO", "EINTR", "short")
_WRITE: Final = ("ENOSPC", "EDQUOT", "EIO", "EINTR", "short")
_KEEP: Final = ("ENOSPC", "EDQUOT", "EIO", "EINTR")
_NAME: Final = ("ENOSPC", "EDQUOT", "EIO", "EPERM")
FAULTS: Final = {
    **dict.fromkeys(("read", "readv", "pread64", "preadv", "preadv2"), _READ),
    **dict.fromkeys(("write", "writev", "pwrite64", "pwritev", "pwritev2"), _WRITE),
    "copy_file_range": (*_WRITE, "EXDEV", "ENOSYS"),
    "ftruncate": (*_KEEP, "EFBIG"),
    **dict.fromkeys(("fsync", "fdatasync", "close", "fallocate"), _KEEP),
    "openat": (*_KEEP, "EMFILE", "EACCES"),
    **dict.fromkeys(("link", "linkat", "rename", "renameat", "renameat2"), _NAME),
    **dict.fromkeys(("unlink", "unlinkat", "mkdir"), _NAME),
    **dict.fromkeys(("fstat", "newfstatat", "statx", "lseek", "statfs", "fstatfs"), ("EIO",)),
    **dict.fromkeys(("getdents64", "readlink", "readlinkat", "access", "fcntl"), ("EIO",)),
    "faccessat2": ("EIO",),
    "flock": ("EIO", "ENOLCK", "EINTR"),
}
# Whether OLD can be read and NEW be written is first looked at while arguments are parsed.
_RIGHT: Final = {
    "the source": {ExitCode.BAD_CHECKPOINT, ExitCode.USAGE},
    "both": {ExitCode.BAD_CHECKPOINT, ExitCode.BAD_DESTINATION},
    "the results": {ExitCode.BAD_DESTINATION, ExitCode.INTEGRITY_FAILED, ExitCode.USAGE},
    "the output": set(),  # whoever takes it: the exit code is the verdict's
    "the rules": {ExitCode.BAD_RULES},
    "the rest": {ExitCode.BAD_CHECKPOINT, ExitCode.BAD_TARGET, ExitCode.BAD_DESTINATION},
}


def strikes_of(place: Place) -> list[Strike]:
    """Every call that can fail, with every way in which it can."""
    calls: Counter[str] = Counter()
    for _ in range(3):
        place.reset()
        calls |= Counter(traced(place.program, None).calls)
    return [
        Strike(at, name, what)
        for name, times in sorted(calls.items())
        for at in range(1, times + 1)
        for what in FAULTS.get(name, ())
    ]


def strike(case: Case, folder: Path, expected: Mapping[str, str], strikes: Sequence[Strike]) -> Tally:
    """Run it once for each of them."""
    place, tally = Place(case, folder, expected), Tally(_TITLE)
    for one in strikes:
        place.reset()
        what = f"{case.name}: {one.what} at {one.name} {one.at}"
        try:
            run = traced(place.program, one)
        except TimeoutError as error:
            tally.accuse(f"{what}: {error}")
            continue
        if run.struck is None:
            tally.count(f"{case.name}: ended before the call came")
            continue
        tally.count(f"{case.name}: calls that failed")
        tally.count(f"{one.what}: {'made all the same' if not run.status else 'refused'}")
        if wrong := _faults(place, run, one):
            tally.accuse(f"{what} ({_about(place, run)}): {'; '.join(wrong)}")
    place.remove()
    return tally


def _faults(place: Place, run: Run, one: Strike) -> list[str]:
    """What is wrong with how it ended."""
    states = place.states()
    wrong = place.faults(states)
    strays = place.strays()
    if strays and (one.name not in ("unlink", "unlinkat") or not _sweepable(strays)):
        wrong.append(f"left: {strays}")
    if strays:
        wrong += place.faults_of_next_start()
    if not run.status:
        return wrong + [f"{n} is {state}" for n, state in states.items() if state != "new"]
    if _is_harmless(run, one):
        wrong.append("refused for nothing")
    if run.status not in _RIGHT[_about(place, run)]:
        wrong.append(f"exit code {run.status}")
    if not _is_clear(run.err):
        wrong.append(f"it says {run.err!r:.300}")
    return wrong


def _is_harmless(run: Run, one: Strike) -> bool:
    """Python calls it an error where a `close` or the opening of a folder is interrupted."""
    if one.what == "EINTR":
        return one.name != "close" and not (one.name == "openat" and os.path.isdir(run.file))
    return one.what == "short"


def _is_clear(text: str) -> bool:
    """Whether it is an error in a sentence, with a hint, and after what it had to tell before."""
    lines = text.splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    return "Traceback" not in text and len(errors) == 1 and len(lines) - errors[0] <= 2


def _sweepable(names: Sequence[str]) -> bool:
    return all(TEMPORARY.fullmatch(name) for name in names)


def _about(place: Place, run: Run) -> str:
    """What the call that failed was about."""
    assert run.struck is not None
    if run.struck.name == "copy_file_range":
        return "both"
    if run.file == str(place.folder / OLD):
        return "the source"
    if run.file.startswith("/memfd:"):
        return "the output"
    if "rules" in Path(run.file).parts:
        return "the rules"
    return "the results" if run.file.startswith(str(place.folder)) else "the rest"


def _chunks(strikes: Sequence[Strike]) -> Iterator[Sequence[Strike]]:
    for start in range(0, len(strikes), _CHUNK):
        yield strikes[start : start + _CHUNK]


def _run(options: argparse.Namespace, folder: Path) -> Tally:
    tally, luck = Tally(_TITLE), random.Random(options.seed)
    folders = (folder / str(number) for number in itertools.count())
    places = [warm(case, next(folders)) for case in CASES if options.only in case.name]
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(options.jobs, mp_context=fork) as pool:
        given = []
        for place in places:
            strikes = [one for one in strikes_of(place) if options.call in (None, one.name)]
            if options.cases is not None:
                strikes = luck.sample(strikes, min(options.cases, len(strikes)))
            given += [
                pool.submit(strike, place.case, next(folders), place.expected, some)
                for some in _chunks(strikes)
            ]
        for done in given:
            tally.update(done.result())
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, help="failures per conversion; all where left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="conversions with these words in their names")
    parser.add_argument("--call", help="failures of this system call only")
    parser.add_argument("--save", type=Path)
    options = parser.parse_args(arguments)
    if reason := why_not():
        parser.error(reason)
    with tempfile.TemporaryDirectory() as folder:
        return _run(options, Path(folder).resolve()).finish(options.save)


if __name__ == "__main__":
    sys.exit(main())
