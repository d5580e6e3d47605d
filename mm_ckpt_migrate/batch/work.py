"""The work on one file: its conversion or its copy, and what there is to say of it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from mm_ckpt_migrate.archive.publish import Draft
from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.archive.transfer import copy_whole
from mm_ckpt_migrate.batch.find import signature
from mm_ckpt_migrate.batch.model import Action, Item, Outcome, Status
from mm_ckpt_migrate.batch.options import BatchOptions
from mm_ckpt_migrate.convert import convert
from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.report import ConvertReport, Verdict
from mm_ckpt_migrate.report import Status as Proof


def work(item: Item, sources: Path, results: Path, options: BatchOptions) -> Outcome:
    """Make the result of one input; whatever goes wrong is its outcome."""
    old, new = sources / item.source, results / item.destination
    try:
        new.parent.mkdir(parents=True, exist_ok=True)
        if item.action is Action.COPY:
            return _copied(item, old, new, options)
        report = convert(item.family, item.config, old, new, options.for_convert())
        return _migrated(report, old, new)
    except MigrateError as error:
        hint = f" {error.hint}" if error.hint else ""
        return Outcome(Status.REFUSED, f"{error.message}.{hint}", exit_code=int(error.exit_code))
    except OSError as error:
        return Outcome(
            Status.REFUSED, f"{new}: {error.strerror}", exit_code=int(ExitCode.BAD_DESTINATION)
        )


def _copied(item: Item, old: Path, new: Path, options: BatchOptions) -> Outcome:
    with Source(old) as source:
        if options.link and _linked(old, new, source):
            digest, how = source.digest(), "linked"
        else:
            with Draft(new, stat.S_IMODE(source.status.st_mode)) as draft:
                digest, how = copy_whole(source, draft), "copied"
                draft.publish(force=True)
        return Outcome(
            Status.COPIED, f"{how}: {item.reason}", digest, digest,
            signature(os.fstat(source.fd)), signature(new.stat()),
        )  # fmt: skip


def _linked(old: Path, new: Path, source: Source) -> bool:
    """Whether the result is the source itself under another name."""
    with contextlib.suppress(OSError):
        os.link(old, new)
    with contextlib.suppress(OSError):
        return os.path.samestat(new.stat(), source.status)
    return False


def _migrated(report: ConvertReport, old: Path, new: Path) -> Outcome:
    verdicts = report.verdicts
    if report.destination is None:
        wrong = [v.summary for v in verdicts if v.status is Proof.FAIL] or list(report.notices)
        code = int(report.exit_code) or int(ExitCode.FAMILY_REFUSED)
        return Outcome(
            Status.REFUSED, "; ".join(wrong), report.source_digest,
            exit_code=code, verdicts=verdicts, notices=report.notices,
        )  # fmt: skip
    with Source(new) as made:
        result, written = made.digest(), signature(made.status)
    return Outcome(
        Status.MIGRATED,
        f"{report.family}: {report.moved} names changed, {_proven(verdicts)}",
        report.source_digest, result, signature(old.stat()), written,
        int(report.exit_code), verdicts, report.notices,
        {"moved": report.moved, "kept": report.kept, "dropped": report.dropped},
    )  # fmt: skip


def _proven(verdicts: Iterable[Verdict]) -> str:
    passed = [v.rung.value for v in verdicts if v.status is Proof.PASS]
    return f"{', '.join(passed)} pass"
