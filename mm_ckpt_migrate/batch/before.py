"""What an earlier batch decided and did, where it still holds."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.batch.find import Found, signature
from mm_ckpt_migrate.batch.journal import Journal, Known
from mm_ckpt_migrate.batch.model import Item, Outcome, Signature
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.work import TICK
from mm_ckpt_migrate.errors import MigrateError


class Before:
    """The journal, held against the files as they are."""

    def __init__(self, batch: Batch, journal: Journal, plan: str) -> None:
        """`plan`: digest of what decisions are made by."""
        self._batch = batch
        self._journal = journal
        self._plan = plan
        self._known = journal.known()
        self._began = time.time_ns()

    def decision(self, found: Found) -> Item | None:
        """What was decided on an input, if that still holds."""
        known = self._known.get(found.source)
        if known is None or known.item is None or known.plan != self._plan:
            return None
        same = known.item.signature == found.signature and not found.fault
        return replace(known.item, replaces=False) if same else None

    def decisions(self, found: Iterable[Found]) -> list[Item]:
        return [item for one in found if (item := self.decision(one)) is not None]

    def undecided(self, found: Iterable[Found]) -> list[Found]:
        return [one for one in found if self.decision(one) is None]

    def save(self, items: Iterable[Item]) -> None:
        """Keep decisions; but on a file that was only just written, look at it again."""
        settled = self._began - TICK
        keep = [item for item in items if 0 < item.signature.changed < settled]
        self._journal.plan(keep, self._plan)

    def outcomes(self, items: Iterable[Item], keys: Mapping[str, str]) -> dict[str, Outcome]:
        """Those inputs that are done, and whose source and result are what they were."""
        found = {}
        for item in items:
            known = self._known.get(item.source)
            if known is None or known.outcome is None or known.key != keys[item.source]:
                continue
            outcome = self._still(item, known.outcome)
            if outcome is None:
                continue
            if outcome != known.outcome:
                self._journal.record(item, known.key, outcome)
            found[item.source] = outcome
        return found

    def _still(self, item: Item, outcome: Outcome) -> Outcome | None:
        written = _same(self._batch.results / outcome.destination, outcome.written, outcome.result)
        if written is None or _is_link(self._batch.results / outcome.destination):
            return None
        read = _same(self._batch.sources / item.source, outcome.read, outcome.digest)
        return None if read is None else replace(outcome, read=read, written=written)

    def claimed(self, items: Sequence[Item]) -> list[Item]:
        """The items, and whether what lies at the destination of each may be replaced."""
        marked = [replace(item, replaces=self._may_replace(item)) for item in items]
        places = [(item, self._batch.results / item.destination) for item in marked]
        self._journal.claim(
            item for item, path in places
            if item.destination and (item.replaces or not os.path.lexists(path))
        )  # fmt: skip
        return marked

    def _may_replace(self, item: Item) -> bool:
        known = self._known.get(item.source, Known("", None, "", "", None))
        ours = {known.claim, known.outcome.destination if known.outcome else ""}
        return self._batch.force or (bool(item.destination) and item.destination in ours)


def _is_link(path: Path) -> bool:
    return stat.S_ISLNK(path.lstat().st_mode)


def _same(path: Path, known: Signature | None, digest: str) -> Signature | None:
    """The signature of a file that was not written to since, or has the same bytes."""
    try:
        with Source(path) as source:
            now = signature(source.status)
            return now if now == known or source.digest() == digest else None
    except MigrateError:
        return None
