"""What wrappers of a model put before every key of its state dict.

`DataParallel` and its kin put `module.` there and `torch.compile` puts `_orig_mod.`; a model that
was both compiled and wrapped has both. Lightning's modules put `model.` there, and mmrazor's
algorithms `architecture.`. It is taken off as a file is opened, each wrapper's once,
so that nothing behind here has to know of it, and `--reverse` puts it back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mm_ckpt_migrate.files.pickles.build import (
    attributes,
    find,
    from_plain,
    is_mapping,
    mapping_of,
    named_pairs,
    pairs,
    set_pairs,
    text_of,
    text_value,
)
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node, Text
from mm_ckpt_migrate.names import prefix_of

# `torch.nn.Module._version`, which no wrapper changes.
_VERSION: Final = 1


def take_prefix(state_dict: Mutable) -> str:
    """Take the prefix off a state dict's keys and the paths of its `_metadata`, and give it."""
    entries = named_pairs(state_dict)
    prefix = prefix_of([key.value for key, _ in entries])
    if prefix:
        set_pairs(state_dict, ((text_of(k.value.removeprefix(prefix)), v) for k, v in entries))
        if (metadata := _metadata(state_dict)) is not None:
            set_pairs(metadata, _inner(metadata, prefix))
    return prefix


def put_prefix(state_dict: Mutable, prefix: str) -> None:
    """Put a prefix before a state dict's keys and the paths of its `_metadata`."""
    entries = named_pairs(state_dict)
    set_pairs(state_dict, ((text_of(prefix + key.value), value) for key, value in entries))
    if (metadata := _metadata(state_dict)) is None:
        return
    present = [(text_value(path) or "", entry) for path, entry in pairs(metadata)]
    shared = [entry for _, entry in present]
    wrappers = [prefix[:end] for end in range(len(prefix)) if not end or prefix[end] == "."][:-1]
    inner = [(f"{prefix}{path}".rstrip("."), entry) for path, entry in present]
    outer = [(path, module_entry(_VERSION, shared)) for path in wrappers]
    set_pairs(metadata, ((text_of(path), entry) for path, entry in (*outer, *inner)))


def _metadata(state_dict: Mutable) -> Mutable | None:
    metadata = find(attributes(state_dict), "_metadata")
    return metadata if isinstance(metadata, Mutable) and is_mapping(metadata) else None


def _inner(metadata: Mutable, prefix: str) -> Iterable[tuple[Node, Node]]:
    """The entries without those of the wrappers themselves."""
    for path, entry in pairs(metadata):
        if isinstance(path, Text) and f"{path.value}.".startswith(prefix):
            yield text_of(path.value.removeprefix(prefix[:-1]).removeprefix(".")), entry


def module_entry(version: int | None, others: Iterable[Node]) -> Node:
    """A new entry of `_metadata`; its key is the one all share, as in torch."""
    shared = (key for entry in others if is_mapping(entry) for key, _ in pairs(entry))
    key = next((key for key in shared if text_value(key) == "version"), text_of("version"))
    entry = mapping_of({})
    set_pairs(entry, [(key, from_plain(version))])
    return entry
