"""The plan: a concrete table, old name to new name, decided before anything is written.

A plan is total (every key of the source is in it), injective (no two keys share a new name),
unambiguous (one best rule per key) and alive (every rule that is not optional fires); `covering`
against a target model is checked by `compare_layouts`. Its inverse is the table read backwards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.keys import fold, safe_text
from mm_ckpt_migrate.ruleset.model import RuleSet
from mm_ckpt_migrate.schema import Schema, TensorSpec

PLAN_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of one key: moved, kept (equal names) or dropped (no target).

    Attributes:
        rule: index into the plan's rules; None where no rule matched and the key is kept.
    """

    source: str
    target: str | None
    rule: int | None = None


@dataclass(frozen=True, slots=True)
class ModuleMove:
    """What becomes of a module's entry in `_metadata`.

    Attributes:
        source: old path; None where the entry is brought back.
        target: new path; None where the new model has no such module.
        version: the module's state-dict version.
    """

    source: str | None
    target: str | None
    version: int | None


@dataclass(frozen=True)
class Plan:
    """A table of all keys and module paths, in the source's order.

    Attributes:
        rules: texts of the rules that fired.
        modules: what becomes of each entry of `_metadata`.
    """

    family: str
    released_from: str
    released_to: str
    rules_digest: str
    rules: tuple[str, ...]
    moves: tuple[Move, ...]
    modules: tuple[ModuleMove, ...]

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
            "modules": [[m.source, m.target, m.version] for m in self.modules],
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the plan's canonical JSON, in hex."""
        text = json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def plan_from_json(data: Any) -> Plan:
    """Read a plan that `to_json` wrote.

    Raises:
        PlanError: it is not one, or it is not injective.
    """
    try:
        if data["plan"] != PLAN_FORMAT:
            raise PlanError(f"the plan has format {data['plan']!r}, not {PLAN_FORMAT}")
        plan = Plan(
            str(data["family"]), str(data["from"]), str(data["to"]), str(data["rules_sha256"]),
            tuple(map(str, data["rules"])),
            tuple(Move(str(s), _text(t), r) for s, t, r in data["keys"]),
            tuple(ModuleMove(_text(s), _text(t), v) for s, t, v in data["modules"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise PlanError(f"this is no plan of this tool: {error!r}") from None
    known = (None, *range(len(plan.rules)))
    if any(move.rule not in known for move in plan.moves):
        raise PlanError("this is no plan of this tool: it names a rule that it does not have")
    if any(type(module.version) not in (int, type(None)) for module in plan.modules):
        raise PlanError("this is no plan of this tool: a module's version is no number")
    if len({move.source for move in plan.moves}) < len(plan.moves):
        raise PlanError("the plan says two things about one key")
    _check_injective(plan.rules, plan.moves)
    return plan


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def make_plan(schema: Schema, rules: RuleSet) -> Plan:
    """Decide what becomes of every key.

    Raises:
        PlanError: a guarantee is broken; the rule and the key are named.
    """
    texts = tuple(map(str, rules.rules))
    moves = tuple(_move(name, rules) for name in schema.names)
    _check_alive(rules, moves)
    _check_injective(texts, moves)
    _check_new(rules, moves)
    return Plan(
        rules.family, rules.released_from, rules.released_to, rules.digest, texts, moves,
        _plan_modules(schema, rules, moves),
    )  # fmt: skip


def _move(name: str, rules: RuleSet) -> Move:
    rule = rules.best_rule(name)
    if rule is None:
        return Move(name, name)
    return Move(name, rule.apply(tuple(name.split("."))), rules.rules.index(rule))


def _check_alive(rules: RuleSet, moves: Sequence[Move]) -> None:
    fired = {move.rule for move in moves}
    for index, rule in enumerate(rules.rules):
        if index not in fired and not rule.optional:
            raise PlanError(
                f"{rules.path.name}: the rule {rule} fits no key of this checkpoint",
                hint="The checkpoint is not quite of this family; `inspect` shows its keys.",
            )


def _check_injective(rules: Sequence[str], moves: Sequence[Move]) -> None:
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


def _check_new(rules: RuleSet, moves: Sequence[Move]) -> None:
    """No key may still bear the old layout's marks."""
    for move in moves:
        parts = tuple(move.target.split(".")) if move.target is not None else ()
        if any(pattern.match(parts) is not None for pattern in rules.marks.old):
            raise PlanError(
                f"{safe_text(move.source)!r} has an old name that no rule of "
                f"{rules.path.name} moves",
                hint="The model was customised; a rule for this key is needed.",
            )


def _plan_modules(schema: Schema, rules: RuleSet, moves: Sequence[Move]) -> tuple[ModuleMove, ...]:
    """New path of each module; a list that the new model no longer has loses its entry."""
    emptied = _ancestors(m.source for m in moves) - _ancestors(m.target or "" for m in moves)
    planned: list[ModuleMove] = []
    for path, version in (schema.modules or {}).items():
        rule = rules.best_rule(path, module=True) if path else None
        target = None if path in emptied else path
        if rule is not None:
            target = rule.apply(tuple(path.split(".")), module=True)
        planned.append(ModuleMove(path, target, version))
    return tuple(planned)


def _ancestors(names: Iterable[str]) -> set[str]:
    """Every module path that leads to one of the keys."""
    return {name[:end] for name in names for end in range(len(name)) if name[end] == "."}


def averaged_table(plan: Plan) -> dict[str, str | None]:
    """The plan's table for `ema_state_dict`: every key behind `module.`, and `steps`."""
    moves = {f"module.{old}": new and f"module.{new}" for old, new in plan.table.items()}
    return {"steps": "steps", **moves}


def migrated_schema(plan: Plan, schema: Schema) -> Schema:
    """The layout that the plan makes of a source's layout."""
    return Schema(
        tuple(
            TensorSpec(plan.targets[spec.name], spec.shape, spec.dtype)
            for spec in schema.tensors
            if spec.name in plan.targets
        ),
        _migrated_modules(plan, schema.modules),
        tuple(tuple(plan.targets[n] for n in names if n in plan.targets) for names in schema.ties),
    )


def _migrated_modules(
    plan: Plan, modules: Mapping[str, int | None] | None
) -> dict[str, int | None] | None:
    if modules is None:
        return None
    return {move.target: move.version for move in plan.modules if move.target is not None}


def fit_modules(plan: Plan, target: Schema) -> Plan:
    """Drop the module paths that the target model does not have."""
    known = target.modules or {}
    return replace(
        plan,
        modules=tuple(m if m.target in known else replace(m, target=None) for m in plan.modules),
    )


def invert(plan: Plan) -> Plan:
    """The table read backwards.

    Raises:
        PlanError: a key was dropped, so that there is no way back.
    """
    if dropped := [move.source for move in plan.moves if move.target is None]:
        raise PlanError(f"{safe_text(dropped[0])!r} was dropped and cannot be brought back")
    return replace(
        plan,
        released_from=plan.released_to,
        released_to=plan.released_from,
        moves=tuple(Move(m.target, m.source, m.rule) for m in plan.moves if m.target is not None),
        modules=tuple(ModuleMove(m.target, m.source, m.version) for m in plan.modules),
    )


def compare_layouts(migrated: Schema, target: Schema) -> list[str]:
    """Where a migrated state dict is not exactly what a model has: one line per folded group.

    Names, shapes and dtypes must be equal, as `load_state_dict(strict=True)` asks (it lets dtypes
    pass; this does not).
    """
    missing = [name for name in target.names if name not in migrated]
    unexpected = [name for name in migrated.names if name not in target]
    common = [(spec, target[spec.name]) for spec in migrated.tensors if spec.name in target]
    return (
        [f"missing: {line}" for line in fold(missing)]
        + [f"unexpected: {line}" for line in fold(unexpected)]
        + [
            f"different: {have.name} is {have.dtype}{list(have.shape)} in the checkpoint and "
            f"{want.dtype}{list(want.shape)} in the model"
            for have, want in common
            if (have.shape, have.dtype) != (want.shape, want.dtype)
        ]
    )
