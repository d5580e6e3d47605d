"""The order of the parameters, before and after: what optimizer state is indexed by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mm_ckpt_migrate.convert.training.order import order_fault
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.names import is_buffer, safe_text
from mm_ckpt_migrate.schema import Schema, TargetModel


class UnknownOrderError(Exception):
    """Which parameter an index belongs to cannot be known; says why."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of a model, tied ones once.

    Attributes:
        old: the old names in the old order.
        table: new name of each old one.
        rank: place of each new name in the new order.
        shapes: by old name.
        frozen: the new names that are not trained; None where that is not known.
        fault: why the old order cannot be read off the state dict, or None.
    """

    old: tuple[str, ...]
    table: Mapping[str, str]
    rank: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    frozen: frozenset[str] | None
    fault: str | None = None


def match_parameters(
    source: Schema, plan: Plan, order: Sequence[str], target: TargetModel | None
) -> Parameters:
    """Read the old order off the state dict, and the new one off the target model.

    `named_parameters()` goes through a model as `state_dict()` does, and leaves out buffers and
    whatever it has met before. Without a target, buffers are told by their names.

    Args:
        order: the new keys in the order that the rules make of the source's.
    """
    if target is not None:
        canonical = _first_names(target.schema.ties)
        new: Iterable[str] = target.parameters
    else:
        place = {name: number for number, name in enumerate(order)}
        tied = ([plan.targets[n] for n in group if n in plan.targets] for group in source.ties)
        canonical = _first_names(sorted(group, key=place.__getitem__) for group in tied)
        new = (n for n in order if not is_buffer(n) and canonical.get(n, n) == n)
    rank = {name: number for number, name in enumerate(new)}
    table: dict[str, str] = {}
    met: set[str] = set()
    for old, name in plan.targets.items():
        first = canonical.get(name, name)
        if first in rank and first not in met:
            table[old] = first
            met.add(first)
    # What the rules leave alone, the target has in its order.
    fault = order_fault(source, plan.renamed if target else source.names)
    if fault is None and target is not None:
        fault = _unlike_target((canonical.get(name, name) for name in order), rank)
    return Parameters(
        old=tuple(table),
        table=table,
        rank=rank,
        shapes={name: source[name].shape for name in table},
        frozen=frozenset(target.frozen) if target else None,
        fault=fault,
    )


def _unlike_target(order: Iterable[str], rank: Mapping[str, int]) -> str | None:
    """Where the order that is expected of the new release is not the target's."""
    expected = dict.fromkeys(name for name in order if name in rank)
    for first, second in pairwise(expected):
        if rank[first] > rank[second]:
            names = f"{safe_text(second)} before {safe_text(first)}"
            return f"the model has {names}, and by the order of its keys it would be after that"
    return None


def _first_names(ties: Iterable[Sequence[str]]) -> dict[str, str]:
    """For each tied name, the one that stands for all."""
    return {name: group[0] for group in ties for name in group}
