"""In which order the new model registers its modules, where that is not the old one's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mm_ckpt_migrate.derive.assignment import Tie
from mm_ckpt_migrate.derive.stubs import numbered
from mm_ckpt_migrate.mapping.rules.fields import SEGMENT
from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.mapping.rules.pattern import compile_pattern
from mm_ckpt_migrate.mapping.rules.ruleset import ModuleOrder


def propose_order(
    made: Sequence[str], wanted: Sequence[str], ties: Iterable[Tie]
) -> tuple[ModuleOrder, ...] | None:
    """What brings new names, which stand in old order, into new order; None where nothing does.

    The order of what is a guess is always stated: it stays right when the guess is mended.
    """
    guessed = {tuple(path.split(".")[:-1]) for tie in ties for path in tie.news}
    before, after = _runs(made), _runs(wanted)
    patterns: dict[tuple[str, tuple[str, ...]], None] = {}
    for path, children in after.items():
        differs = before.get(path) != children or path in guessed
        if differs and all(map(SEGMENT.fullmatch, (*path, *children))):
            patterns[numbered(".".join(path)), children] = None
    orders = tuple(
        ModuleOrder(compile_pattern(text, {}) if text else None, children)
        for text, children in sorted(patterns, key=lambda entry: _depth(entry[0]))
    )
    return orders if reorder(made, orders) == tuple(wanted) else None


def _depth(text: str) -> int:
    return len(text.split(".")) if text else 0


def _runs(names: Iterable[str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Children of each module in the order of their keys; one whose keys are parted, repeatedly."""
    runs: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        parts = tuple(name.split("."))
        for depth, child in enumerate(parts):
            children = runs.setdefault(parts[:depth], [])
            if children[-1:] != [child]:
                children.append(child)
    return {path: tuple(children) for path, children in runs.items()}
