"""From pairs of keys to rules: the shortest that move these keys and no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from mm_ckpt_migrate.derive.assignment import Assignment, DerivedRule, Pair, Reason
from mm_ckpt_migrate.derive.stubs import Texts, make_stub, without_numbers, write_stubs
from mm_ckpt_migrate.mapping.rules.pattern import compile_pattern
from mm_ckpt_migrate.mapping.rules.ruleset import Rule

# A rule and the pairs that it is for.
_Owned: TypeAlias = tuple[Rule, list[Pair]]


def make_rules(assignment: Assignment) -> tuple[DerivedRule, ...]:
    """Rules that move exactly the assignment's pairs, as the planner reads them.

    Each kind of pair starts with the shortest prefixes. Where that moves a key wrongly, they become
    longer by one segment. At the end of that way lies the plain key, which is always right.

    Raises:
        PlanError: a key cannot be written in a rule file.
    """
    kinds = {pair: _kind(pair) for pair in assignment.pairs}
    steps = dict.fromkeys(kinds.values(), 0)
    while True:
        texts = write_stubs({pair: make_stub(pair, steps[kind]) for pair, kind in kinds.items()})
        wrong = _wrong(texts, assignment)
        if not wrong:
            return _derived(texts)
        for kind in {kinds[pair] for pair in wrong}:
            steps[kind] += 1


def _kind(pair: Pair) -> tuple[object, ...]:
    return without_numbers(pair.old.split(".")), without_numbers(pair.new.split("."))


def _wrong(texts: Mapping[Pair, Texts], assignment: Assignment) -> set[Pair]:
    """Pairs whose rules are too short: they move a key wrongly, or lose theirs to another rule."""
    members: dict[Texts, list[Pair]] = {}
    for pair, text in texts.items():
        members.setdefault(text, []).append(pair)
    rules = [(_rule(text), pairs) for text, pairs in members.items()]
    owners = {pair.old: pair for pair in texts}
    lost = set(assignment.lost)
    wrong: set[Pair] = set()
    for key, target in assignment.table.items():
        if key in lost:
            continue
        winners = _winners(key, rules)
        made = [rule.apply(tuple(key.split("."))) for rule, _ in winners] or [key]
        if len(winners) > 1 or (made != [target] and key not in owners):
            wrong.update(pair for _, pairs in winners for pair in pairs)
        elif made != [target]:
            wrong.add(owners[key])
    return wrong


def _winners(key: str, rules: Sequence[_Owned]) -> list[_Owned]:
    """The rules that the planner takes for a key: one, or none; more are an error there."""
    parts = tuple(key.split("."))
    hits = [owned for owned in rules if owned[0].source.match(parts) is not None]
    best = max((rule.source.specificity for rule, _ in hits), default=None)
    return [owned for owned in hits if owned[0].source.specificity == best]


def _rule(text: Texts) -> Rule:
    return Rule(compile_pattern(text[0], {}), compile_pattern(text[1], {}))


def _derived(texts: Mapping[Pair, Texts]) -> tuple[DerivedRule, ...]:
    reasons: dict[Texts, dict[Reason, None]] = {}
    counts: dict[Texts, int] = {}
    for pair, text in texts.items():
        reasons.setdefault(text, {}).update(dict.fromkeys(pair.reasons))
        counts[text] = counts.get(text, 0) + 1
    return tuple(
        DerivedRule(*text, tuple(sorted(found, key=lambda r: -r.level)), counts[text])
        for text, found in reasons.items()
    )


def planned(texts: Sequence[Texts], keys: Iterable[str]) -> dict[str, str | None] | None:
    """What the planner would make of the keys; None where it would refuse.

    It does where two rules fit a key equally well, and where a rule is for no key.
    """
    rules: list[_Owned] = [(_rule(text), []) for text in texts]
    table: dict[str, str | None] = {}
    fired: set[str] = set()
    for key in keys:
        winners = _winners(key, rules)
        if len(winners) > 1:
            return None
        fired.update(rule.source.text for rule, _ in winners)
        table[key] = winners[0][0].apply(tuple(key.split("."))) if winners else key
    return table if len(fired) == len(rules) else None
