"""The deliberate error that the forward rung must catch: two things of equal shapes, exchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, product
from typing import TypeAlias

from mm_ckpt_migrate.derive.assignment import Assignment, DerivedRule, Tie
from mm_ckpt_migrate.derive.generalise import planned
from mm_ckpt_migrate.derive.stubs import Stub, Texts, without_numbers, write_stubs
from mm_ckpt_migrate.derive.tree import Node, forest
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.rules.fields import SEGMENT
from mm_ckpt_migrate.schema import Schema

_TRIES = 50

Table: TypeAlias = "dict[str, str | None]"


def propose_control(assignment: Assignment, rules: Sequence[DerivedRule], old: Schema) -> tuple[Texts, ...]:
    """The first exchange that loads strictly: of a tie, else of what moves, else of what stays.

    Raises:
        PlanError: none is found, as where no two tensors have one shape.
    """
    table = assignment.table
    moved = [spec for spec in old.tensors if table[spec.name] != spec.name]
    kept = [spec for spec in old.tensors if table[spec.name] == spec.name]
    candidates = chain(
        _of_ties(assignment.ties), _of_siblings(forest(moved), table), _of_siblings(forest(kept), table)
    )
    texts = [(rule.source, rule.target) for rule in rules]
    right = planned(texts, old.names)
    for control in islice(candidates, _TRIES):
        replaced = {source for source, _ in control}
        kept_rules = [text for text in texts if text[0] not in replaced]
        if _exchanges(right, planned([*kept_rules, *control], old.names), old):
            return control
    raise PlanError(
        "no wrong mapping was found that would load, as a rule file must name one: too few parts "
        "of this model have equal shapes",
        hint="The mapping may well be the only one; write the file by hand.",
    )


def _exchanges(right: Table | None, wrong: Table | None, old: Schema) -> bool:
    """Whether the new names are the same, each of the same shape, and some in other places."""
    if right is None or wrong is None or right == wrong:
        return False
    return sorted(map(str, right.values())) == sorted(map(str, wrong.values())) and _shapes(
        right, old
    ) == _shapes(wrong, old)


def _shapes(table: Table, old: Schema) -> dict[str | None, object]:
    return {new: (old[name].shape, old[name].dtype) for name, new in table.items()}


def _of_ties(ties: Sequence[Tie]) -> Iterator[tuple[Texts, ...]]:
    """The first two of each tie, in all layers of a kind at once."""
    for alike in kinds_of(tie for tie in ties if len(tie.olds) > 1):
        swaps = [(t.olds[0], t.news[1]) for t in alike] + [(t.olds[1], t.news[0]) for t in alike]
        for rest, literal in product((True, False), (False, True)):
            yield _written(swaps, rest=rest, literal=literal)


def kinds_of(ties: Iterable[Tie]) -> list[list[Tie]]:
    """Ties that differ in the numbers of their layers alone, together."""
    kinds: dict[object, list[Tie]] = {}
    for tie in ties:
        kinds.setdefault(_kind_of(tie), []).append(tie)
    return list(kinds.values())


def _kind_of(tie: Tie) -> tuple[object, ...]:
    """The same value for ties that differ in the number of their layer alone."""
    paths = (*tie.olds, *tie.news)
    inside = [path.rpartition(".")[2] for path in paths]
    return (
        tuple(without_numbers(path.split(".")) for path in paths),
        tuple(inside),
        len(tie.olds),
        bool(tie.spare),
        tie.reason,
    )


def _of_siblings(nodes: Sequence[Node], table: dict[str, str]) -> Iterator[tuple[Texts, ...]]:
    """Neighbours that hold the same, small modules first."""
    twins = sorted(_twins(nodes), key=lambda pair: (pair[0].size < 2, pair[0].size))
    for one, other in twins:
        targets = _new_path(one, table), _new_path(other, table)
        if all(target and all(map(SEGMENT.fullmatch, target.split("."))) for target in targets):
            swaps = [(one.path, str(targets[1])), (other.path, str(targets[0]))]
            yield _written(swaps, rest=bool(one.children), literal=True)


def _twins(nodes: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    first: dict[object, Node] = {}
    for node in nodes:
        yield from _twins(node.children)
        if node.named in first:
            yield first[node.named], node
        first[node.named] = node


def _new_path(node: Node, table: dict[str, str]) -> str | None:
    """Where a module went as a whole; None where its name changed inside, too."""
    found = {
        new[: len(new) - len(name) + len(node.path)]
        for name, new in table.items()
        if name == node.path or name.startswith(f"{node.path}.")
        if new.endswith(name[len(node.path) :])
    }
    return found.pop() if len(found) == 1 else None


def _written(swaps: Sequence[Texts], *, rest: bool, literal: bool) -> tuple[Texts, ...]:
    stubs = {
        swap: Stub(tuple(swap[0].split(".")), tuple(swap[1].split(".")), rest, literal) for swap in swaps
    }
    return tuple(dict.fromkeys(write_stubs(stubs).values()))
