"""What must arrive unchanged: everything in a checkpoint that the plan does not touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mm_ckpt_migrate.archive.storages import storage_ref
from mm_ckpt_migrate.checkpoint.model import Checkpoint, Tree
from mm_ckpt_migrate.keys import STAMP_KEY
from mm_ckpt_migrate.pickles.build import find, is_mapping, pairs, text_value
from mm_ckpt_migrate.pickles.emit import emit
from mm_ckpt_migrate.pickles.nodes import Node, Persistent
from mm_ckpt_migrate.rewrite import TRAINING_STATE


def carried_streams(checkpoint: Checkpoint, origin: Callable[[int], int]) -> dict[str, bytes]:
    """One stream for each entry of the root and of `meta` that must arrive as it was.

    Args:
        origin: offset in the source of the storage at an offset in this file, by which storages
            are told apart, whatever their numbers.
    """

    def label(node: Persistent) -> bytes:
        extent = checkpoint.extents[storage_ref(node).key]
        place = origin(extent.offset) if extent.size else -1
        return f"{place}:{extent.size};".encode()

    tree = checkpoint.tree
    entries = _untouched(tree) if tree is not None and tree.path else ()
    return {name: emit(node, label=label) for name, node in entries}


def _untouched(tree: Tree) -> Iterator[tuple[str, Node]]:
    touched = {tree.path[0], "ema_state_dict", "meta", STAMP_KEY, *TRAINING_STATE}
    meta = find(tree.root, "meta")
    sections = [("", tree.root)]
    if meta is not None and is_mapping(meta):
        sections.append(("meta.", meta))
    for prefix, mapping in sections:
        for key, node in pairs(mapping):
            name = text_value(key)
            if name is not None and name not in touched:
                yield prefix + name, node
