"""A plan as data, and as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.names import is_prefix, safe_text

PLAN_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Move:
    """The fate of one key: moved, kept (equal names) or dropped (no target).

    Attributes:
        rule: index into the plan's rules; None where no rule matched and the key is kept.
    """

    source: str
    target: str | None
    rule: int | None = None


@dataclass(frozen=True, slots=True)
class ModuleMove:
    """The fate of a module's entry in `_metadata`.

    Attributes:
        source: old path; None where the entry is brought back.
        target: new path; None where the new model has no such module.
        version: the module's state-dict version in the new file.
        changed_from: the one that it had, where that is another one.
    """

    source: str | None
    target: str | None
    version: int | None
    changed_from: int | None = None

    def to_json(self) -> list[str | int | None]:
        changed = [self.changed_from] if self.changed_from is not None else []
        return [self.source, self.target, self.version, *changed]

    def inverse(self) -> ModuleMove:
        versions = (self.version,) if self.changed_from is None else (self.changed_from, self.version)
        return ModuleMove(self.target, self.source, *versions)


@dataclass(frozen=True)
class Plan:
    """A table of all keys and module paths, in the source's order.

    Attributes:
        family: the family whose rules made it.
        released_from, released_to: the releases of the old and of the new names.
        rules_digest: SHA-256 of the rule file, in hex; of both digests where two generations follow.
        rules: texts of the rules that fired.
        modules: what becomes of each entry of `_metadata`.
        prefix: what stood before every key in the source, and is taken off first; in an inverse,
            what is put there in the end.
    """

    family: str
    released_from: str
    released_to: str
    rules_digest: str
    rules: tuple[str, ...]
    moves: tuple[Move, ...]
    modules: tuple[ModuleMove, ...]
    prefix: str = ""

    @cached_property
    def table(self) -> dict[str, str | None]:
        """New name of every key; None where it is dropped."""
        return {move.source: move.target for move in self.moves}

    @cached_property
    def targets(self) -> dict[str, str]:
        """New name of every key that is not dropped."""
        return {old: new for old, new in self.table.items() if new is not None}

    @cached_property
    def renamed(self) -> dict[str, str]:
        """Those of `targets` whose name changes."""
        return {source: target for source, target in self.targets.items() if source != target}

    def to_json(self) -> dict[str, Any]:
        return {
            "plan": PLAN_FORMAT,
            "family": self.family,
            "from": self.released_from,
            "to": self.released_to,
            "rules_sha256": self.rules_digest,
            "rules": list(self.rules),
            "keys": [[m.source, m.target, m.rule] for m in self.moves],
            "modules": [move.to_json() for move in self.modules],
            **({"prefix": self.prefix} if self.prefix else {}),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the plan's canonical JSON, in hex."""
        text = json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def plan_from_json(data: Any) -> Plan:
    """Read a plan that `to_json` wrote.

    Raises:
        PlanError: it is not one, it is not injective, or it was made with `--fold`.
    """
    try:
        if data["plan"] != PLAN_FORMAT:
            raise PlanError(f"the plan has format {data['plan']!r}, not {PLAN_FORMAT}")
        if "fold" in data:  # plans and stamps of before the first release may have it
            raise PlanError(
                "the plan was made with --fold, which this tool no longer has: it changes a weight",
                hint="Convert the original file again, with patch_bias=True in the config.",
            )
        plan = Plan(
            family=str(data["family"]),
            released_from=str(data["from"]),
            released_to=str(data["to"]),
            rules_digest=str(data["rules_sha256"]),
            rules=tuple(map(str, data["rules"])),
            moves=tuple(Move(str(s), _text(t), r) for s, t, r in data["keys"]),
            modules=tuple(ModuleMove(_text(s), _text(t), *v) for s, t, *v in data["modules"]),
            prefix=str(data.get("prefix", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PlanError(f"this is no plan of this tool: {error!r}") from None
    _check(plan)
    return plan


def _check(plan: Plan) -> None:
    if not is_prefix(plan.prefix):
        raise PlanError("this is no plan of this tool: no wrapper puts such a prefix before keys")
    known = (None, *range(len(plan.rules)))
    if any(move.rule not in known for move in plan.moves):
        raise PlanError("this is no plan of this tool: it names a rule that it does not have")
    versions = (version for m in plan.modules for version in (m.version, m.changed_from))
    if any(type(version) not in (int, type(None)) for version in versions):
        raise PlanError("this is no plan of this tool: a module's version is no number")
    if len({move.source for move in plan.moves}) < len(plan.moves):
        raise PlanError("the plan says two things about one key")
    check_injective(plan.rules, plan.moves)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def check_injective(rules: Sequence[str], moves: Iterable[Move]) -> None:
    """Raise PlanError where two keys would get one name, naming both and the rule."""
    owners: dict[str, Move] = {}
    for move in moves:
        if move.target is None:
            continue
        first = owners.setdefault(move.target, move)
        if first is not move:
            by = rules[move.rule] if move.rule is not None else "no rule"
            raise PlanError(
                f"{safe_text(first.source)!r} and {safe_text(move.source)!r} would both become "
                f"{safe_text(move.target)!r} ({by})",
                hint="Nothing was written. The checkpoint mixes two layouts, or a rule is wrong.",
            )
