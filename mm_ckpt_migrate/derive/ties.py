"""Pair nodes of the same shapes: by name where names are equal, by the config; else it is open."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import product

from mm_ckpt_migrate.derive.assignment import (
    EXCHANGEABLE,
    LEAVES,
    NAME,
    NUMBER,
    ORDER,
    OUTPUTS,
    REST,
    Evidence,
    Reason,
    Tie,
)
from mm_ckpt_migrate.derive.orders import places_by_order
from mm_ckpt_migrate.derive.tree import Node, Segments, common_start

# Beyond so many comparisons their order alone is looked at: it is a guess in any case.
_COMPARISONS = 2_500


@dataclass(frozen=True, slots=True)
class Settled:
    """Pairs, and the tie where they are of one."""

    pairs: tuple[tuple[Node, Node], ...]
    reason: Reason
    tie: Tie | None = None


def settle(olds: Sequence[Node], news: Sequence[Node], evidence: Evidence) -> Iterator[Settled]:
    """Pair as many as can be of two groups that hold the same shapes.

    Names count where they are equal from the end on, the longer the sooner, and where one old node
    alone has them and one new one. Where as many of both have equal names, these are a tie.
    """
    if len(olds) == len(news) == 1:
        reason = LEAVES if olds[0].named == news[0].named else REST
        yield Settled(((olds[0], news[0]),), reason)
        return
    left_olds, left_news = list(olds), list(news)
    inside = _inside((*olds, *news))
    lengths = range(max(len(node.segments) for node in (*olds, *news)), 0, -1)
    for tied, length in product((False, True), lengths):
        some = _by_ending(left_olds, length, inside)
        same = _by_ending(left_news, length, inside)
        for ending in some:
            mine = [node for node in some[ending] if node in left_olds]
            theirs = [node for node in same.get(ending, ()) if node in left_news]
            if not mine or len(mine) != len(theirs) or (len(mine) > 1) is not tied:
                continue
            left_olds = [node for node in left_olds if node not in mine]
            left_news = [node for node in left_news if node not in theirs]
            yield _named(ending, mine, theirs, evidence)
    if len(left_olds) == len(left_news) == 1:
        yield Settled(((left_olds[0], left_news[0]),), REST)
    elif left_olds and left_news:
        yield _tie(left_olds, left_news, evidence)


def _named(ending: Segments, olds: Sequence[Node], news: Sequence[Node], evidence: Evidence) -> Settled:
    if len(olds) > 1:
        return _tie(olds, news, evidence)
    numbered = any(segment.isdecimal() for segment in ending)
    return Settled(((olds[0], news[0]),), NUMBER if numbered else NAME)


def _inside(nodes: Sequence[Node]) -> int:
    """How many last segments all of them have in common, which say nothing of any."""
    return common_start(node.segments[::-1] for node in nodes)


def _outer(node: Node, inside: int) -> Segments:
    return node.segments[: max(1, len(node.segments) - inside)]


def _by_ending(nodes: Sequence[Node], length: int, inside: int) -> dict[Segments, list[Node]]:
    """Nodes by so many last segments of their names; one may have several names."""
    groups: dict[Segments, dict[Node, None]] = {}
    for node in nodes:
        outer = _outer(node, inside)
        around = (tuple(name.split(".")) for name in node.chain)
        for name in (outer, *(name for name in around if len(name) < len(outer))):
            if len(name) >= length:
                groups.setdefault(name[-length:], {})[node] = None
    return {ending: list(group) for ending, group in groups.items()}


def _tie(olds: Sequence[Node], news: Sequence[Node], evidence: Evidence) -> Settled:
    """Where they are the same inside, the modules around are named."""
    inside = _inside((*olds, *news))
    one, other = ([".".join(_outer(node, inside)) for node in nodes] for nodes in (olds, news))
    places, reason = _decided(olds, news, evidence), ORDER
    if places is None:
        places, reason = _guess(one, other), EXCHANGEABLE
        chosen = evidence.choices.get(tuple(one[i] for i, _ in places))
        if chosen is not None and set(chosen) == {other[j] for _, j in places}:
            places = [(i, other.index(path)) for (i, _), path in zip(places, chosen, strict=True)]
            reason = OUTPUTS
    spare = [path for i, path in enumerate(one) if i not in dict(places)]
    spare += [path for j, path in enumerate(other) if j not in dict(places).values()]
    paths = tuple(one[i] for i, _ in places), tuple(other[j] for _, j in places)
    pairs = tuple((olds[i], news[j]) for i, j in places)
    return Settled(pairs, reason, Tie(*paths, tuple(spare), reason))


def _decided(olds: Sequence[Node], news: Sequence[Node], evidence: Evidence) -> list[tuple[int, int]] | None:
    if len(olds) != len(news):
        return None
    chains = [node.chain for node in olds], [node.chain for node in news]
    return places_by_order(*chains, evidence.config)


def _guess(olds: Sequence[str], news: Sequence[str]) -> list[tuple[int, int]]:
    """The most similar names first, then their order; of unequal numbers, similar names alone."""
    even = len(olds) == len(news)
    if len(olds) * len(news) > _COMPARISONS:
        return [(i, i) for i in range(len(olds))] if even else []
    one, other = _distinct(olds), _distinct(news)
    scored = [
        (_similarity(one[i], other[j]), -abs(i - j), -i, -j)
        for i in range(len(olds))
        for j in range(len(news))
    ]
    chosen: dict[int, int] = {}
    for score, _, i, j in sorted(scored, reverse=True):
        if -i not in chosen and -j not in chosen.values() and (score or even):
            chosen[-i] = -j
    return sorted(chosen.items())


def _distinct(paths: Sequence[str]) -> list[str]:
    """The part of each path that tells it from the others."""
    segments = [path.split(".") for path in paths]
    common = common_start(segments) if len(paths) > 1 else len(segments[0]) - 1
    return [".".join(parts[common:]) for parts in segments]


def _similarity(old: str, new: str) -> float:
    """Words that both have; among as many, letters. 0 where they have no word in common."""
    one, other = (set(re.findall("[a-z]+|[0-9]+", text.lower())) for text in (old, new))
    words = len(one & other) / max(1, len(one | other))
    return words and words + SequenceMatcher(None, old, new, autojunk=False).ratio() / 1000
