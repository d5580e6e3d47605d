"""What a batch is about, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from mm_ckpt_migrate.report import Verdict


class Action(str, Enum):
    """What is to be done with a checkpoint."""

    MIGRATE = "migrate"
    COPY = "copy"
    """Nothing in it has to change."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells that a file was not written to since, without reading it.

    Attributes:
        changed: `st_ctime_ns`, which no program can set at will.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int


@dataclass(frozen=True, slots=True)
class Item:
    """One input, and what is to become of it.

    Attributes:
        source: path below the folder of the sources, with `/`.
        destination: path below the folder of the results; empty where there will be none.
        reason: why this action, in a sentence.
        family: for the rules; empty where none are used.
        config: as `convert` takes it.
        paired: how the config was found.
    """

    source: str
    destination: str
    action: Action
    reason: str
    signature: Signature
    family: str = ""
    config: str = ""
    paired: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"action": self.action.value}


class Status(str, Enum):
    """What became of an input."""

    MIGRATED = "migrated"
    COPIED = "copied"
    REFUSED = "refused"
    FAILED = "failed"
    """Its worker was killed, or took too long or too much memory, twice."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input.

    Attributes:
        summary: one line.
        digest: SHA-256 of the source, in hex; empty where it was not read to its end.
        result: SHA-256 of the new file, in hex; empty where there is none.
        read, written: the signatures of the source and of the new file.
        exit_code: what `convert` would have ended with.
    """

    status: Status
    summary: str
    digest: str = ""
    result: str = ""
    read: Signature | None = None
    written: Signature | None = None
    exit_code: int = 0
    verdicts: tuple[Verdict, ...] = ()
    notices: tuple[str, ...] = ()
    facts: Mapping[str, int] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.status in (Status.MIGRATED, Status.COPIED)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
