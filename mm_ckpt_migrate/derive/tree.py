"""A layout as a tree of modules, each with the shapes that it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mm_ckpt_migrate.schema import TensorSpec

Segments: TypeAlias = tuple[str, ...]
# What a node holds, in no order: registration order changes between releases.
Signature: TypeAlias = frozenset[tuple[object, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A module with something in it, or a tensor. A module with a single child is that child.

    Attributes:
        path: its dotted path; of a tensor, its key.
        chain: the same, and the paths of the modules around it that hold nothing else.
        children: in order; none where it is a tensor.
        size: how many tensors it holds.
        shapes: the shapes and dtypes of its tensors.
        named: the same with the tensors' own names, such as `weight`.
    """

    path: str
    chain: tuple[str, ...]
    children: tuple[Node, ...]
    size: int
    shapes: Signature
    named: Signature

    @property
    def segments(self) -> Segments:
        return tuple(self.path.split("."))

    @property
    def places(self) -> set[str]:
        """The modules that it may be said to lie in."""
        return {name.rpartition(".")[0] for name in self.chain}


def forest(specs: Iterable[TensorSpec]) -> tuple[Node, ...]:
    """The modules and tensors on the top level of a model that has only these tensors."""
    return _nodes([(tuple(spec.name.split(".")), spec) for spec in specs], 0)


def _nodes(specs: list[tuple[Segments, TensorSpec]], depth: int) -> tuple[Node, ...]:
    groups: dict[str, list[tuple[Segments, TensorSpec]]] = {}
    for parts, spec in specs:
        groups.setdefault(parts[depth], []).append((parts, spec))
    return tuple(_node(group, depth + 1) for group in groups.values())


def _node(group: list[tuple[Segments, TensorSpec]], depth: int) -> Node:
    path = ".".join(group[0][0][:depth])
    # A key may be the path of others, too; then it is a child like them.
    own = tuple(_tensor(spec) for parts, spec in group if len(parts) == depth)
    deeper = [(parts, spec) for parts, spec in group if len(parts) > depth]
    children = (*own, *_nodes(deeper, depth))
    if len(children) > 1:
        specs = [spec for _, spec in group]
        shapes, named = _signatures(specs)
        return Node(path=path, chain=(path,), children=children, size=len(specs), shapes=shapes, named=named)
    child = children[0]
    return child if child.path == path else replace(child, chain=(*child.chain, path))


def _tensor(spec: TensorSpec) -> Node:
    shapes, named = _signatures([spec])
    return Node(path=spec.name, chain=(spec.name,), children=(), size=1, shapes=shapes, named=named)


def _signatures(specs: list[TensorSpec]) -> tuple[Signature, Signature]:
    shapes = Counter((spec.shape, spec.dtype) for spec in specs)
    named = Counter((spec.shape, spec.dtype, spec.name.rpartition(".")[2]) for spec in specs)
    return frozenset(shapes.items()), frozenset(named.items())


def overlap(first: Node, second: Node) -> float:
    """The part of the larger one's tensors that has a counterpart of its shape in the other."""
    one: Mapping[object, int] = dict(first.shapes)
    other: Mapping[object, int] = dict(second.shapes)
    common = sum(min(count, other.get(shape, 0)) for shape, count in one.items())
    return common / max(first.size, second.size)


def common_start(paths: Iterable[Sequence[str]]) -> int:
    """How many segments all paths have in common from their start on."""
    count = 0
    for segments in zip(*paths, strict=False):
        if len(set(segments)) > 1:
            break
        count += 1
    return count
