"""The work on one file: its conversion or its copy, and what there is to say of it."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from mm_ckpt_migrate.batch.find import signature
from mm_ckpt_migrate.batch.item import Action, Item, Outcome, Signature, Status
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.place import place, prepare
from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.errors import CheckpointError, ExitCode, MigrateError
from mm_ckpt_migrate.files.archive.digest import named_digest
from mm_ckpt_migrate.files.archive.publish import Draft
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.transfer import copy_whole
from mm_ckpt_migrate.verdicts import ConvertReport, Verdict
from mm_ckpt_migrate.verdicts import Status as Proof
from mm_ckpt_migrate.zoo.publication import published_name

# Two writes within the same tick of the kernel's clock leave the same time of change.
TICK: Final = 50_000_000


def work(item: Item, batch: Batch) -> Outcome:
    """Make the result of one input; whatever goes wrong is its outcome."""
    started = time.time_ns()
    old = batch.sources / item.source
    try:
        with _scratch(batch, PurePosixPath(item.source).suffix) as made:
            before = _unchanged(old, item.signature)
            outcome = _made(item, old, made, batch)
            if outcome.done:
                outcome = _placed(item, outcome, made, batch)
            return _checked(item, outcome, old, before, started)
    except MigrateError as error:
        return _refused(error, batch)
    except OSError as error:
        code = int(ExitCode.BAD_DESTINATION)
        return Outcome(Status.REFUSED, f"{error.strerror}", exit_code=code)


@contextmanager
def _scratch(batch: Batch, suffix: str) -> Iterator[Path]:
    path = batch.scratch / f"{os.getpid()}-{os.urandom(8).hex()}{suffix}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _unchanged(old: Path, planned: Signature) -> Signature:
    try:
        now = signature(old.stat())
    except OSError as error:
        raise CheckpointError(old, f"it is gone: {error.strerror}") from error
    if now != planned:
        raise CheckpointError(old, "it changed since the plan was made", hint="Run this again.")
    return now


def _made(item: Item, old: Path, made: Path, batch: Batch) -> Outcome:
    prepare(batch.results / (item.destination or item.source), batch.results)
    if item.action is Action.COPY:
        return _copied(item, old, made, link=batch.options.link)
    return _migrated(convert(item.family, item.config, old, made, batch.options.for_convert()))


def _copied(item: Item, old: Path, made: Path, *, link: bool) -> Outcome:
    with Source(old) as source:
        mode = stat.S_IMODE(source.status.st_mode)
        if link and mode == mode & 0o777 and _linked(old, made, source):
            digest, how = source.digest(), "linked"
        else:
            with Draft(made, mode & 0o777) as draft:
                digest, how = copy_whole(source, draft), "copied"
                draft.publish(force=False)
    return Outcome(
        status=Status.COPIED,
        summary=f"{how}: {item.reason}",
        destination=item.destination,
        digest=digest,
        result=digest,
    )


def _linked(old: Path, made: Path, source: Source) -> bool:
    """Whether the result is the source itself under another name."""
    with contextlib.suppress(OSError):
        os.link(old.resolve(), made)
        return os.path.samestat(made.stat(), source.status)
    return False


def _migrated(report: ConvertReport) -> Outcome:
    verdicts, facts = report.verdicts, {"moved": report.moved, "kept": report.kept}
    if report.destination is None:
        wrong = [v.summary for v in verdicts if v.status is Proof.FAIL] or list(report.notices)
        code = int(report.exit_code) or int(ExitCode.FAMILY_REFUSED)
        return Outcome(
            status=Status.REFUSED,
            summary="; ".join(wrong),
            digest=report.source_digest,
            exit_code=code,
            verdicts=verdicts,
            notices=report.notices,
        )
    return Outcome(
        status=Status.MIGRATED,
        summary=f"{report.family}: {report.moved} names changed, {_proven(verdicts)}",
        digest=report.source_digest,
        result=report.result_digest,
        exit_code=int(report.exit_code),
        verdicts=verdicts,
        notices=report.notices,
        facts={**facts, "dropped": report.dropped},
    )


def _proven(verdicts: Iterable[Verdict]) -> str:
    passed = [v.rung.value for v in verdicts if v.status is Proof.PASS]
    return f"{', '.join(passed)} pass"


def _placed(item: Item, outcome: Outcome, made: Path, batch: Batch) -> Outcome:
    destination = item.destination or _published(item, outcome.result)
    final = batch.results / destination
    place(made, outcome.result, final, replaces=item.replaces)
    return replace(outcome, destination=destination, written=signature(final.stat()))


def _published(item: Item, digest: str) -> str:
    source = PurePosixPath(item.source)
    name = published_name(source.name, item.publish, digest, source.suffix)
    return str(source.with_name(name))


def _checked(item: Item, outcome: Outcome, old: Path, before: Signature, started: int) -> Outcome:
    """With the source's signature where that is proof, and what its name says wrongly."""
    named = named_digest(item.source)
    if named and outcome.digest and not outcome.digest.startswith(named):
        said = f"its name says {named}, its SHA-256 begins with {outcome.digest[:8]}"
        outcome = replace(outcome, summary=f"{outcome.summary}; {said}", notices=(*outcome.notices, said))
    after = signature(old.stat())
    linked = outcome.written is not None and outcome.written == after
    settled = after == before and after.changed < started - TICK
    return replace(outcome, read=after if settled or linked else None)


def _refused(error: MigrateError, batch: Batch) -> Outcome:
    """Without the folders, which differ from run to run."""
    text = f"{error.message}. {error.hint}".strip()
    for folder in (batch.scratch, batch.results, batch.sources):
        text = text.replace(f"{folder}{os.sep}", "")
    return Outcome(Status.REFUSED, text, exit_code=int(error.exit_code))
