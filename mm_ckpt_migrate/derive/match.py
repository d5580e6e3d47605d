"""Pair the tensors of two layouts, module by module, from the largest ones down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from mm_ckpt_migrate.derive.assignment import NAMESAKE, ONLY, STAYS, Assignment, Evidence, Pair, Reason, Tie
from mm_ckpt_migrate.derive.ties import Settled, settle
from mm_ckpt_migrate.derive.tree import Node, Signature, common_start, forest, overlap
from mm_ckpt_migrate.schema import Schema

# Modules of one name are taken for one another where so much of them has equal shapes.
_ALIKE: Final = 0.5
NO_EVIDENCE: Final = Evidence()


def assign(old: Schema, new: Schema, evidence: Evidence = NO_EVIDENCE) -> Assignment:
    """Give every old tensor the new name that structure, names and further evidence speak for.

    Keys that both layouts have, of one shape and dtype, stay. Nothing is ever paired with a tensor
    of another shape or dtype.
    """
    kept = {spec.name for spec in old.tensors if spec.name in new and new[spec.name] == spec}
    matcher = _Matcher(evidence, forest(spec for spec in old.tensors if spec.name in kept))
    lost, missing = matcher.align(
        forest(spec for spec in old.tensors if spec.name not in kept),
        forest(spec for spec in new.tensors if spec.name not in kept),
        (),
    )
    place = {name: number for number, name in enumerate(old.names)}
    return Assignment(
        pairs=tuple(sorted(matcher.pairs, key=lambda pair: place[pair.old])),
        kept=tuple(name for name in old.names if name in kept),
        ties=tuple(matcher.ties),
        lost=tuple(node.path for node in lost),
        missing=tuple(node.path for node in missing),
    )


class _Matcher:
    """Collects pairs and ties.

    Attributes:
        pairs, ties: so far.
    """

    def __init__(self, evidence: Evidence, kept: Iterable[Node]) -> None:
        self.pairs: list[Pair] = []
        self.ties: list[Tie] = []
        self._evidence = evidence
        self._kept: dict[Signature, set[str]] = {}
        for node in _all(kept):
            self._kept.setdefault(node.shapes, set()).update(node.places)

    def align(
        self, olds: Iterable[Node], news: Iterable[Node], trail: tuple[Reason, ...]
    ) -> tuple[list[Node], list[Node]]:
        """Pair what two places hold; a module that fits none as a whole gives way to its children.

        Returns:
            The tensors that are left over.
        """
        some, others = list(olds), list(news)
        while some or others:
            size = max(node.size for node in (*some, *others))
            alike = Counter(node.shapes for node in (*some, *others))
            for kind in (_named, _shapes):
                for settled in self._pair_equal(some, others, size, kind):
                    self._accept(settled, alike, trail)
            if size == 1:
                return some, others
            if any(node.size == size for node in (*some, *others)):
                self._open_one(some, others, size, trail)
        return [], []

    def _pair_equal(
        self, some: list[Node], others: list[Node], size: int, kind: Callable[[Node], Signature]
    ) -> list[Settled]:
        """Pair the nodes of this size that hold the same, and take them out of both lists."""
        olds, news = _groups(some, size, kind), _groups(others, size, kind)
        found = [
            settled
            for signature in olds
            if signature in news
            for settled in settle(olds[signature], news[signature], self._evidence)
        ]
        paired = {node for settled in found for pair in settled.pairs for node in pair}
        some[:] = [node for node in some if node not in paired]
        others[:] = [node for node in others if node not in paired]
        return found

    def _accept(self, settled: Settled, alike: Mapping[Signature, int], trail: tuple[Reason, ...]) -> None:
        """Keep what was found, and go on inside.

        Args:
            alike: how many nodes of both sides hold such shapes.
        """
        if settled.tie is not None:
            self.ties.append(settled.tie)
        for old, new in settled.pairs:
            reason = settled.reason
            if alike[old.shapes] == 2:
                stays = self._kept.get(old.shapes, set()) & (old.places | new.places)
                reason = STAYS if stays else ONLY
            steps = (*trail, reason)
            if old.children:
                self.align(old.children, new.children, steps)
            else:
                self.pairs.append(Pair(old.path, new.path, tuple(dict.fromkeys(steps))))

    def _open_one(self, some: list[Node], others: list[Node], size: int, trail: tuple[Reason, ...]) -> None:
        """Go into a module that fits none as a whole: with its namesake, where it has one."""
        old_side = any(node.size == size for node in some)
        mine, theirs = (some, others) if old_side else (others, some)
        node = next(node for node in mine if node.size == size)
        twin = _namesake(node, mine, theirs)
        mine.remove(node)
        if twin is None:
            mine += node.children
            return
        theirs.remove(twin)
        old, new = (node, twin) if old_side else (twin, node)
        lost, missing = self.align(old.children, new.children, (*trail, NAMESAKE))
        some += lost
        others += missing


def _all(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _all(node.children)


def _named(node: Node) -> Signature:
    return node.named


def _shapes(node: Node) -> Signature:
    return node.shapes


def _groups(
    nodes: Sequence[Node], size: int, kind: Callable[[Node], Signature]
) -> dict[Signature, list[Node]]:
    groups: dict[Signature, list[Node]] = {}
    for node in nodes:
        if node.size == size:
            groups.setdefault(kind(node), []).append(node)
    return groups


def _namesake(node: Node, mine: Sequence[Node], theirs: Sequence[Node]) -> Node | None:
    """The module of its name on the other side that holds much of the same, if there is one."""
    taken = {other.shapes for other in mine}
    fitting = [
        (_common_end(node, other), other)
        for other in theirs
        if other.children and other.shapes not in taken and overlap(node, other) >= _ALIKE
    ]
    best = max((length for length, _ in fitting), default=0)
    found = [other for length, other in fitting if length == best]
    return found[0] if best and len(found) == 1 else None


def _common_end(one: Node, other: Node) -> int:
    """How many segments are equal from the end on; a number alone is no name."""
    count = common_start((one.segments[::-1], other.segments[::-1]))
    return 0 if count == 1 and one.segments[-1].isdecimal() else count
