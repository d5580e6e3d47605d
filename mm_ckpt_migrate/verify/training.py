"""Whether every piece of optimizer state has come to the parameter it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mm_ckpt_migrate.checkpoint.model import Checkpoint
from mm_ckpt_migrate.keys import safe_text
from mm_ckpt_migrate.pickles.build import find, pairs, text_value
from mm_ckpt_migrate.pickles.emit import Label, emit
from mm_ckpt_migrate.pickles.nodes import Node, Tuple
from mm_ckpt_migrate.training.follow import Follower
from mm_ckpt_migrate.training.optimizer import Optimizer, read_optimizers
from mm_ckpt_migrate.training.parameters import UnknownOrderError


@dataclass(frozen=True, slots=True)
class TrainingStreams:
    """An optimizer's content in comparable form.

    Attributes:
        state: by index; a parameter that was never trained has none.
        groups: the settings of each group.
    """

    state: dict[int, bytes]
    groups: list[bytes]


def training_streams(optimizer: Optimizer, label: Label) -> TrainingStreams:
    return TrainingStreams(
        {index: emit(node, label=label) for index, node in optimizer.state.items()},
        [_settings(group, label) for group in optimizer.groups],
    )


def _settings(group: Node, label: Label) -> bytes:
    entries = (e for e in pairs(group) if text_value(e[0]) not in ("params", "param_names"))
    return emit(Tuple([node for entry in entries for node in entry]), label=label)


def check_training(
    followers: Sequence[Follower],
    before: Sequence[TrainingStreams],
    output: Checkpoint,
    label: Label,
) -> list[str]:
    """Compare the training state of a new file with what the source held.

    Args:
        before: of each follower's optimizer, taken before it was edited.

    Returns:
        What is wrong, one line each.
    """
    section = find(output.tree.root, "optimizer") if output.tree else None
    if section is None:
        return ["optimizer"] if any(streams.state for streams in before) else []
    try:
        written = read_optimizers(section)
    except UnknownOrderError as error:
        return [f"optimizer: {error}"]
    if len(written) != len(followers):
        return ["optimizer: some are missing"]
    wrong: list[str] = []
    for follower, streams, optimizer in zip(followers, before, written, strict=True):
        wrong += _differences(follower, streams, training_streams(optimizer, label), output)
    return wrong


def _differences(
    follower: Follower, before: TrainingStreams, after: TrainingStreams, output: Checkpoint
) -> list[str]:
    move = follower.move
    order = [index for group in move.groups for index in group.indices]
    settings = [before.groups[group.source] for group in move.groups]
    wrong = [
        f"optimizer: the state of {safe_text(name)}"
        for new, (old, name) in enumerate(zip(order, move.names, strict=True))
        if after.state.get(new) != before.state.get(old)
    ]
    if after.groups != settings or not after.state.keys() <= set(range(len(order))):
        wrong.append("optimizer: its param groups")
    if len(move.groups) in (1, len(order)) and not _in_model_order(move.names, output):
        wrong.append("optimizer: the order of its parameters is not the model's")
    return wrong


def _in_model_order(names: Sequence[str], output: Checkpoint) -> bool:
    """Whether the names stand in the order of the written state dict, as torch goes through it."""
    wanted = set(names)
    return [name for name in output.schema.names if name in wanted] == list(names)
