"""What must arrive unchanged: everything in a checkpoint that no plan touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mm_ckpt_migrate.convert.contents import AVERAGED, CONFIG_PATHS, Contents, additions
from mm_ckpt_migrate.convert.training.follow import TRAINING_STATE
from mm_ckpt_migrate.files.archive.storages import storage_ref
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint, Tree
from mm_ckpt_migrate.files.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.files.pickles.build import find, is_mapping, pairs, text_value
from mm_ckpt_migrate.files.pickles.emit import Label, emit
from mm_ckpt_migrate.files.pickles.nodes import Global, Node, Persistent
from mm_ckpt_migrate.names import STAMP_KEY

_HUB = "message_hub"
# Sections whose entries are looked at one by one, because some of them are edited.
_OPENED = ((), ("meta",), (_HUB,), (_HUB, "runtime_info"))
# mmengine's log buffers move within the hub when they are made plain.
_LOGS = {f"{_HUB}.log_scalars", f"{_HUB}.log_history", f"{_HUB}.resumed_keys"}


def label_by_place(checkpoint: Checkpoint, origin: Callable[[int], int]) -> Label:
    """Tells storages apart by where they lie in the source, whatever their numbers.

    Args:
        origin: offset in the source of the storage at an offset in this file.
    """

    def label(node: Persistent) -> bytes:
        extent = checkpoint.extents[storage_ref(node).key]
        place = origin(extent.offset) if extent.size else -1
        return f"{place}:{extent.size};".encode()

    return label


def carried_streams(checkpoint: Checkpoint, label: Label, contents: Contents) -> dict[str, bytes]:
    """One stream for each entry that must arrive as it was."""
    tree = checkpoint.tree
    if tree is None or not tree.path:
        return {}
    streams = {}
    for name, node in _untouched(tree, contents):
        named: list[Global] = []
        stream = emit(node, label=label, named=named)
        if contents.keep_as_is or not refused_globals(named):  # else it is made plain
            streams[name] = stream
    return streams


def _untouched(tree: Tree, contents: Contents) -> Iterator[tuple[str, Node]]:
    edited = (*contents.left_out, *additions(tree, contents))
    touched = {
        tree.path[0],
        AVERAGED,
        "meta",
        f"meta.{STAMP_KEY}",
        _HUB,
        f"{_HUB}.runtime_info",
        *TRAINING_STATE,
        *map(".".join, CONFIG_PATHS),
        *map(".".join, edited),
        *(".".join(path[:-1]) for path in edited),
    }
    for path in _OPENED:
        if any(path[: len(other)] == other for other in edited):
            continue
        mapping = find(tree.root, *path)
        for key, node in pairs(mapping) if mapping is not None and is_mapping(mapping) else ():
            name = ".".join((*path, text_value(key) or ""))
            if name not in touched and (contents.keep_as_is or name not in _LOGS):
                yield name, node
