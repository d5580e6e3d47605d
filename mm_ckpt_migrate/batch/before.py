"""`Before`: the decisions and results of an earlier batch that still hold."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mm_ckpt_migrate.batch.find import Found
from mm_ckpt_migrate.batch.folder import Folders
from mm_ckpt_migrate.batch.item import Item, Outcome
from mm_ckpt_migrate.batch.journal import Journal, Known
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.work import TICK


class Before:
    """The journal, held against the files as they are."""

    def __init__(self, batch: Batch, folders: Folders, journal: Journal, plan: str) -> None:
        """`plan`: digest of what decisions are made by."""
        self._batch = batch
        self._sources, self._results = folders.sources, folders.results
        self.journal = journal
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
        self.journal.plan(keep, self._plan)

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
                self.journal.record(item, known.key, outcome)
            found[item.source] = outcome
        return found

    def _still(self, item: Item, outcome: Outcome) -> Outcome | None:
        written = self._results.same(outcome.destination, outcome.written, outcome.result)
        if written is None:
            return None
        read = self._sources.same(item.source, outcome.read, outcome.digest)
        return None if read is None else replace(outcome, read=read, written=written)

    def proofs(self, keys: Mapping[str, str]) -> dict[str, Outcome]:
        """Those new files that were verified, by the digests of what that depends on."""
        return {
            source: known.proof
            for source, key in keys.items()
            if (known := self._known.get(source)) and known.proof and known.proof_key == key
        }

    def claimed(self, items: Sequence[Item]) -> list[Item]:
        """The items, and whether what lies at the destination of each may be replaced."""
        marked = [replace(item, replaces=self._may_replace(item)) for item in items]
        self.journal.claim(
            item
            for item in marked
            if item.destination and (item.replaces or not self._results.exists(item.destination))
        )
        return marked

    def _may_replace(self, item: Item) -> bool:
        known = self._known.get(item.source, Known(plan="", item=None, claim="", key="", outcome=None))
        ours = {known.claim, known.outcome.destination if known.outcome else ""}
        return self._batch.force or (bool(item.destination) and item.destination in ours)
