"""Make a plan: the fate of every key, or an error where a guarantee would be broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.plan.algebra import compose, migrated_schema
from mm_ckpt_migrate.mapping.plan.plan import ModuleMove, Move, Plan, check_injective
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.names import safe_text
from mm_ckpt_migrate.schema import Schema

# `torch.nn.Module._version`, which no container of OpenMMLab's changes.
_VERSION: Final = 1


def make_plan(schema: Schema, rules: RuleSet) -> Plan:
    """Decide what becomes of every key, through all generations of its names.

    Raises:
        PlanError: a guarantee is broken; the rule and the key are named.
    """
    plan = _plan_generation(schema, rules)
    if rules.following is None:
        return plan
    return compose(plan, make_plan(migrated_schema(plan, schema), rules.following))


def keep_all(schema: Schema, rules: RuleSet) -> Plan:
    """The plan of a state dict whose names are the new ones already."""
    moves = tuple(Move(name, name) for name in schema.names)
    modules = (ModuleMove(path, path, version) for path, version in (schema.modules or {}).items())
    return _plan(rules, (), moves, tuple(modules))


def _plan_generation(schema: Schema, rules: RuleSet) -> Plan:
    texts = tuple(map(str, rules.rules))
    moves = tuple(_move(name, rules) for name in schema.names)
    _check_alive(rules, moves)
    check_injective(texts, moves)
    _check_new(rules, moves)
    return _plan(rules, texts, moves, _plan_modules(schema, rules, moves))


def _plan(
    rules: RuleSet, texts: tuple[str, ...], moves: tuple[Move, ...], modules: tuple[ModuleMove, ...]
) -> Plan:
    return Plan(
        family=rules.family,
        released_from=rules.released_from,
        released_to=rules.released_to,
        rules_digest=rules.digest,
        rules=texts,
        moves=moves,
        modules=modules,
    )


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


def _check_new(rules: RuleSet, moves: Sequence[Move]) -> None:
    """No key may still bear the old layout's marks, unless a setting gives it its place."""
    for move in moves:
        parts = tuple(move.target.split(".")) if move.target is not None else ()
        if any(need.key.match(parts) is not None for need in rules.needs):
            continue
        if any(pattern.match(parts) is not None for pattern in rules.marks.old):
            raise PlanError(
                f"{safe_text(move.source)!r} has an old name that no rule of {rules.path.name} moves",
                hint="The model was customised; a rule for this key is needed.",
            )


def _plan_modules(schema: Schema, rules: RuleSet, moves: Sequence[Move]) -> tuple[ModuleMove, ...]:
    """New path of each module; a list that the new model no longer has loses its entry."""
    old = _ancestors(m.source for m in moves)
    new = _ancestors(m.target or "" for m in moves)
    planned: list[ModuleMove] = []
    for path, version in (schema.modules or {}).items():
        rule = rules.best_rule(path, module=True) if path else None
        target: str | None = path
        if rule is not None:
            target = rule.apply(tuple(path.split(".")), module=True)
        if path in old and target not in new:
            target = None
        wanted = rules.version(target or "", version)
        planned.append(ModuleMove(path, target, wanted, version if wanted != version else None))
    known = {move.target for move in planned}
    made = sorted(new - old - known) if planned else ()
    return (*planned, *(ModuleMove(None, path, _VERSION) for path in made))


def _ancestors(names: Iterable[str]) -> set[str]:
    """Every module path that leads to one of the keys."""
    return {name[:end] for name in names for end in range(len(name)) if name[end] == "."}
