"""Whether every piece of optimizer state has come to the parameter it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mm_ckpt_migrate.convert.training.follow import Follower
from mm_ckpt_migrate.convert.training.optimizer import Optimizer, read_optimizers
from mm_ckpt_migrate.convert.training.parameters import UnknownOrderError
from mm_ckpt_migrate.convert.training.schedulers import lists_of, pseudo_optimizer, schedulers_of
from mm_ckpt_migrate.files.checkpoint.calls import is_method
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.plain_forms import plain_of
from mm_ckpt_migrate.files.pickles.build import find, pairs, text_value
from mm_ckpt_migrate.files.pickles.emit import Label, emit
from mm_ckpt_migrate.files.pickles.nodes import Node, Tuple
from mm_ckpt_migrate.names import safe_text


@dataclass(frozen=True, slots=True)
class TrainingStreams:
    """An optimizer's content in comparable form.

    Attributes:
        saved: whether the file holds the optimizer, and not its schedulers alone.
        state: by index; a parameter that was never trained has none.
        groups: the settings of each group.
        others: what the optimizer holds beside them, such as a loss scaler, by name.
        lists: of each scheduler, the values that it has for the groups, by name.
        schedulers: what each scheduler holds beside them.
    """

    saved: bool
    state: dict[int, bytes]
    groups: list[bytes]
    others: dict[str, bytes]
    lists: list[dict[str, list[bytes]]]
    schedulers: list[dict[str, bytes]]


def training_streams(optimizer: Optimizer, schedulers: Sequence[Node], label: Label) -> TrainingStreams:
    return TrainingStreams(
        saved=find(optimizer.node, "param_groups") is not None,
        state={index: emit(node, label=label) for index, node in optimizer.state.items()},
        groups=[_settings(group, label) for group in optimizer.groups],
        others=_entries(optimizer.node, ("state", "param_groups"), label),
        lists=[
            {name: [emit(plain_of(v)) for v in values] for name, values in lists_of(s).items()}
            for s in schedulers
        ],
        schedulers=[_entries(scheduler, tuple(lists_of(scheduler)), label) for scheduler in schedulers],
    )


def _entries(mapping: Node, without: Sequence[str], label: Label) -> dict[str, bytes]:
    """Methods left out: where the file was made plain they go (`checkpoint.plain_methods`)."""
    named = ((text_value(key) or "", value) for key, value in pairs(mapping))
    return {
        name: emit(plain_of(value), label=label)
        for name, value in named
        if name not in without and not is_method(value)
    }


def _settings(group: Node, label: Label) -> bytes:
    entries = (e for e in pairs(group) if text_value(e[0]) not in ("params", "param_names"))
    return emit(Tuple([plain_of(node) for entry in entries for node in entry]), label=label)


def check_training(
    followers: Sequence[Follower], before: Sequence[TrainingStreams], output: Checkpoint, label: Label
) -> list[str]:
    """Compare the training state of a new file with what the source held.

    Args:
        before: of each follower's optimizer, taken before it was edited.

    Returns:
        What is wrong, one line each.
    """
    root = output.tree.root if output.tree else None
    section, steering = find(root, "optimizer"), find(root, "param_schedulers")
    if section is None and any(streams.saved for streams in before):
        return ["optimizer"]
    try:
        written = read_optimizers(section) if section is not None else pseudo_optimizer(steering)
        wrong: list[str] = []
        if len(written) != len(followers):
            return ["optimizer: some are missing"]
        for follower, streams, optimizer in zip(followers, before, written, strict=True):
            schedulers = schedulers_of(steering, optimizer.name) if steering is not None else ()
            after = training_streams(optimizer, schedulers, label)
            wrong += _wrong_schedulers(follower, streams, after)
            if section is not None:
                wrong += _wrong_state(follower, streams, after, optimizer, output)
    except UnknownOrderError as error:
        return [f"optimizer: {error}"]
    return wrong


def _wrong_schedulers(follower: Follower, before: TrainingStreams, after: TrainingStreams) -> list[str]:
    sources = [group.source for group in follower.move.groups]
    count = follower.move.groups_before

    def followed(values: list[bytes]) -> list[bytes]:
        base = values[count:] if follower.base is None else [values[follower.base]]
        return [*(values[source] for source in sources), *base]

    expected = [{k: followed(v) for k, v in lists.items()} for lists in before.lists]
    right = after.lists == expected and after.schedulers == before.schedulers
    return [] if right else ["param_schedulers: their values"]


def _wrong_state(
    follower: Follower,
    before: TrainingStreams,
    after: TrainingStreams,
    written: Optimizer,
    output: Checkpoint,
) -> list[str]:
    move = follower.move
    order = [index for group in move.groups for index in group.indices]
    settings = [before.groups[group.source] for group in move.groups]
    wrong = [
        f"optimizer: the state of {safe_text(name)}"
        for new, (old, name) in enumerate(zip(order, move.names, strict=True))
        if after.state.get(new) != before.state.get(old)
    ]
    sizes = [len(group.indices) for group in move.groups]
    if after.groups != settings or list(map(len, written.indices)) != sizes:
        wrong.append("optimizer: its param groups")
    made = {"base_param_settings"} if follower.base is not None else set()
    for name in sorted((before.others.keys() | after.others.keys()) - made):
        if after.others.get(name) != before.others.get(name):
            wrong.append(f"optimizer: its {safe_text(name)}")
    if len(move.groups) in (1, len(order)) and not _in_model_order(move.names, output):
        wrong.append("optimizer: the order of its parameters is not the model's")
    return wrong


def _in_model_order(names: Sequence[str], output: Checkpoint) -> bool:
    """Whether the names stand in the order of the written state dict, as torch goes through it.

    Of names that share a tensor, it meets the first alone.
    """
    later = {name for group in output.schema.ties for name in group[1:]}
    wanted = set(names) - later
    return [name for name in output.schema.names if name in wanted] == list(names)
