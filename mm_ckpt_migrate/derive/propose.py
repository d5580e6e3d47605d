"""`derive`: the proposal of a rule file, held against our own planner before it is given."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.derive.assignment import Assignment, Derivation, Evidence, Layouts
from mm_ckpt_migrate.derive.control import kinds_of, propose_control
from mm_ckpt_migrate.derive.generalise import make_rules
from mm_ckpt_migrate.derive.marks import propose_marks
from mm_ckpt_migrate.derive.match import assign
from mm_ckpt_migrate.derive.orders import stated_roles
from mm_ckpt_migrate.derive.sequence import propose_order
from mm_ckpt_migrate.derive.write import Proposal, rule_file
from mm_ckpt_migrate.errors import PlanError, TargetMismatchError
from mm_ckpt_migrate.mapping.plan import compare_layouts, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.ruleset import ModuleOrder, RuleSet
from mm_ckpt_migrate.names import fold

# More of what moves without a counterpart, on either side, and it is another model.
_FOREIGN = 0.25
_SHOWN = 20


def derive(layouts: Layouts, family: str, config: Config | None = None) -> Derivation:
    """Propose a rule file that makes one layout of the other.

    Args:
        family: the new family's name.
        config: the config of the old model, for its `operation_order`.

    Raises:
        TargetMismatchError: the two are different models.
        PlanError: the mapping cannot be said in a rule file.
    """
    assignment = assign(layouts.old, layouts.new, Evidence(config))
    check_related(assignment, layouts)
    return propose(assignment, layouts, family, config)


def propose(assignment: Assignment, layouts: Layouts, family: str, config: Config | None) -> Derivation:
    """Write an assignment as a rule file, and read it back; raises PlanError as `derive`."""
    if not assignment.pairs:
        return Derivation(family=family, assignment=assignment, rules=(), text="", notices=())
    rules = make_rules(assignment)
    order = _order(assignment, layouts)
    proposal = Proposal(
        family=family,
        layouts=layouts,
        assignment=assignment,
        rules=rules,
        marks=propose_marks(assignment, rules, layouts.old, layouts.new),
        roles=stated_roles(assignment.ties, config),
        order=order,
        control=propose_control(assignment, rules, layouts.old),
    )
    text = rule_file(proposal)
    check_text(text, assignment, layouts)
    return Derivation(
        family=family, assignment=assignment, rules=rules, text=text, notices=_notices(assignment, order)
    )


def _order(assignment: Assignment, layouts: Layouts) -> tuple[ModuleOrder, ...] | None:
    if not assignment.covers:
        return ()
    made = [assignment.table[name] for name in layouts.old.names]
    return propose_order(made, layouts.new.names, assignment.open_ties)


def check_related(assignment: Assignment, layouts: Layouts) -> None:
    """Refuse what is another model altogether.

    Raises:
        TargetMismatchError: too much of one side has no counterpart on the other, or nothing moves.
    """
    moved = len(assignment.pairs)
    shares = [len(left) / (moved + len(left)) for left in (assignment.lost, assignment.missing) if left]
    if not shares or (moved and max(shares) <= _FOREIGN):
        return
    lines = [f"only old: {line}" for line in fold(assignment.lost)]
    lines += [f"only new: {line}" for line in fold(assignment.missing)]
    shown = "\n  ".join(lines[:_SHOWN]) + ("\n  …" if len(lines) > _SHOWN else "")
    raise TargetMismatchError(
        f"no new names make {layouts.old_origin} fit the model of {layouts.new_origin}: "
        f"{len(assignment.lost)} of its tensors have no place there, and "
        f"{len(assignment.missing)} there have no source\n  {shown}",
        hint="Give the config it was trained with: number of classes, queries and layers, and the "
        "backbone must be the same.",
    )


def read_rules(text: str) -> RuleSet:
    """Load a text as a rule file; raises RuleError where it is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "derived.yaml")
        path.write_text(text, encoding="utf-8")
        return load_ruleset(path)


def check_text(text: str, assignment: Assignment, layouts: Layouts) -> None:
    """Load the text as any rule file, and plan with it.

    Raises:
        PlanError: the plan is not the assignment, or its result is not the new model.
        RuleError: the text is no rule file.
    """
    rules = read_rules(text)
    if not assignment.covers:
        return
    for ruleset, table in ((rules, assignment.table), (rules.with_control(), None)):
        plan = make_plan(layouts.old, ruleset)
        wrong = compare_layouts(migrated_schema(plan, layouts.old), layouts.new)
        if wrong or (plan.targets == assignment.table) is (table is None):
            raise PlanError(f"the derived rules do not say what was derived: {'; '.join(wrong)}")


def _notices(assignment: Assignment, order: tuple[ModuleOrder, ...] | None) -> tuple[str, ...]:
    found = []
    if not assignment.covers:
        found.append(
            f"it does not cover the model: {len(assignment.lost)} old tensors have no place and "
            f"{len(assignment.missing)} new ones no source; see `unmatched` in the file"
        )
    if assignment.open_ties:
        found.append(
            f"tensors that could be exchanged, in {len(kinds_of(assignment.open_ties))} kinds of "
            "places: which is which is a guess, and the wrong one loads, too; see `undecided` in "
            "the file"
        )
    if order is None:
        found.append("the new order of the modules cannot be said in a rule file")
    return tuple(found)
