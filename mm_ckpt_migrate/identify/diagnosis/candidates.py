"""What the rules make of a state dict with old names: a plan, and the layout that it leads to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.identify.layouts.difference import Difference, difference
from mm_ckpt_migrate.mapping.plan import Plan, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.ruleset import Need, RuleSet
from mm_ckpt_migrate.schema import Schema


@dataclass(frozen=True, slots=True)
class Candidate:
    """A family, and what its rules make of a state dict.

    Attributes:
        migrated: the layout under its new names.
        needs: the settings that these weights ask of the config, each with its key.
        unknown: those of the new names that no rule of the family knows.
    """

    rules: RuleSet
    plan: Plan
    migrated: Schema
    needs: Mapping[str, Need]
    unknown: tuple[str, ...]

    @property
    def settings(self) -> dict[str, object]:
        """Path of each setting that is needed, and its value."""
        return {
            ".".join((*need.place, name)): value
            for need in self.needs.values()
            for name, value in need.settings.items()
        }

    def gap(self, goal: Schema) -> Difference:
        """What is otherwise than the goal, where the config has the settings that are needed."""
        left = (spec for spec in self.migrated.tensors if spec.name not in self.needs)
        right = (spec for spec in goal.tensors if spec.name not in self.needs)
        return difference(Schema(tuple(left)), Schema(tuple(right)))


def make_candidates(schema: Schema, families: Iterable[RuleSet]) -> tuple[list[Candidate], list[PlanError]]:
    """One for each family whose rules give a plan, and why the others give none."""
    found: list[Candidate] = []
    errors: list[PlanError] = []
    for rules in families:
        try:
            plan = make_plan(schema, rules)
        except PlanError as error:
            errors.append(error)
        else:
            migrated = migrated_schema(plan, schema)
            needs, unknown = _needs(migrated, rules), rules.unknown(migrated.names)
            found.append(Candidate(rules=rules, plan=plan, migrated=migrated, needs=needs, unknown=unknown))
    return found, errors


def _needs(migrated: Schema, rules: RuleSet) -> dict[str, Need]:
    return {
        name: need
        for need in rules.last.needs
        for name in migrated.names
        if need.key.match(tuple(name.split("."))) is not None
    }
