"""New names for a zoo: the table old to new, and the zoo's own pages with the new names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from mm_ckpt_migrate.batch.item import Item, Outcome, Status
from mm_ckpt_migrate.batch.options import Batch
from mm_ckpt_migrate.batch.report import Result
from mm_ckpt_migrate.batch.shard import folded
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.publish import publish_bytes

TABLE: Final = "renamed"
ZOO: Final = "zoo"


def without_twins(result: Result) -> Result:
    """Refuse an input whose result has the name of another's: the first one keeps it."""
    return replace(result, outcomes=tuple(_first_ones(result)))


def _first_ones(result: Result) -> Iterator[tuple[Item, Outcome]]:
    owners: dict[str, str] = {}
    for item, outcome in result.outcomes:
        place = folded(outcome.destination)
        owner = owners.setdefault(place, item.source) if outcome.done else item.source
        if owner == item.source:
            yield item, outcome
        else:
            summary = f"its result is that of {owner}, with the same name and bytes"
            code = int(ExitCode.BAD_DESTINATION)
            yield (
                item,
                replace(outcome, status=Status.REFUSED, summary=summary, destination="", exit_code=code),
            )


def publish(batch: Batch, result: Result) -> None:
    """Write `renamed.csv`, and what of the zoo names an old file to the folder `zoo`.

    Nothing where nothing is to be published.

    Raises:
        ZooError: a file of the zoo cannot be read or patched.
        DestinationError: a file cannot be written.
        MissingSoftwareError: ruamel.yaml is not installed.
    """
    if not batch.options.publish:
        return
    from mm_ckpt_migrate.zoo.patch_zoo import patch_zoo
    from mm_ckpt_migrate.zoo.publication import Renaming, renaming_table

    renamings = [
        Renaming(PurePosixPath(i.source).name, PurePosixPath(o.destination).name, i.publish, o.result)
        for i, o in result.outcomes
        if o.done and i.publish
    ]
    table = batch.results / f"{TABLE}{batch.suffix}.csv"
    publish_bytes(table, renaming_table(renamings).encode(), force=True)
    # A shard does not know the names that the others give.
    if batch.zoo is not None and batch.zoo.is_dir() and batch.shard is None:
        patch_zoo(batch.zoo, renamings, batch.results / ZOO, force=True)
