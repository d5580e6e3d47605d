"""`Item` and `Outcome`: one input of a batch and its result, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from mm_ckpt_migrate.verdicts import Rung, Verdict
from mm_ckpt_migrate.verdicts import Status as Proof


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

    def unsettled(self) -> Signature:
        """One that no file has, so that the next batch looks at this one again."""
        return replace(self, changed=0)


@dataclass(frozen=True, slots=True)
class Item:
    """One input, and what is to become of it.

    Attributes:
        source: path below the folder of the sources, with `/`.
        destination: path below the folder of the results; empty where there will be none, or
            where it is known only when the new file is: one that is to be published.
        reason: why this action, in a sentence.
        family: for the rules; empty where none are used.
        config: as `convert` takes it.
        paired: how the config was found.
        publish: the config to name the new file after; empty where it keeps its name.
        replaces: whether a file at the destination may be replaced.
        exit_code: what `convert` ends with where it refuses it.
    """

    source: str
    destination: str
    action: Action
    reason: str
    signature: Signature
    family: str = ""
    config: str = ""
    paired: str = ""
    publish: str = ""
    replaces: bool = False
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"action": self.action.value}


def item_from_json(data: dict[str, Any]) -> Item:
    signature = Signature(**data["signature"])
    return Item(**{**data, "action": Action(data["action"]), "signature": signature})


class Status(str, Enum):
    """What became of an input."""

    MIGRATED = "migrated"
    COPIED = "copied"
    REFUSED = "refused"
    FAILED = "failed"
    """Its worker was killed, or took too long or too much memory, twice; or there is a new file,
    and `verify` found fault with it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input.

    Attributes:
        summary: one line.
        destination: path below the folder of the results; empty where there is no new file.
        digest: SHA-256 of the source, in hex; empty where it was not read to its end.
        result: SHA-256 of the new file, in hex; empty where there is none.
        read: the signature of the source, where it proves that it was not written to since.
        written: the signature of the new file.
        exit_code: what `convert` would have ended with.
    """

    status: Status
    summary: str
    destination: str = ""
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


def verdict_from_json(data: Mapping[str, Any]) -> Verdict:
    details = tuple(data["details"])
    return Verdict(Rung(data["rung"]), Proof(data["status"]), data["summary"], details)


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    verdicts = tuple(map(verdict_from_json, data["verdicts"]))
    signatures = {name: Signature(**data[name]) if data[name] else None for name in ("read", "written")}
    plain = {"status": Status(data["status"]), "notices": tuple(data["notices"])}
    return Outcome(**{**data, **plain, **signatures, "verdicts": verdicts})
