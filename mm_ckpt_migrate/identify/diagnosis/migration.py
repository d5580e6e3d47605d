"""Judge a state dict in which rules recognise old names."""

from __future__ import annotations

from mm_ckpt_migrate.identify.diagnosis import advice
from mm_ckpt_migrate.identify.diagnosis.candidates import Candidate, make_candidates
from mm_ckpt_migrate.identify.diagnosis.case import Case, open_case
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding, Goal, Order
from mm_ckpt_migrate.identify.diagnosis.order import order_between
from mm_ckpt_migrate.identify.layouts.identify import Identity
from mm_ckpt_migrate.mapping.rules.detect import Layout, lookalike_with


def judge_old(case: Case) -> Diagnosis:
    """The family whose rules lead on; to the counterpart itself, where it is a shipped model."""
    families = [found.rules for found in case.found if found.layout is Layout.OLD]
    candidates, errors = make_candidates(case.schema, families)
    if case.exact and case.goal:
        return _to_counterpart(case, case.goal, candidates)
    if len(candidates) > 1:
        return Diagnosis(Finding.UNKNOWN, advice.several(candidates))
    if not candidates:
        return Diagnosis(Finding.CANNOT, advice.unfit(errors[0]))
    (candidate,) = candidates
    if not candidate.plan.renamed:
        return _migrate(case, candidate, case.goal, None)
    reached = open_case(candidate.migrated, case.library, case.table)
    return _migrate(case, candidate, reached.kept, reached.identity)


def _to_counterpart(case: Case, goal: Goal, candidates: list[Candidate]) -> Diagnosis:
    schema = case.table.schema(goal.layout)
    gaps = [(candidate.gap(schema), candidate) for candidate in candidates]
    for gap, candidate in gaps:
        if not gap:
            return _migrate(case, candidate, goal, None)
    lines = gaps[0][0].lines() if gaps else ()
    return Diagnosis(Finding.CANNOT, advice.other(goal), goal=goal, evidence=tuple(lines))


def _migrate(case: Case, candidate: Candidate, goal: Goal | None, reached: Identity | None) -> Diagnosis:
    """
    Args:
        reached: what the migrated one is nearest to, where it is not the goal itself.
    """
    names, unknown = case.schema.names, candidate.unknown
    if lookalike := lookalike_with(names, unknown, case.library.lookalikes):
        return Diagnosis(Finding.LOOKALIKE, lookalike.advice, lookalike.name)
    finding = _finding(case, candidate, goal)
    return Diagnosis(
        finding=finding,
        advice=advice.migration(finding, candidate, goal, exact=case.exact),
        family=candidate.rules.family,
        layout=Layout.OLD.value,
        goal=goal,
        order=_order(case, candidate),
        needs=candidate.settings,
        unknown=candidate.unknown,
        evidence=tuple(reached.difference.lines()) if reached else (),
    )


def _finding(case: Case, candidate: Candidate, goal: Goal | None) -> Finding:
    if candidate.unknown:
        return Finding.UNKNOWN
    if not candidate.plan.renamed:
        return Finding.CONFIG
    renames = case.identity and goal and case.table.loads(goal.release, case.identity.layout)
    if renames and case.vocabulary().has_below(candidate.migrated.names):
        return Finding.LOADS
    return Finding.MIGRATE


def _order(case: Case, candidate: Candidate) -> Order | None:
    """That of the shipped model, whose layers a customised one has in the same order."""
    if case.identity is None or case.goal is None:
        return None
    old, new = case.identity.layout, case.goal.layout
    if not candidate.plan.renamed:
        return order_between(case.table, old, old, candidate.plan)
    if case.exact:
        return order_between(case.table, old, new, candidate.plan)
    shipped, _ = make_candidates(case.table.schema(old), [candidate.rules])
    return order_between(case.table, old, new, shipped[0].plan) if shipped else None
