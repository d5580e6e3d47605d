"""Propose marks that recognise the new family, from the one model that was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mm_ckpt_migrate.derive.assignment import Assignment, DerivedRule
from mm_ckpt_migrate.derive.stubs import without_numbers
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.rules.fields import SEGMENT
from mm_ckpt_migrate.mapping.rules.pattern import compile_pattern
from mm_ckpt_migrate.schema import Schema

_PRESENT = 3
_LISTED = 8


@dataclass(frozen=True, slots=True)
class ProposedMarks:
    """Patterns for `recognise`.

    Attributes:
        both: whether `present` fits the new layout, too.
    """

    present: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    both: bool


def propose_marks(
    assignment: Assignment, rules: Sequence[DerivedRule], old: Schema, new: Schema
) -> ProposedMarks:
    """Marks of the two layouts, and keys that both have, near those that move.

    Raises:
        PlanError: every old name is a new name, too, so that no name tells the layouts apart.
    """
    after = set(new.names) | set(assignment.table.values())
    marks = _absent_from(after, (rule.source for rule in rules))
    marks = marks or _absent_from(after, (pair.old for pair in assignment.pairs))
    if not marks:
        raise PlanError(
            "the same names mean other tensors in the new model, and no name is old alone, so that "
            "no rule file could recognise the old layout",
            hint="Give the tensors new names in the model's code.",
        )
    shared = _near(assignment)
    present = shared or marks[:1]
    ours = _absent_from(old.names, (rule.target for rule in rules))
    return ProposedMarks(present, marks[:_LISTED], ours[:_LISTED], bool(shared))


def _absent_from(names: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """Patterns that fit none of the names."""
    keys = [tuple(name.split(".")) for name in names]
    return tuple(
        text for text in patterns if not any(compile_pattern(text, {}).match(key) is not None for key in keys)
    )


def _near(assignment: Assignment) -> tuple[str, ...]:
    """Kept keys that share the most of their path with one that moves, one of a kind of module."""
    moved = [name.split(".") for pair in assignment.pairs for name in (pair.old, pair.new)]
    starts = {tuple(parts[:end]) for parts in moved for end in range(len(parts))}
    kinds: dict[tuple[str, ...], str] = {}
    for name in assignment.kept:
        if all(map(SEGMENT.fullmatch, name.split("."))):
            kinds.setdefault(without_numbers(name.split(".")[:-1]), name)
    ranked = sorted(kinds.values(), key=lambda name: -_shared(name.split("."), starts))
    return tuple(ranked[:_PRESENT])


def _shared(parts: Sequence[str], starts: set[tuple[str, ...]]) -> int:
    return max(end for end in range(len(parts) + 1) if tuple(parts[:end]) in starts)
