"""The stamp that a migrated file carries: who made it, from what, by which plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate import __version__
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.files.pickles.build import Plain
from mm_ckpt_migrate.mapping.plan import Plan, plan_from_json

TOOL: Final = f"mm-ckpt-migrate {__version__}"
# The source's digest is known only when all of it was read, which happens while it is copied.
# The stamp is laid out with this in its place, and it is put in last.
DIGEST_PLACEHOLDER: Final = hashlib.sha256(b"the source's digest goes here").hexdigest()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stamped file came from.

    Attributes:
        plan: how it was made from its source.
        sha256: digest of the very first file, before any migration.
        dropped: sections that the migration left out.
        wrapped: whether the source was a bare state dict.
        configs: texts of the configs inside that were migrated, by their dotted paths.
        added: dotted paths of entries that the source did not have.
        raw: whether the weights are those of `ema_state_dict`.
        tool: the program and its version.
        inference, as_is: whether the file was made for inference alone, and with everything that
            could have been made plain left as it was; None in a stamp of before they were noted.
    """

    plan: Plan
    sha256: str
    dropped: tuple[str, ...]
    wrapped: bool
    configs: Mapping[str, str]
    added: tuple[str, ...]
    raw: bool
    tool: str = ""
    inference: bool | None = None
    as_is: bool | None = None


def make_stamp(
    plan: Plan,
    previous: Mapping[str, Plain] | None,
    dropped: tuple[str, ...],
    configs: Mapping[str, str],
    added: Sequence[str] = (),
    *,
    wrapped: bool,
    raw: bool = False,
    inference: bool = False,
    as_is: bool = False,
) -> dict[str, Plain]:
    """A stamp with `DIGEST_PLACEHOLDER` for the source's digest; a first origin is kept.

    Args:
        configs: the old texts of configs, by their dotted paths; equal ones are kept once.
        added: dotted paths of entries that the source did not have.
        raw, inference, as_is: what was asked for, as in `Origin`.
    """
    texts: dict[str, list[Plain]] = {}
    for path, text in configs.items():
        texts.setdefault(text, []).append(path)
    origin = previous.get("origin_sha256") if previous else None
    return {
        "tool": TOOL,
        "family": plan.family,
        "from": plan.released_from,
        "to": plan.released_to,
        "plan_sha256": plan.digest,
        "source_sha256": DIGEST_PLACEHOLDER,
        "origin_sha256": origin if isinstance(origin, str) else DIGEST_PLACEHOLDER,
        "dropped": list(dropped),
        "wrapped": wrapped,
        "raw": raw,
        "inference": inference,
        "as_is": as_is,
        "added": list(added),
        "configs": [{"paths": paths, "text": text} for text, paths in texts.items()],
        "plan": json.dumps(plan.to_json(), separators=(",", ":")),
    }


def check_placeholders(head: bytes, stamp: Mapping[str, Plain] | None) -> None:
    """Raises PlanError where a new file's head has the placeholder outside its stamp."""
    expected = list(stamp.values()).count(DIGEST_PLACEHOLDER) if stamp else 0
    if head.count(DIGEST_PLACEHOLDER.encode()) != expected:
        raise PlanError("the checkpoint holds text that only this tool's stamp may hold")


def put_digest(head: bytes, digest: str) -> bytes:
    """A new file's head with the source's digest in its stamp."""
    return head.replace(DIGEST_PLACEHOLDER.encode(), digest.encode())


def read_stamp(stamp: Mapping[str, Plain]) -> Origin:
    """What a stamp says.

    Raises:
        PlanError: it was tampered with: its plan is malformed or does not have its digest.
    """
    try:
        plan = plan_from_json(json.loads(str(stamp.get("plan"))))
    except (ValueError, RecursionError):
        raise PlanError("the stamp in this file holds no readable plan") from None
    if plan.digest != stamp.get("plan_sha256"):
        raise PlanError("the plan in this file's stamp does not have the digest that it states")
    dropped = stamp.get("dropped")
    return Origin(
        plan,
        str(stamp.get("origin_sha256")),
        tuple(map(str, dropped)) if isinstance(dropped, list) else (),
        stamp.get("wrapped") is True,
        dict(_configs(stamp.get("configs"))),
        tuple(map(str, added)) if isinstance(added := stamp.get("added"), list) else (),
        stamp.get("raw") is True,
        str(stamp.get("tool") or "an unknown program"),
        _noted(stamp.get("inference")),
        _noted(stamp.get("as_is")),
    )


def _noted(value: Plain) -> bool | None:
    return value if isinstance(value, bool) else None


def _configs(entries: Plain) -> Iterator[tuple[str, str]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(paths := entry.get("paths"), list):
            yield from ((str(path), str(entry.get("text"))) for path in paths)
