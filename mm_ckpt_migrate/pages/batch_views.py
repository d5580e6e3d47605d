"""What a batch's report says, as the rows of the page."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from mm_ckpt_migrate.batch.item import Action, Status, verdict_from_json
from mm_ckpt_migrate.batch.prove import REPORT_SUFFIX
from mm_ckpt_migrate.pages.ladder import six_rungs
from mm_ckpt_migrate.verdicts import Rung, Verdict
from mm_ckpt_migrate.verdicts import Status as Proof

_PLANNED: Final = {Status.MIGRATED: Action.MIGRATE, Status.COPIED: Action.COPY, Status.REFUSED: Action.REFUSE}


@dataclass(frozen=True, slots=True)
class Entry:
    """One input, as the page shows it.

    Attributes:
        item, outcome: as `batch.json` has them.
        anchor: where its own report lies in the page; the same in every run.
        planned: the action, where it is not what the status says already.
        urgency: the order of the statuses, worst highest.
        size: bytes of the source.
        moved: names that changed; -1 where nothing was migrated.
        proofs: all six rungs, or none where nothing was checked.
        proven: how many of them passed; -1 where nothing was checked.
        page: address of its page from `verify --report`, relative to this one; empty without.
    """

    item: Mapping[str, Any]
    outcome: Mapping[str, Any]
    anchor: str
    status: str
    planned: str
    urgency: int
    size: int
    moved: int
    proofs: tuple[Verdict, ...]
    proven: int
    page: str


def entries_of(data: Mapping[str, Any], pages: Iterable[str] = ()) -> list[Entry]:
    """The entries of a `batch.json`, in its order; `pages`: results that have a page."""
    known = frozenset(pages)
    return [_entry(found, known) for found in data["entries"]]


def _entry(item: Mapping[str, Any], pages: frozenset[str]) -> Entry:
    outcome = item["outcome"]
    made = outcome["destination"]
    status, action = Status(outcome["status"]), Action(item["action"])
    proofs = _proofs(outcome["verdicts"])
    return Entry(
        item=item,
        outcome=outcome,
        anchor=_anchor(item["source"]),
        status=status.value,
        planned="" if _PLANNED.get(status) is action else action.value,
        urgency=list(Status).index(status),
        size=item["size"],
        moved=outcome["facts"].get("moved", -1),
        proofs=proofs,
        proven=sum(v.status is Proof.PASS for v in proofs) if proofs else -1,
        page=page_address(made) if made in pages else "",
    )


def _proofs(verdicts: Sequence[Mapping[str, Any]]) -> tuple[Verdict, ...]:
    found = [verdict_from_json(verdict) for verdict in verdicts]
    return six_rungs(found) if found else ()


def _anchor(source: str) -> str:
    return f"f-{hashlib.sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def page_path(destination: str) -> str:
    """Where a result's page lies: what `verify --report` was told, and the name it gives."""
    return f"{destination}{REPORT_SUFFIX}/report.html"


def page_address(destination: str) -> str:
    # Without the dot, a name with a colon would begin with what looks like a scheme.
    return f"./{quote(os.fsencode(page_path(destination)))}"


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of one group of inputs: how many of each status, in the order of `Status`."""

    name: str
    counts: tuple[int, ...]
    files: int
    size: int
    moved: int


def total(name: str, entries: Sequence[Entry]) -> Total:
    counts = Counter(entry.status for entry in entries)
    return Total(
        name=name,
        counts=tuple(counts[status.value] for status in Status),
        files=len(entries),
        size=sum(entry.size for entry in entries),
        moved=sum(max(entry.moved, 0) for entry in entries),
    )


def by_family(entries: Sequence[Entry]) -> list[Total]:
    """The sums of every family in the order of names; what is of none comes last."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.item["family"], []).append(entry)
    names = sorted(groups, key=lambda name: (not name, name))
    return [total(name, groups[name]) for name in names]


def by_status(entries: Sequence[Entry]) -> list[Total]:
    return [total(s.value, [e for e in entries if e.status == s.value]) for s in Status]


def by_rung(entries: Sequence[Entry]) -> list[tuple[Rung, tuple[int, ...]]]:
    """For every rung, how many files passed, failed and skipped it."""
    counts = Counter((v.rung, v.status) for entry in entries for v in entry.proofs)
    return [(rung, tuple(counts[rung, status] for status in Proof)) for rung in Rung]


def conclusion(entries: Sequence[Entry]) -> tuple[str, str]:
    """How it went, as a banner's kind and in one sentence."""
    counts = Counter(entry.status for entry in entries)
    refused, failed = counts[Status.REFUSED.value], counts[Status.FAILED.value]
    done = len(entries) - refused - failed
    if not entries:
        return "skipped", "There was nothing to do: no checkpoint was found."
    if done == len(entries):
        return "pass", f"Every input has its result: {_are(done)} migrated or copied."
    left = [f"{_are(refused)} refused"] if refused else []
    left += [f"{failed:,} failed"] if failed else []
    kind = "fail" if failed else "partial"
    return kind, f"{done:,} of {len(entries):,} inputs have their result; {' and '.join(left)}."


def _are(count: int) -> str:
    return f"{count:,} {'was' if count == 1 else 'were'}"
