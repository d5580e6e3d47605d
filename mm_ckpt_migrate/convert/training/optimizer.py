"""Plan how an optimizer's state follows the parameters to their new places.

torch indexes the state by the place of each parameter among all groups, and matches it by place
alone when it is loaded: state that stays where it was is given to whatever parameter has come
there, without a word where the shapes agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from mm_ckpt_migrate.convert.training.parameters import Parameters, UnknownOrderError
from mm_ckpt_migrate.files.checkpoint.tensors import read_tensor
from mm_ckpt_migrate.files.pickles.build import elements, find, is_mapping, pairs, text_value
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node, Scalar

# State that torch's optimizers keep in the shape of the parameter.
_SHAPED: Final = (
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "exp_inf",
    "momentum_buffer",
    "square_avg",
    "grad_avg",
    "acc_delta",
    "sum",
    "prev",
    "step_size",
)


@dataclass(frozen=True, slots=True)
class Optimizer:
    """One optimizer's state dict, as nodes.

    Attributes:
        name: its name among several; empty where it is the only one.
        groups: the param groups.
        indices: of each group, the indices of its parameters.
        state: by index.
    """

    name: str
    node: Mutable
    groups: tuple[Mutable, ...]
    indices: tuple[tuple[int, ...], ...]
    state: Mapping[int, Node]


@dataclass(frozen=True, slots=True)
class GroupMove:
    """A group of the new file: the group it was, and its old indices in their new order."""

    source: int
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OptimizerMove:
    """What becomes of one optimizer.

    Attributes:
        groups: the new file's, in order; its indices count through them.
        names: new name of the parameter at each new index.
        sources: old name of the parameter at each new index.
        left_out: new names of the frozen parameters whose groups go.
        groups_before: how many groups there were.
    """

    groups: tuple[GroupMove, ...]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    left_out: tuple[str, ...]
    groups_before: int

    @property
    def moved(self) -> int:
        """Parameters that change places among those that stay."""
        order = list(chain.from_iterable(group.indices for group in self.groups))
        return sum(new != old for new, old in zip(order, sorted(order), strict=True))


def read_optimizers(section: Node) -> tuple[Optimizer, ...]:
    """The optimizers of a checkpoint's `optimizer`, one or several by name.

    Raises:
        UnknownOrderError: it is not what torch's optimizers write.
    """
    if not is_mapping(section):
        raise UnknownOrderError("it is no dict")
    if find(section, "param_groups") is not None:
        return (_read(section, ""),)
    named = [(text_value(key), node) for key, node in pairs(section)]
    if not named or any(name is None or not is_mapping(node) for name, node in named):
        raise UnknownOrderError("it holds no param_groups")
    return tuple(_read(node, name or "") for name, node in named)


def _read(node: Node, name: str) -> Optimizer:
    groups, state = find(node, "param_groups"), find(node, "state")
    if groups is None or state is None or not is_mapping(state):
        raise UnknownOrderError("it holds no param_groups or no state")
    members = [group for group in elements(groups) if is_mapping(group)]
    indices = tuple(tuple(map(_index, elements(_params(group)))) for group in members)
    flat = list(chain.from_iterable(indices))
    if flat != list(range(len(flat))) or len(members) != len(elements(groups)):
        raise UnknownOrderError("its parameters are not numbered as torch numbers them")
    by_index = {_index(key): value for key, value in pairs(state)}
    if not by_index.keys() <= set(flat):
        raise UnknownOrderError("it has state for a parameter that is in no group")
    assert isinstance(node, Mutable)
    return Optimizer(
        name=name,
        node=node,
        groups=tuple(g for g in members if isinstance(g, Mutable)),
        indices=indices,
        state=by_index,
    )


def _params(group: Node) -> Node:
    params = find(group, "params")
    if params is None:
        raise UnknownOrderError("a param group has no params")
    return params


def _index(node: Node) -> int:
    if isinstance(node, Scalar) and type(node.value) is int:
        return node.value
    raise UnknownOrderError("a parameter's index is no number")


def plan_optimizer(optimizer: Optimizer, parameters: Parameters) -> OptimizerMove:
    """Give every index its new place.

    Raises:
        UnknownOrderError: which parameter an index belongs to, or in which order the new release
            would have the groups, cannot be known.
    """
    names, old_rank = _places(optimizer, parameters)
    _check_shapes(optimizer, names, parameters)
    rank = [parameters.rank[parameters.table[name]] for name in names]
    gone = _frozen_groups(optimizer, names, parameters)
    kept = [
        GroupMove(number, _members(indices, old_rank, rank))
        for number, indices in enumerate(optimizer.indices)
        if number not in gone and indices
    ]
    kept = _in_order(kept, old_rank, rank)
    order = list(chain.from_iterable(group.indices for group in kept))
    frozen = chain.from_iterable(optimizer.indices[number] for number in sorted(gone))
    return OptimizerMove(
        groups=tuple(kept),
        names=tuple(parameters.table[names[index]] for index in order),
        sources=tuple(names[index] for index in order),
        left_out=tuple(parameters.table[names[index]] for index in frozen),
        groups_before=len(optimizer.groups),
    )


def _places(optimizer: Optimizer, parameters: Parameters) -> tuple[list[str], list[int]]:
    """Old name of the parameter at each index, and its place among all in the old order."""
    names = _listed_names(optimizer, parameters)
    if parameters.fault is not None:
        # Without a target the new order is made from the old one, and as wrong.
        if names is None or parameters.frozen is None:
            raise UnknownOrderError(parameters.fault)
        return names, list(range(len(names)))
    names = names or _ordered_names(optimizer, parameters)
    before = {name: number for number, name in enumerate(parameters.old)}
    return names, [before[name] for name in names]


def _listed_names(optimizer: Optimizer, parameters: Parameters) -> list[str] | None:
    """What `param_names` say; None where they do not name every parameter."""
    listed = [[text_value(n) for n in _listed(group)] for group in optimizer.groups]
    if list(map(len, listed)) != list(map(len, optimizer.indices)):
        return None
    names = [name for name in chain.from_iterable(listed) if name in parameters.table]
    found = [name for name in names if name is not None]
    return found if len(set(found)) == sum(map(len, optimizer.indices)) else None


def _ordered_names(optimizer: Optimizer, parameters: Parameters) -> list[str]:
    """As the model goes through its parameters."""
    count = sum(map(len, optimizer.indices))
    known = list(parameters.old)
    if optimizer.name:
        known = [name for name in known if name.startswith(f"{optimizer.name}.")]
    if len(known) != count and parameters.frozen is not None:
        known = [n for n in known if parameters.table[n] not in parameters.frozen]
    if len(known) != count:
        raise UnknownOrderError(f"it has {count} parameters, and the model {len(known)}")
    return known


def _listed(group: Node) -> list[Node]:
    """`param_names`, which the constructors with a decay by layers add."""
    names = find(group, "param_names")
    return elements(names) if names is not None else []


def _check_shapes(optimizer: Optimizer, names: Sequence[str], parameters: Parameters) -> None:
    """State in another shape than the parameter's is some other parameter's."""
    for index, state in optimizer.state.items():
        for key, value in pairs(state) if is_mapping(state) else ():
            kind = text_value(key)
            if kind not in _SHAPED:
                continue
            try:
                shape = read_tensor(kind, value).spec.shape
            except PickleError:
                continue
            if shape != parameters.shapes[names[index]]:
                raise UnknownOrderError(f"the {kind} of {names[index]} has another shape than it")


def _frozen_groups(optimizer: Optimizer, names: Sequence[str], parameters: Parameters) -> frozenset[int]:
    """Groups of frozen parameters alone, which mmengine makes no more since 0.10.4.

    A parameter that was never trained need not be one of them: mmdet's ResNet is frozen when it is
    built, and its Swin only when training starts, after the groups are made.
    """
    frozen = parameters.frozen
    if len(optimizer.groups) == 1:
        return frozenset()
    if frozen is None:
        untrained = sum(map(len, optimizer.indices)) - len(optimizer.state)
        if untrained:
            raise UnknownOrderError(
                f"{untrained} of its parameters were never trained, and whether the current "
                "release has param groups for them is not known without a target model"
            )
        return frozenset()
    return frozenset(
        number
        for number, indices in enumerate(optimizer.indices)
        if all(parameters.table[names[index]] in frozen for index in indices)
    )


def _members(indices: tuple[int, ...], old_rank: Sequence[int], rank: Sequence[int]) -> tuple[int, ...]:
    if sorted(indices, key=old_rank.__getitem__) != list(indices):
        raise UnknownOrderError("a param group does not have its parameters in the model's order")
    return tuple(sorted(indices, key=rank.__getitem__))


def _in_order(groups: list[GroupMove], old_rank: Sequence[int], rank: Sequence[int]) -> list[GroupMove]:
    """One group per parameter stands in the order of the parameters; others as they were made."""
    by_old = sorted(groups, key=lambda group: min(old_rank[index] for index in group.indices))
    by_new = sorted(groups, key=lambda group: rank[group.indices[0]])
    if all(len(group.indices) == 1 for group in groups) and groups == by_old:
        return by_new
    if by_old == by_new:
        return groups
    raise UnknownOrderError("the new release may have its param groups in another order")
