"""The algebra of plans: composition, inverse, and the layout that a plan makes of another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.plan.plan import ModuleMove, Move, Plan
from mm_ckpt_migrate.names import fold, safe_text
from mm_ckpt_migrate.schema import Schema, TensorSpec, fits


def compose(first: Plan, second: Plan) -> Plan:
    """The plan that does at once what `first` does, and then `second` with its result."""
    moves = {move.source: move for move in second.moves}
    modules = {move.source: move for move in second.modules}
    offset = len(first.rules)
    both = [
        *(m if m.target is None else _module_then(m, modules[m.target]) for m in first.modules),
        *(move for move in second.modules if move.source is None),
    ]
    return Plan(
        family=first.family,
        released_from=first.released_from,
        released_to=second.released_to,
        rules_digest=hashlib.sha256(f"{first.rules_digest} {second.rules_digest}".encode()).hexdigest(),
        rules=first.rules + second.rules,
        moves=tuple(_then(m, moves[m.target], offset) if m.target else m for m in first.moves),
        # An entry that the first plan brings back and the second drops is in neither file.
        modules=tuple(move for move in both if move.source is not None or move.target is not None),
    )


def _then(first: Move, second: Move, offset: int) -> Move:
    """The move of a key through both plans; it names the last rule that the key met."""
    rule = first.rule if second.rule is None else second.rule + offset
    return Move(first.source, second.target, rule)


def _module_then(first: ModuleMove, second: ModuleMove) -> ModuleMove:
    return replace(
        second,
        source=first.source,
        changed_from=second.changed_from if first.changed_from is None else first.changed_from,
    )


def without_dropped(plan: Plan) -> Plan:
    """The plan of those keys that the new file has."""
    moves = tuple(move for move in plan.moves if move.target is not None)
    return replace(plan, moves=moves)


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


def _migrated_modules(plan: Plan, modules: Mapping[str, int | None] | None) -> dict[str, int | None] | None:
    if modules is None:
        return None
    return {move.target: move.version for move in plan.modules if move.target is not None}


def fit_modules(plan: Plan, target: Schema) -> Plan:
    """Drop the module paths that the target model does not have."""
    known = target.modules or {}
    return replace(
        plan, modules=tuple(m if m.target in known else replace(m, target=None) for m in plan.modules)
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
        modules=tuple(move.inverse() for move in plan.modules),
    )


def compare_layouts(migrated: Schema, target: Schema) -> list[str]:
    """Where a migrated state dict is not exactly what a model has: one line per group.

    Names and shapes must be equal, as `load_state_dict(strict=True)` asks. It lets all dtypes pass;
    here half precision alone may stand for float32, into which torch widens it without loss.
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
            if have.shape != want.shape or not fits(have.dtype, want.dtype)
        ]
    )
