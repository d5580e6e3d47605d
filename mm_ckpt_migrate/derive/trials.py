"""The ways in which the open ties could be settled, and what the outputs of each say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product
from math import factorial, prod
from typing import Final

from mm_ckpt_migrate.derive.assignment import Assignment, Choices, Tie
from mm_ckpt_migrate.derive.control import kinds_of

MAX_TRIALS: Final = 24


def alternatives(assignment: Assignment) -> list[Choices]:
    """Every way to settle the open ties, alike in all layers; none where there are too many.

    The first one is the assignment itself.
    """
    kinds = kinds_of(tie for tie in assignment.open_ties if not tie.spare)
    sizes = [len(alike[0].olds) for alike in kinds]
    if not kinds or prod(map(factorial, sizes)) > MAX_TRIALS:
        return []
    orders = product(*(permutations(range(size)) for size in sizes))
    return [_choices(kinds, order) for order in orders]


def _choices(kinds: Sequence[Sequence[Tie]], orders: Sequence[tuple[int, ...]]) -> Choices:
    return {
        tie.olds: tuple(tie.news[place] for place in order)
        for alike, order in zip(kinds, orders, strict=True)
        for tie in alike
    }


def agreed(tried: Sequence[Choices], equal: Sequence[bool]) -> Choices:
    """What all ways with equal outputs have in common, and some with other outputs have not.

    Where no way gives equal outputs, or all of them do, that is nothing.
    """
    right = [choices for choices, fits in zip(tried, equal, strict=True) if fits]
    if not right or all(equal):
        return {}
    return {olds: news for olds, news in right[0].items() if all(c[olds] == news for c in right)}
