"""Have `verify` climb the ladder of proof with each new file of a batch."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.batch.item import Item, Outcome, Status, verdict_from_json
from mm_ckpt_migrate.convert.options import EMBEDDED
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.verdicts import Status as Proof

REPORT_SUFFIX: Final = ".report"
_PATHS: Final = ("data_root", "legacy_python")
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Proving:
    """How new files are verified.

    Attributes:
        evaluate: climb to the metric.
        data_root: replaces the data set's root in each config.
        legacy_python: an interpreter with an old release, beside those that were made.
        pages: write a report page beside each new file.
        seconds: what one file may take.
        expected: the mIoU of old files by their names, where a zoo states it.
        allow_unconfined: as `verify` takes it.
    """

    evaluate: bool = False
    data_root: Path | None = None
    device: str = "cpu"
    legacy_python: Path | None = None
    pages: bool = True
    seconds: float = 86400.0
    expected: Mapping[str, float] = field(default_factory=dict)
    allow_unconfined: bool = False

    def digest(self, outcome: Outcome) -> str:
        """Of all that the proof of a new file depends on, but what the releases are."""
        parts = [__version__, outcome.digest, outcome.result, self.to_json()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The paths are absolute: a task on another machine has a working folder of its own."""
        data = asdict(self)
        return data | {n: os.path.abspath(data[n]) if data[n] else None for n in _PATHS}


def proving_from_json(data: Mapping[str, Any]) -> Proving:
    paths = {name: Path(data[name]) if data[name] else None for name in _PATHS}
    return Proving(**{**data, **paths})


def prove(item: Item, outcome: Outcome, sources: Path, results: Path, how: Proving) -> Outcome:
    """The outcome with the verdicts of `verify`; where they fail, so does it.

    It runs as a process of its own, so that what happens to it does not happen to the batch.
    """
    new = results / outcome.destination
    command = [sys.executable, "-m", "mm_ckpt_migrate.batch.kept", str(os.getpid())]
    command += _arguments(item, sources, new, how)
    try:
        done = subprocess.run(  # noqa: S603 - this program itself, and no shell
            command, capture_output=True, timeout=how.seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return _unproven(outcome, f"it took more than {how.seconds:g} seconds", ExitCode.INTERNAL)
    try:
        found = json.loads(done.stdout)
        verdicts = tuple(map(verdict_from_json, found["verdicts"]))
    except (ValueError, KeyError, TypeError):
        words = done.stderr.decode(errors="replace").strip()[-_SHOWN:].splitlines() or ["it died"]
        return _unproven(outcome, safe_text(" ".join(words)), done.returncode)
    outcome = replace(outcome, verdicts=verdicts, notices=_notices(outcome, found))
    if done.returncode:
        failed = [v.summary for v in verdicts if v.status is Proof.FAIL]
        why = failed or [safe_text(str(found.get("error")))]
        return _unproven(outcome, "; ".join(why), done.returncode)
    passed = ", ".join(v.rung.value for v in verdicts if v.status is Proof.PASS)
    moved = outcome.facts.get("moved", 0)
    return replace(outcome, summary=f"{item.family}: {moved} names changed, {passed} pass")


def _arguments(item: Item, sources: Path, new: Path, how: Proving) -> Iterator[str]:
    yield from ("verify", os.fspath(new), "--json")
    yield from ("--source", os.fspath(sources / item.source))
    yield from ("--cfg", EMBEDDED if item.config in ("", "-") else item.config)
    if how.pages:
        yield from ("--report", f"{new}{REPORT_SUFFIX}")
    if how.allow_unconfined:
        yield "--allow-unconfined"
    if how.evaluate:
        yield from ("--eval", "--device", how.device)
        expected = how.expected.get(PurePosixPath(item.source).name)
        yield from ("--expect", str(expected)) if expected is not None else ()
        if how.data_root is not None:
            yield from ("--data-root", os.fspath(how.data_root))
    if how.legacy_python is not None:
        yield from ("--legacy-python", os.fspath(how.legacy_python))


def _notices(outcome: Outcome, found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*outcome.notices, *found.get("notices", ()))))


def _unproven(outcome: Outcome, why: str, code: int) -> Outcome:
    summary = f"the new file is there, but its proof failed: {why}"
    return replace(outcome, status=Status.FAILED, summary=summary, exit_code=abs(int(code)))
