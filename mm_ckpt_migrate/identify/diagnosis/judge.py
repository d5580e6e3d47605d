"""Judge a state dict by the table of layouts and by the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mm_ckpt_migrate.identify.diagnosis import advice
from mm_ckpt_migrate.identify.diagnosis.case import Case, open_case
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Diagnosis, Finding, Goal
from mm_ckpt_migrate.identify.diagnosis.migration import judge_old
from mm_ckpt_migrate.identify.diagnosis.order import order_between
from mm_ckpt_migrate.identify.diagnosis.written import UNSAID, Written, stranger
from mm_ckpt_migrate.identify.layouts.difference import difference
from mm_ckpt_migrate.identify.layouts.identify import Identity, identify
from mm_ckpt_migrate.identify.layouts.table import Table
from mm_ckpt_migrate.mapping.rules.detect import Layout, find_lookalike
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema


def diagnose(
    schema: Schema, library: Library, table: Table, names: Sequence[str] = (), written: Written = UNSAID
) -> Diagnosis:
    """Say which model a state dict is of, and what leads to the current release.

    Args:
        names: what may begin with the name of its config, such as the name of its file.
        written: what its file says of who wrote it.
    """
    return _careful(_diagnose(schema, library, table, names), written, library)


def _diagnose(schema: Schema, library: Library, table: Table, names: Sequence[str]) -> Diagnosis:
    case = open_case(schema, library, table, names)
    diagnosis = _judge(case)
    recognised = case.found[0] if len(case.found) == 1 else None
    if recognised and diagnosis.family is None:
        family, layout = recognised.rules.family, recognised.layout.value
        diagnosis = replace(diagnosis, family=family, layout=layout)
    if case.identity is None:
        return diagnosis
    loads_in = tuple(r for r in table.releases if table.loads(r, case.identity.layout))
    return replace(diagnosis, identity=case.identity, loads_in=loads_in)


def _careful(diagnosis: Diagnosis, written: Written, library: Library) -> Diagnosis:
    """The diagnosis, unless somebody else wrote what looks like this: then who that was."""
    if diagnosis.finding in (Finding.CANNOT, Finding.LOOKALIKE):
        return diagnosis
    rules = next((r for r in library.families if r.family == diagnosis.family), None)
    found = stranger(written, library, rules)
    if found is None:
        return diagnosis
    looks = f"Its keys are those of {rules.family}, but it" if rules else "It"
    text = f"{looks} was written by {found.name}: {found.evidence}. {found.advice}".rstrip()
    return Diagnosis(Finding.LOOKALIKE, text, family=found.name, identity=diagnosis.identity)


def _judge(case: Case) -> Diagnosis:
    if case.exact and case.kept:
        return _current(case, advice.shipped(case.kept, len(case.schema)))
    layouts = {detection.layout for detection in case.found}
    if Layout.MIXED in layouts:
        return Diagnosis(Finding.CANNOT, advice.HALF_MIGRATED)
    if Layout.OLD in layouts:
        return judge_old(case)
    if Layout.NEW in layouts:
        return _new(case, case.found[0].rules)
    return _by_table(case)


def _new(case: Case, rules: RuleSet) -> Diagnosis:
    """A family's new names, in a model that is not shipped so; whose other names may be odd."""
    if case.known or case.vocabulary().has_below(case.schema.names):
        return _current(case, advice.new_names(rules))
    evidence = tuple(case.identity.difference.lines()) if case.identity else ()
    return Diagnosis(Finding.UNKNOWN, advice.new_and_other_names(rules), evidence=evidence)


def _by_table(case: Case) -> Diagnosis:
    """No rules recognise it."""
    if case.kept and case.lacking:
        return _current(case, advice.partial(case.kept))
    if not case.known:
        return _foreign(case)
    return _current(case, advice.resized(case.kept)) if case.kept else _changed(case)


def _current(case: Case, text: str) -> Diagnosis:
    kept = case.kept
    order = order_between(case.table, kept.layout, kept.layout) if kept else None
    evidence = tuple(case.identity.difference.lines()) if case.identity else ()
    return Diagnosis(finding=Finding.CURRENT, advice=text, goal=kept, order=order, evidence=evidence)


def _foreign(case: Case) -> Diagnosis:
    """It is no model that the table has."""
    if lookalike := find_lookalike(case.schema.names, case.library.lookalikes):
        return Diagnosis(Finding.LOOKALIKE, lookalike.advice, lookalike.name)
    near_old = case.identity is not None and case.kept is None
    if case.schema.tensors and not near_old and case.vocabulary().has(case.schema.names):
        return _current(case, advice.USUAL_NAMES)
    if case.identity is None:
        return Diagnosis(Finding.UNKNOWN, advice.FOREIGN)
    evidence = tuple(case.identity.difference.lines())
    return Diagnosis(Finding.UNKNOWN, advice.nearest(case.identity), evidence=evidence)


def _changed(case: Case) -> Diagnosis:
    """It is a shipped model, which the current release has otherwise or not at all."""
    assert case.identity is not None
    goal, kin = case.goal, _kin(case, case.identity)
    if goal is None:
        return _gone(case, case.identity, kin)
    if case.table.loads(goal.release, case.identity.layout):
        return Diagnosis(Finding.LOADS, advice.loads(goal, exact=case.exact), goal=goal)
    old, new = (case.table.schema(n) for n in (case.identity.layout, goal.layout))
    evidence = tuple(difference(old, new).lines())
    text = advice.other(goal, kin.config if kin else None)
    return Diagnosis(Finding.CANNOT, text, goal=goal, evidence=evidence)


def _gone(case: Case, identity: Identity, kin: Identity | None) -> Diagnosis:
    """The current release ships no config for it; perhaps one for another size of it."""
    if kin is None:
        release = case.table.current(identity.release)
        return Diagnosis(Finding.UNKNOWN, advice.gone(release))
    goal, evidence = Goal(kin.release, kin.config, kin.layout), tuple(kin.difference.lines())
    return Diagnosis(Finding.CURRENT, advice.resized(goal), goal=goal, evidence=evidence)


def _kin(case: Case, identity: Identity) -> Identity | None:
    """The nearest model of the current release, where only depth and sizes are otherwise."""
    current = frozenset(case.table.releases[case.table.current(identity.release)].values())
    near = identify(case.schema, case.table, akin=current.__contains__)
    return near if near and near.difference.explained else None
