"""What a checkpoint holds beside its weights: configs, training state, logs; and their edits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from mm_ckpt_migrate.convert.training.follow import Follower, follow
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint, Tree
from mm_ckpt_migrate.files.checkpoint.simplify import simplify
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor, is_tensor, ties
from mm_ckpt_migrate.files.pickles.build import (
    attributes,
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
from mm_ckpt_migrate.files.pickles.copies import Copies
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node, Text, Tuple, walk
from mm_ckpt_migrate.names import is_buffer
from mm_ckpt_migrate.schema import Schema, TensorSpec, fits

# Keys from the root to an entry.
EntryPath: TypeAlias = tuple[str, ...]

_HUB_CONFIG: Final = ("message_hub", "runtime_info", "cfg")
# mmengine keeps two copies of the config, mmcv 1.x had one.
CONFIG_PATHS: Final[tuple[EntryPath, ...]] = (("meta", "cfg"), ("meta", "config"), _HUB_CONFIG)
_DATASET_META: Final = ("meta", "dataset_meta")
_HUB: Final = ("message_hub",)
# What `additions` may give.
ADDITION_PATHS: Final[tuple[EntryPath, ...]] = (
    _HUB,
    _DATASET_META,
    (*_DATASET_META, "classes"),
    (*_DATASET_META, "palette"),
)
AVERAGED: Final = "ema_state_dict"


@dataclass(frozen=True, slots=True)
class Contents:
    """What becomes of everything beside the weights.

    Attributes:
        followers: the optimizers, and how they follow the parameters.
        configs: new texts of configs.
        left_out: entries that go: sections of the root, or what lies deeper, by its path.
        adds: put in what the current release looks for (`additions`).
        inference: the new file is for inference alone.
        raw: the weights are those of `ema_state_dict`.
        keep_as_is: do not simplify what `torch.load` refuses at its defaults.
    """

    followers: tuple[Follower, ...] = ()
    configs: Mapping[EntryPath, str] = field(default_factory=dict)
    left_out: tuple[EntryPath, ...] = ()
    adds: bool = False
    inference: bool = False
    raw: bool = False
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


def config_texts(root: Node) -> dict[EntryPath, str]:
    """Every copy of the training's config."""
    texts = {path: text_at(root, *path) for path in CONFIG_PATHS}
    return {path: text for path, text in texts.items() if text is not None}


def only_weights(checkpoint: Checkpoint, *, raw: bool, averaged: bool = False) -> Checkpoint:
    """The checkpoint with one set of weights, for inference.

    Args:
        raw: those of the last step, which mmengine's EMAHook saves in `ema_state_dict`, while the
            averaged ones take their place in `state_dict`.
        averaged: that there are averaged ones is asked for.

    Raises:
        CheckpointError: there is one set of weights, and one of two was asked for.
    """
    tree = checkpoint.tree
    if tree is not None and tree.ema is not None:
        kept = replace(checkpoint, averaged={}, tree=replace(tree, ema=None))
        return _with_raw(kept, checkpoint.averaged, tree.ema) if raw else kept
    if raw or averaged:
        raise CheckpointError(
            checkpoint.source.path,
            "it has no averaged weights beside those of the last step",
            hint="Leave --weights out.",
        )
    return checkpoint


def _with_raw(checkpoint: Checkpoint, tensors: Mapping[str, Tensor], ema: Mutable) -> Checkpoint:
    """Put the raw weights into the state dict; mmcv 1.x has parameters alone among them."""
    assert checkpoint.tree is not None
    nodes = {key.value: value for key, value in named_pairs(ema)}
    raw = {name: f"module.{name}" for name in checkpoint.tensors if f"module.{name}" in nodes}
    lost = [name for name in checkpoint.tensors if name not in raw and not is_buffer(name)]
    if lost:
        raise CheckpointError(checkpoint.source.path, f"its raw weights lack {lost[0]}")
    for name, averaged in raw.items():
        _check_alike(checkpoint, checkpoint.tensors[name].spec, tensors[averaged].spec)
    tree = _with_weights(checkpoint.tree, {name: nodes[raw[name]] for name in raw})
    chosen = {
        name: _named(tensors[raw[name]], name) if name in raw else tensor
        for name, tensor in checkpoint.tensors.items()
    }
    schema = Schema(tuple(t.spec for t in chosen.values()), checkpoint.schema.modules, ties(chosen))
    return replace(checkpoint, tensors=chosen, schema=schema, tree=tree)


def _with_weights(tree: Tree, nodes: Mapping[str, Node]) -> Tree:
    """The tree with other tensors in its state dict."""
    copies = Copies(tree.root, is_tensor)
    state_dict = copies.of(tree.state_dict)
    set_values(state_dict, nodes)
    return replace(tree, root=copies.root, state_dict=state_dict)


def _check_alike(checkpoint: Checkpoint, averaged: TensorSpec, raw: TensorSpec) -> None:
    """An average has its weight's shape, and its type but for half precision beside float32."""
    alike = fits(raw.dtype, averaged.dtype) or fits(averaged.dtype, raw.dtype)
    if raw.shape != averaged.shape or not alike:
        raise CheckpointError(
            checkpoint.source.path,
            f"{averaged.name} is {averaged.dtype}{list(averaged.shape)} as an average and "
            f"{raw.dtype}{list(raw.shape)} as a raw weight",
            hint="Leave --weights out for the averaged ones.",
        )


def _named(tensor: Tensor, name: str) -> Tensor:
    return replace(tensor, spec=replace(tensor.spec, name=name))


def edit_contents(checkpoint: Checkpoint, contents: Contents, copies: Copies) -> Edited:
    """Edit all but the weights.

    Args:
        checkpoint: a copy, whose nodes are edited.
        copies: finds those nodes by the ones that `contents` was decided on.
    """
    tree = checkpoint.tree
    if tree is None or not tree.path or not isinstance(root := tree.root, Mutable):
        return Edited({}, ())
    free_key = 1 + max(map(int, checkpoint.extents), default=0)
    storages = follow(contents.followers, free_key, copies)
    _leave_out(root, contents.left_out)
    _set_configs(root, contents.configs)
    for (*path, last), node in additions(tree, contents).items():
        parent = find(root, *path)
        assert isinstance(parent, Mutable)
        set_values(parent, {last: node})
    if contents.keep_as_is:
        return Edited(storages, ())
    return Edited(storages, simplify(root))


def outside_inference(tree: Tree) -> list[str]:
    """Sections that a file for inference has no use for."""
    kept = {tree.path[0], "meta", "message_hub"}
    names = (text_value(key) or "" for key, _ in pairs(tree.root))
    return [name for name in names if name not in kept]


def for_inference(tree: Tree) -> list[Node]:
    """The nodes of all that a file for inference is made of."""
    gone = set(outside_inference(tree)) if tree.path else set()
    kept = [node for entry in pairs(tree.root) if text_value(entry[0]) not in gone for node in entry]
    others = attributes(tree.root)
    return walk(Tuple(kept if others is None else [*kept, others]), numbers=False)


def _leave_out(root: Mutable, paths: Iterable[EntryPath]) -> None:
    for *path, last in paths:
        parent = find(root, *path)
        if isinstance(parent, Mutable) and is_mapping(parent):
            set_pairs(parent, [entry for entry in pairs(parent) if text_value(entry[0]) != last])


def _set_configs(root: Node, configs: Mapping[EntryPath, str]) -> None:
    """Copies that were one object in the pickle stay one, and others stay apart."""
    replaced: dict[int, Text] = {}
    for (*path, last), text in configs.items():
        parent = find(root, *path)
        if isinstance(parent, Mutable):
            new = replaced.setdefault(id(find(parent, last)), text_of(text))
            set_values(parent, {last: new})


def additions(tree: Tree, contents: Contents) -> dict[EntryPath, Node]:
    """What the current release looks for and an older one did not write."""
    if not tree.path or not contents.adds:
        return {}
    meta = find(tree.root, "meta")
    return {**_dataset_meta(meta), **_message_hub(tree.root, inference=contents.inference)}


def _dataset_meta(meta: Node | None) -> dict[EntryPath, Node]:
    """`classes` and `palette`, which older releases spelled otherwise."""
    if not isinstance(meta, Mutable) or not is_mapping(meta):
        return {}
    present = find(meta, "dataset_meta")
    older = present if present is not None else meta
    found = {name: find(older, name.upper()) for name in ("classes", "palette")}
    new = {n: node for n, node in found.items() if node is not None and find(present, n) is None}
    if present is None:
        return {_DATASET_META: mapping_of(new)} if "classes" in new else {}
    return {(*_DATASET_META, name): node for name, node in new.items()}


def _message_hub(root: Node, *, inference: bool) -> dict[EntryPath, Node]:
    """mmengine's inferencers look for the config there, and its Runner resumes nothing without."""
    text = find(root, "meta", "cfg")
    present = find(root, "message_hub") is not None
    if present and not inference:
        return {}
    if text is None and (inference or find(root, "optimizer") is None):
        return {}
    hub = {
        "log_scalars": from_plain({}),
        "runtime_info": mapping_of({"cfg": text} if text is not None else {}),
        "resumed_keys": from_plain({}),
    }
    return {_HUB: mapping_of(hub)}
