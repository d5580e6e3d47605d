"""Decide what becomes of each checkpoint, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from mm_ckpt_migrate.batch.find import Found, signature
from mm_ckpt_migrate.batch.item import Action, Item
from mm_ckpt_migrate.batch.pair import Pairing, pair
from mm_ckpt_migrate.batch.shard import folded
from mm_ckpt_migrate.batch.verdicts import Verdicts
from mm_ckpt_migrate.convert.options import EMBEDDED
from mm_ckpt_migrate.errors import ExitCode, MigrateError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.identify.diagnosis.advice import prefixed
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding
from mm_ckpt_migrate.identify.diagnosis.written import read_written
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.names import PARALLEL

_ACTIONS: Final = {
    Finding.CURRENT: Action.COPY,
    Finding.CONFIG: Action.COPY,
    Finding.LOADS: Action.MIGRATE,
    Finding.MIGRATE: Action.MIGRATE,
}


@dataclass(frozen=True, slots=True)
class Decider:
    """What decisions are made by.

    Attributes:
        listed: configs by the file names that a metafile gives them.
        build: whether target models are built, so that a config is needed.
        publish: whether migrated files get names of their own.
    """

    folder: Path
    table: Table
    listed: Mapping[str, Sequence[str]]
    build: bool
    publish: bool
    verdicts: Verdicts

    def decide(self, found: Found) -> Item:
        """Look into one file; whatever is wrong with it is the reason of its refusal."""
        refused = refuse(found, found.fault)
        if found.fault:
            return refused
        try:
            with Source(self.folder / found.source) as file:
                # Of what was opened: the name may lead to another file by now.
                refused = replace(refused, signature=signature(file.status))
                item = self._look(file, refused)
                file.check_unchanged()
                return item
        except MigrateError as error:
            if isinstance(error.__cause__, OSError):
                # The disk's fault, not the file's.
                refused = replace(refused, signature=refused.signature.unsettled())
            reason = error.message.removeprefix(f"{self.folder / found.source}: ")
            return replace(refused, reason=reason, exit_code=int(error.exit_code))

    def _look(self, file: Source, refused: Item) -> Item:
        checkpoint = open_checkpoint(file)
        name = PurePosixPath(refused.source).name
        diagnosis = self.verdicts.diagnose(checkpoint.schema, name, read_written(checkpoint))
        action = _ACTIONS.get(diagnosis.finding, Action.REFUSE)
        if diagnosis.unknown and self.build:
            action = Action.MIGRATE
        if action is Action.COPY and checkpoint.prefix not in ("", PARALLEL):
            code = int(ExitCode.FAMILY_REFUSED)
            reason = prefixed(checkpoint.prefix, diagnosis.family)
            return replace(refused, reason=reason, exit_code=code)
        if action is not Action.MIGRATE:
            made = refused.source if action is Action.COPY else ""
            code = 0 if made else int(ExitCode.FAMILY_REFUSED)
            return replace(refused, action=action, destination=made, reason=diagnosis.advice, exit_code=code)
        pairing = pair(name, checkpoint, diagnosis, self.table, self.listed)
        return self._migration(refused, diagnosis, pairing)

    def _migration(self, item: Item, diagnosis: Diagnosis, pairing: Pairing) -> Item:
        if not pairing.config and self.build:
            code = int(ExitCode.BAD_TARGET)
            reason = f"{pairing.how}: give its config by --zoo, or --no-build"
            return replace(item, reason=reason, exit_code=code)
        named = "" if pairing.config == EMBEDDED else pairing.config
        publish = (named or _stem(item.source)) if self.publish else ""
        return replace(
            item,
            destination="" if publish else item.source,
            action=Action.MIGRATE,
            reason="its names are those of an older release",
            family=diagnosis.family or "",
            config=pairing.config if self.build else "-",
            paired=pairing.how if self.build else "",
            publish=publish,
            exit_code=0,
        )


def _stem(source: str) -> str:
    """What a published file's name says of its config: all before time stamp and digest."""
    from mm_ckpt_migrate.zoo.publication import time_stamp

    stem = PurePosixPath(source).stem
    return stem.partition(time_stamp(source) or "\0")[0].rstrip("_-") or stem


def refuse(found: Found, reason: str) -> Item:
    """An input that cannot be looked into."""
    code = int(ExitCode.BAD_CHECKPOINT)
    return Item(found.source, "", Action.REFUSE, reason, found.signature, exit_code=code)


def without_collisions(items: Iterable[Item]) -> Iterator[Item]:
    """Refuse every item whose result another one would have, on any file system."""
    listed = list(items)
    owners: dict[str, list[str]] = {}
    for item in listed:
        if item.destination:
            owners.setdefault(folded(item.destination), []).append(item.source)
    for item in listed:
        others = [s for s in owners.get(folded(item.destination), []) if s != item.source]
        if item.destination and others:
            reason = f"{others[0]} would get the same name where case does not count"
            code = int(ExitCode.BAD_DESTINATION)
            yield replace(item, action=Action.REFUSE, destination="", reason=reason, exit_code=code)
        else:
            yield item
