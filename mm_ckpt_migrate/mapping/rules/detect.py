"""Recognise a checkpoint's family, and whether its layout is old, new or a mixture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from mm_ckpt_migrate.mapping.rules.lookalikes import Lookalike
from mm_ckpt_migrate.mapping.rules.pattern import Pattern
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet


class Layout(str, Enum):
    """Which release a state dict's names belong to."""

    OLD = "old"
    NEW = "new"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Detection:
    """A family whose marks a state dict bears."""

    rules: RuleSet
    layout: Layout


def detect(names: Iterable[str], library: Sequence[RuleSet]) -> list[Detection]:
    """Every family whose marks fit; more than one means that keys alone cannot tell."""
    keys = [tuple(name.split(".")) for name in names]
    found = []
    for rules in library:
        marks = rules.marks
        if (
            all(matches_any(p, keys) for p in marks.present)
            and not any(matches_any(p, keys) for p in marks.absent)
            and (layout := layout_of(rules, keys))
        ):
            found.append(Detection(rules, layout))
    return found


def layout_of(rules: RuleSet, keys: Sequence[tuple[str, ...]]) -> Layout | None:
    """None where no key bears the mark of either layout."""
    old = any(matches_any(pattern, keys) for pattern in rules.marks.old)
    new = any(matches_any(pattern, keys) for pattern in rules.marks.new)
    if old and new:
        return Layout.MIXED
    return Layout.OLD if old else Layout.NEW if new else None


def find_lookalike(names: Iterable[str], lookalikes: Sequence[Lookalike]) -> Lookalike | None:
    keys = [tuple(name.split(".")) for name in names]
    for entry in lookalikes:
        if all(matches_any(pattern, keys) for pattern in entry.present):
            return entry
    return None


def lookalike_with(
    names: Iterable[str], unknown: Iterable[str], lookalikes: Sequence[Lookalike]
) -> Lookalike | None:
    """The one that parts which a family does not know belong to."""
    odd = [tuple(name.split(".")) for name in unknown]
    mine = [e for e in lookalikes if any(matches_any(pattern, odd) for pattern in e.present)]
    return find_lookalike(names, mine) if odd else None


def matches_any(pattern: Pattern, keys: Sequence[tuple[str, ...]]) -> bool:
    return any(pattern.match(key) is not None for key in keys)
