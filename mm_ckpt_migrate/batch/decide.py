"""Decide what becomes of each checkpoint, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mm_ckpt_migrate.archive.source import Source
from mm_ckpt_migrate.batch.model import Action, Item, Signature
from mm_ckpt_migrate.batch.pair import Pairing, pair
from mm_ckpt_migrate.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.diagnosis.judge import diagnose
from mm_ckpt_migrate.diagnosis.model import Diagnosis, Finding
from mm_ckpt_migrate.errors import MigrateError
from mm_ckpt_migrate.layouts.table import Table
from mm_ckpt_migrate.ruleset.library import Library

_ACTIONS = {
    Finding.CURRENT: Action.COPY,
    Finding.LOADS: Action.MIGRATE,
    Finding.MIGRATE: Action.MIGRATE,
    Finding.CONFIG: Action.MIGRATE,
}


@dataclass(frozen=True, slots=True)
class Decider:
    """What decisions are made by.

    Attributes:
        listed: configs by the file names that a metafile gives them.
        build: whether target models are built, so that a config is needed.
    """

    folder: Path
    library: Library
    table: Table
    listed: Mapping[str, Sequence[str]]
    build: bool

    def decide(self, source: str, signature: Signature) -> Item:
        """Look into one file; whatever is wrong with it is the reason of its refusal."""
        refused = Item(source, "", Action.REFUSE, "", signature)
        try:
            with Source(self.folder / source) as file:
                checkpoint = open_checkpoint(file)
        except MigrateError as error:
            return replace(refused, reason=error.message)
        name = PurePosixPath(source).name
        diagnosis = diagnose(checkpoint.schema, self.library, self.table, [name])
        action = _ACTIONS.get(diagnosis.finding, Action.REFUSE)
        if action is not Action.MIGRATE:
            made = source if action is Action.COPY else ""
            return replace(refused, action=action, destination=made, reason=diagnosis.advice)
        pairing = pair(name, checkpoint, diagnosis, self.table, self.listed)
        return self._migration(refused, diagnosis, pairing)

    def _migration(self, item: Item, diagnosis: Diagnosis, pairing: Pairing) -> Item:
        if not pairing.config and self.build:
            return replace(item, reason=f"{pairing.how}: give its config, or --no-build")
        return replace(
            item,
            destination=item.source,
            action=Action.MIGRATE,
            reason="its names are those of an older release",
            family=diagnosis.family or "",
            config=pairing.config if self.build else "-",
            paired=pairing.how if self.build else "",
        )


def without_collisions(items: Iterable[Item]) -> Iterator[Item]:
    """Refuse every item whose result another one would have, on any file system."""
    listed = list(items)
    owners: dict[str, list[str]] = {}
    for item in listed:
        if item.destination:
            owners.setdefault(item.destination.casefold(), []).append(item.source)
    for item in listed:
        others = [s for s in owners.get(item.destination.casefold(), []) if s != item.source]
        if item.destination and others:
            reason = f"{others[0]} would get the name {item.destination}, too"
            yield replace(item, action=Action.REFUSE, destination="", reason=reason)
        else:
            yield item
