"""`Result`: every input of a batch with its outcome, and the report made of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.batch.item import Item, Outcome, Status
from mm_ckpt_migrate.files.archive.publish import publish_bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What a batch did.

    Attributes:
        outcomes: every input, in the order of their names, with its outcome.
        absent: names of files that the zoo lists, and of which there is none among the sources.
    """

    outcomes: tuple[tuple[Item, Outcome], ...]
    absent: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return all(outcome.done for _, outcome in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """The same for every batch that does the same, however often it was cut off."""
        entries = [{**item_to_json(i), "outcome": _outcome_to_json(o)} for i, o in self.outcomes]
        counts = {s.value: sum(o.status is s for _, o in self.outcomes) for s in Status}
        return {"inputs": len(entries), "counts": counts, "absent": self.absent, "entries": entries}


def item_to_json(item: Item) -> dict[str, Any]:
    """An item as people want it: without inode numbers and the like."""
    data = item.to_json() | {"size": item.signature.size}
    return {name: value for name, value in data.items() if name not in ("signature", "replaces")}


def _outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    data = outcome.to_json()
    return {name: value for name, value in data.items() if name not in ("read", "written")}


def write_report(path: Path, result: Result) -> None:
    """Raises DestinationError."""
    text = json.dumps(result.to_json(), indent=1) + "\n"
    publish_bytes(path, text.encode(), force=True)
