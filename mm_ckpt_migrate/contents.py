"""What a checkpoint holds beside its weights: configs, training state, logs; and their edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from mm_ckpt_migrate.checkpoint.model import Checkpoint, Tree
from mm_ckpt_migrate.checkpoint.simplify import simplify
from mm_ckpt_migrate.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.pickles.build import (
    find,
    from_plain,
    is_mapping,
    mapping_of,
    named_pairs,
    pairs,
    set_pairs,
    set_values,
    text_at,
    text_of,
    text_value,
)
from mm_ckpt_migrate.pickles.nodes import Mutable, Node, walk
from mm_ckpt_migrate.training.follow import Follower, follow
from mm_ckpt_migrate.training.parameters import is_buffer

ConfigPath: TypeAlias = tuple[str, ...]

_HUB_CONFIG: Final = ("message_hub", "runtime_info", "cfg")
# mmengine keeps two copies of the config, mmcv 1.x had one.
CONFIG_PATHS: Final[tuple[ConfigPath, ...]] = (("meta", "cfg"), ("meta", "config"), _HUB_CONFIG)
AVERAGED: Final = "ema_state_dict"


@dataclass(frozen=True, slots=True)
class Contents:
    """What becomes of everything beside the weights.

    Attributes:
        followers: the optimizers, and how they follow the parameters.
        configs: new texts of configs.
        left_out: sections of the root that stay behind.
        inference: keep only weights, meta and config.
        keep_as_is: do not simplify what `torch.load` refuses at its defaults.
    """

    followers: tuple[Follower, ...] = ()
    configs: Mapping[ConfigPath, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    inference: bool = False
    keep_as_is: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
    """What the edits gave.

    Attributes:
        storages: new ones, by their keys.
        notices: what the user should know, one sentence each.
    """

    storages: Mapping[str, bytes]
    notices: tuple[str, ...]


def config_texts(root: Node) -> dict[ConfigPath, str]:
    """Every copy of the training's config."""
    texts = {path: text_at(root, *path) for path in CONFIG_PATHS}
    return {path: text for path, text in texts.items() if text is not None}


def only_weights(checkpoint: Checkpoint, *, raw: bool) -> Checkpoint:
    """The checkpoint with one set of weights, for inference.

    Args:
        raw: those of the last step, which mmengine's EMAHook saves in `ema_state_dict`, while the
            averaged ones take their place in `state_dict`.

    Raises:
        CheckpointError: there are no raw weights beside the averaged ones.
    """
    tree = checkpoint.tree
    if tree is None or tree.ema is None:
        if raw:
            raise CheckpointError(
                checkpoint.source.path, "it has no averaged weights beside those of the last step",
                hint="Leave --weights out.",
            )  # fmt: skip
        return checkpoint
    kept = replace(checkpoint, averaged={}, tree=replace(tree, ema=None))
    if not raw:
        return kept
    values = {key.value: value for key, value in named_pairs(tree.ema)}
    raw_names = {
        name: f"module.{name}" for name in checkpoint.tensors if f"module.{name}" in values
    }
    # mmcv 1.x averages parameters alone; the buffers serve both sets.
    lost = [name for name in checkpoint.tensors if name not in raw_names and not is_buffer(name)]
    if lost:
        raise CheckpointError(checkpoint.source.path, f"its raw weights lack {lost[0]}")
    entries = [
        (key, values[raw_names[key.value]] if key.value in raw_names else value)
        for key, value in named_pairs(tree.state_dict)
    ]
    set_pairs(tree.state_dict, entries)
    tensors = {
        name: replace(checkpoint.averaged[raw_names[name]], spec=tensor.spec)
        if name in raw_names
        else tensor
        for name, tensor in checkpoint.tensors.items()
    }
    return replace(kept, tensors=tensors)


def edit_contents(checkpoint: Checkpoint, contents: Contents) -> Edited:
    """Edit the nodes in place."""
    tree = checkpoint.tree
    if tree is None or not tree.path or not isinstance(root := tree.root, Mutable):
        return Edited({}, ())
    free_key = 1 + max(map(int, checkpoint.extents), default=0)
    storages = follow(contents.followers, free_key)
    kept = _sections(tree, contents)
    set_pairs(root, [(key, value) for key, value in pairs(root) if text_value(key) in kept])
    _set_configs(root, contents.configs)
    _set_dataset_meta(find(root, "meta"))
    _set_message_hub(root, inference=contents.inference)
    if contents.keep_as_is:
        return Edited(storages, ())
    notices = simplify(root)
    if refused := refused_globals(walk(root)):
        notices = (
            *notices, f"torch.load refuses it at its defaults, because of {', '.join(refused[:3])}",
        )  # fmt: skip
    return Edited(storages, notices)


def _sections(tree: Tree, contents: Contents) -> set[str | None]:
    names = {text_value(key) for key, _ in pairs(tree.root)}
    if contents.inference:
        names &= {tree.path[0], "meta", "message_hub"}
    return names - set(contents.left_out)


def _set_configs(root: Node, configs: Mapping[ConfigPath, str]) -> None:
    texts = {text: text_of(text) for text in configs.values()}
    for (*path, last), text in configs.items():
        parent = find(root, *path)
        if isinstance(parent, Mutable):
            set_values(parent, {last: texts[text]})


def _set_dataset_meta(meta: Node | None) -> None:
    """`dataset_meta` with `classes` and `palette`, which older releases spelled otherwise."""
    if not isinstance(meta, Mutable) or not is_mapping(meta):
        return
    present = find(meta, "dataset_meta")
    older = present if present is not None else meta
    found = {name: find(older, name.upper()) for name in ("classes", "palette")}
    new = {name: node for name, node in found.items() if node is not None}
    new = {name: node for name, node in new.items() if find(present, name) is None}
    if isinstance(present, Mutable) and is_mapping(present):
        set_values(present, new)
    elif present is None and "classes" in new:
        set_values(meta, {"dataset_meta": mapping_of(new)})


def _set_message_hub(root: Mutable, *, inference: bool) -> None:
    """mmengine's inferencers look for the config there, and its Runner resumes nothing without."""
    text = find(root, "meta", "cfg")
    present = find(root, "message_hub") is not None
    if present and not inference:
        return
    if text is None and find(root, "optimizer") is None:
        return
    hub = {
        "log_scalars": from_plain({}),
        "runtime_info": mapping_of({"cfg": text} if text is not None else {}),
        "resumed_keys": from_plain({}),
    }
    set_values(root, {"message_hub": mapping_of(hub)})
