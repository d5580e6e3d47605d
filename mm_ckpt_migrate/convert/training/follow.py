"""Have a checkpoint's optimizers and schedulers follow the parameters: decide, then edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mm_ckpt_migrate.convert.training.base import base_group, base_settings
from mm_ckpt_migrate.convert.training.optimizer import (
    Optimizer,
    OptimizerMove,
    plan_optimizer,
    read_optimizers,
)
from mm_ckpt_migrate.convert.training.parameters import Parameters
from mm_ckpt_migrate.convert.training.schedulers import (
    check_lists,
    follow_groups,
    pseudo_optimizer,
    schedulers_of,
)
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.pickles.build import (
    elements,
    find,
    from_plain,
    is_mapping,
    list_of,
    pairs,
    set_pairs,
    set_values,
    text_of,
)
from mm_ckpt_migrate.files.pickles.copies import Copies
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node

# Indexed by the order of the parameters, or of the groups that they make.
TRAINING_STATE: Final = ("optimizer", "param_schedulers")


@dataclass(frozen=True, slots=True)
class Follower:
    """One optimizer, with the schedulers that steer it, and what becomes of them.

    Attributes:
        base: the old group that new `base_param_settings` are made from; None where none are made.
    """

    optimizer: Optimizer
    schedulers: tuple[Mutable, ...]
    move: OptimizerMove
    base: int | None


def plan_training(
    checkpoint: Checkpoint, parameters: Parameters, settings: Mapping[str, object]
) -> tuple[Follower, ...]:
    """Decide what becomes of the training state; nothing is edited.

    Args:
        settings: the config's `optim_wrapper.optimizer`.

    Raises:
        UnknownOrderError: where something belongs cannot be known.
    """
    assert checkpoint.tree is not None
    section = find(checkpoint.tree.root, "optimizer")
    steering = find(checkpoint.tree.root, "param_schedulers")
    optimizers = pseudo_optimizer(steering) if section is None else read_optimizers(section)
    # With one storage of its own, which a file of the legacy format has no place for.
    makes_base = checkpoint.format is Format.ZIP and steering is not None
    followers = []
    for optimizer in optimizers:
        schedulers = schedulers_of(steering, optimizer.name) if steering is not None else ()
        for scheduler in schedulers:
            check_lists(scheduler, len(optimizer.groups))
        move = plan_optimizer(optimizer, parameters)
        base = base_group(optimizer, move, settings) if makes_base and section else None
        followers.append(Follower(optimizer, schedulers, move, base))
    return tuple(followers)


def follow(followers: tuple[Follower, ...], free_key: int, copies: Copies) -> dict[str, bytes]:
    """Edit the copies of the nodes of the training state.

    Args:
        free_key: from this number on, no storage has it as its key.

    Returns:
        Storages that are new in the file, by their keys.
    """
    storages: dict[str, bytes] = {}
    for number, follower in enumerate(followers):
        sources = [group.source for group in follower.move.groups]
        for scheduler in follower.schedulers:
            follow_groups(copies.of(scheduler), sources, follower.move.groups_before, follower.base)
        _edit(follower, str(free_key + number), storages, copies)
    return storages


def _edit(follower: Follower, key: str, storages: dict[str, bytes], copies: Copies) -> None:
    optimizer, move = follower.optimizer, follower.move
    order = [index for group in move.groups for index in group.indices]
    groups, start = [], 0
    for group in move.groups:
        end = start + len(group.indices)
        old = copies.of(optimizer.groups[group.source])
        groups.append(_regroup(old, range(start, end), move.names[start:end]))
        start = end
    state = [
        (from_plain(new), copies.of(optimizer.state[old]))
        for new, old in enumerate(order)
        if old in optimizer.state
    ]
    node = copies.of(optimizer.node)
    by_index = find(node, "state")
    assert isinstance(by_index, Mutable)
    set_pairs(by_index, state)
    edited: dict[str, Node] = {"param_groups": list_of(groups)}
    if follower.base is not None:
        made = base_settings(copies.of(optimizer.groups[follower.base]), key, storages)
        edited["base_param_settings"] = made
    set_values(node, edited)


def _regroup(group: Mutable, indices: range, names: tuple[str, ...]) -> Node:
    """A group with its parameters' new indices, and with their new names where it has names."""
    edited: dict[str, Node] = {"params": list_of([from_plain(index) for index in indices])}
    listed = find(group, "param_names")
    if listed is not None and elements(listed):
        edited["param_names"] = list_of([text_of(name) for name in names])
    set_values(group, edited)
    return group


def others_training(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Sections with optimizers that are not mmengine's, such as Lightning's `optimizer_states`.

    No rule says in which order such a trainer hands the model's parameters to its optimizers, so
    their state cannot follow. Lightning's schedules go with them.
    """
    if checkpoint.tree is None or not checkpoint.tree.path:
        return ()
    root = checkpoint.tree.root
    others = [name for name in checkpoint.sections if name not in TRAINING_STATE]
    found = [name for name in others if _holds_optimizer(find(root, name))]
    return tuple(found + [name for name in others if found and name == "lr_schedulers"])


def _holds_optimizer(section: Node | None) -> bool:
    """Whether it is the state of torch's optimizer, or a list or dict of such."""
    if section is None:
        return False
    within = [v for _, v in pairs(section)] if is_mapping(section) else elements(section)
    return any(find(node, "param_groups") is not None for node in (section, *within))


def training_sections(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The sections that are indexed by the order of the parameters."""
    return tuple(name for name in checkpoint.sections if name in TRAINING_STATE)
