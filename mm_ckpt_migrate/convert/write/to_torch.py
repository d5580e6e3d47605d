"""Apply a plan to a checkpoint's nodes, and lay the new file out.

Only the pickle changes: keys, `_metadata` paths, the order of entries, the stamp. Tensors keep
their nodes, and storages their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mm_ckpt_migrate.convert.contents import AVERAGED, Contents, edit_contents
from mm_ckpt_migrate.errors import CheckpointError, PlanError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.image import Composition, Extent, Piece
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import storage_ref, storage_refs
from mm_ckpt_migrate.files.archive.torchzip import TorchZip, compose_zip
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint, Tree
from mm_ckpt_migrate.files.checkpoint.tensors import is_tensor
from mm_ckpt_migrate.files.checkpoint.weights_only import refused_globals
from mm_ckpt_migrate.files.checkpoint.wrappers import module_entry, put_prefix
from mm_ckpt_migrate.files.pickles.build import (
    Plain,
    attributes,
    find,
    from_plain,
    is_mapping,
    mapping_of,
    named_pairs,
    pairs,
    set_pairs,
    set_values,
    text_of,
    text_value,
)
from mm_ckpt_migrate.files.pickles.copies import Copies
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import Global, Mutable, Node, Persistent, Text, Tuple, walk
from mm_ckpt_migrate.mapping.plan import Plan, averaged_table
from mm_ckpt_migrate.names import STAMP_KEY, safe_text


def rewrite(
    checkpoint: Checkpoint,
    plan: Plan,
    order: Sequence[str],
    modules: Sequence[str],
    stamp: Mapping[str, Plain] | None,
    contents: Contents,
    *,
    target_format: Format,
    unwrap: bool = False,
    prefix: str = "",
) -> tuple[Composition, tuple[str, ...]]:
    """Lay the new file out; gives it with notices for the user.

    Args:
        target_format: zip, or legacy where the source is legacy.
        others: as those of `edit`, which also says what is raised.
    """
    edited = edit(checkpoint, plan, order, modules, stamp, contents, unwrap=unwrap, prefix=prefix)
    named: list[Global] = []
    composition = _lay_out(checkpoint, edited, target_format, named)
    notices = edited.notices
    if not contents.keep_as_is and tree_of(checkpoint).path and (refused := refused_globals(named)):
        shown = ", ".join(refused[:3])
        notices = (*notices, f"torch.load refuses it at its defaults, because of {shown}")
    return composition, notices


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What the new file's pickle holds.

    Attributes:
        root: the pickled object.
        storages: the bytes of those that are not the source's, by their keys.
        notices: what the user should know, one sentence each.
    """

    root: Node
    storages: Mapping[str, bytes]
    notices: tuple[str, ...]


def edit(
    checkpoint: Checkpoint,
    plan: Plan,
    order: Sequence[str],
    modules: Sequence[str],
    stamp: Mapping[str, Plain] | None,
    contents: Contents,
    *,
    unwrap: bool = False,
    prefix: str = "",
) -> Rewritten:
    """What the new file's pickle holds: copies of a checkpoint's nodes, edited.

    Args:
        order: the new keys in the order in which the new file shall have them.
        modules: the new module paths, likewise.
        stamp: to be put into `meta`; None removes the one that is there.
        contents: what becomes of everything beside the weights.
        unwrap: make the state dict the root again.
        prefix: to be put before every key.

    Raises:
        PlanError: `ema_state_dict` holds a key that the plan does not know.
        CheckpointError: its `meta` is none that a stamp could be put into.
    """
    copies = Copies(tree_of(checkpoint).root, is_tensor)
    tree = _copied(tree_of(checkpoint), copies)
    checkpoint = replace(checkpoint, tree=tree)
    _rename(tree.state_dict, plan.table, order)
    _rename_modules(tree.state_dict, plan, modules, "")
    if tree.ema is not None:
        _rename(tree.ema, averaged_table(plan), ["steps", *(f"module.{name}" for name in order)])
        _rename_modules(tree.ema, plan, modules, "module.")
    if prefix:
        put_prefix(tree.state_dict, prefix)
    edited = edit_contents(checkpoint, contents, copies)
    root = tree.state_dict if unwrap else _root(checkpoint, tree, stamp)
    return Rewritten(root, edited.storages, edited.notices)


def tree_of(checkpoint: Checkpoint) -> Tree:
    """The nodes of a pickled checkpoint."""
    assert checkpoint.tree is not None
    return checkpoint.tree


def _copied(tree: Tree, copies: Copies) -> Tree:
    ema = copies.of(tree.ema) if tree.ema is not None else None
    return replace(tree, root=copies.root, state_dict=copies.of(tree.state_dict), ema=ema)


def _rename(mapping: Mutable, table: Mapping[str, str | None], order: Sequence[str]) -> None:
    entries: dict[str, tuple[Node, Node]] = {}
    for key, value in named_pairs(mapping):
        if key.value not in table:
            raise PlanError(f"the plan says nothing about the key {safe_text(key.value)!r}")
        target = table[key.value]
        if target is not None:
            entries[target] = (key if target == key.value else text_of(target), value)
    rank = {name: number for number, name in enumerate(order)}
    set_pairs(mapping, (entries[n] for n in sorted(entries, key=lambda n: rank.get(n, len(rank)))))


def _rename_modules(mapping: Mutable, plan: Plan, order: Sequence[str], prefix: str) -> None:
    """`_metadata` of a state dict; `prefix` stands before each path in an averaged model's."""
    metadata = find(attributes(mapping), "_metadata")
    if not isinstance(metadata, Mutable) or not is_mapping(metadata):
        return
    present = {k.value: (k, v) for k, v in pairs(metadata) if isinstance(k, Text)}
    versions = [entry for _, entry in present.values()]
    # Paths outside the prefix, such as the averaged model's own, are none of the plan's.
    planned = {_join(prefix, move.source) for move in plan.modules if move.source is not None}
    entries = {path: entry for path, entry in present.items() if path not in planned}
    for move in plan.modules:
        if move.target is None:
            continue
        target = _join(prefix, move.target)
        found = present.get(_join(prefix, move.source)) if move.source is not None else None
        if found is not None and move.changed_from is not None:
            entries[target] = (text_of(target), module_entry(move.version, versions))
        elif found is not None:
            entries[target] = (found[0] if found[0].value == target else text_of(target), found[1])
        elif move.source is None:
            entries[target] = (text_of(target), module_entry(move.version, versions))
    rank = {_join(prefix, name): number for number, name in enumerate(order)}
    set_pairs(metadata, (entries[n] for n in sorted(entries, key=lambda n: rank.get(n, -1))))


def _join(prefix: str, path: str) -> str:
    return prefix + path if path else prefix.rstrip(".")


def _root(checkpoint: Checkpoint, tree: Tree, stamp: Mapping[str, Plain] | None) -> Node:
    """The root with the stamp in its `meta`, and without an earlier one."""
    mark = {STAMP_KEY: from_plain(dict(stamp))} if stamp else {}
    ema = {AVERAGED: tree.ema} if tree.ema else {}
    if not tree.path:
        return mapping_of({"meta": mapping_of(mark), "state_dict": tree.state_dict, **ema})
    root = tree.root
    assert isinstance(root, Mutable)
    set_values(root, ema)
    meta = find(root, "meta")
    if isinstance(meta, Mutable) and is_mapping(meta):
        kept = [(k, v) for k, v in pairs(meta) if text_value(k) != STAMP_KEY]
        set_pairs(meta, kept)
        set_values(meta, mark)
    elif mark and meta is not None:
        raise CheckpointError(
            checkpoint.source.path,
            "its `meta` is no dict, so that nothing can be noted in it of the migration",
            hint="Save it again with its state dict alone.",
        )
    elif mark:
        set_pairs(root, [(text_of("meta"), mapping_of(mark)), *pairs(root)])
    return root


def _lay_out(
    checkpoint: Checkpoint, edited: Rewritten, target_format: Format, named: list[Global]
) -> Composition:
    root, new = edited.root, edited.storages
    container = checkpoint.container
    if target_format is Format.LEGACY:
        from mm_ckpt_migrate.files.archive.legacy import LegacyFile, compose_legacy

        assert isinstance(container, LegacyFile)
        legacy, refs = container, storage_refs(walk(root, numbers=False))
        stream = emit(root, named=named)
        return Composition(stream, lambda pickle: compose_legacy(legacy, pickle, refs, new))
    shell = container if isinstance(container, TorchZip) else TorchZip(b"", ())
    numbers = _Numbers()
    stream = emit(root, pid=numbers, named=named)
    pieces: dict[str, Piece] = {**checkpoint.extents, **new}
    storages = [_numbered(pieces[key], number.value) for key, number in numbers.of_keys.items()]
    if any(isinstance(piece, Extent) and piece.crc is None for piece in storages):
        storages = [_measured(checkpoint.source, piece) for piece in storages]
    return Composition(stream, lambda pickle: compose_zip(shell, pickle, storages))


class _Numbers:
    """Number the storages in the order in which the stream first meets them, as torch does.

    torch's loader computes offsets from that order (`calculate_storage_offsets`), and gives
    wrong tensors, without a word, where a file does not have it.
    """

    def __init__(self) -> None:
        self.of_keys: dict[str, Text] = {}
        self._made: dict[int, Tuple] = {}

    def __call__(self, node: Persistent) -> Node:
        """The persistent id with the new number; the same tuple for one that is shared."""
        assert isinstance(node.pid, Tuple)
        key = storage_ref(node).key
        number = self.of_keys.setdefault(key, text_of(str(len(self.of_keys))))
        made = self._made.get(id(node.pid))
        if made is None:
            made = Tuple([*node.pid.items[:2], number, *node.pid.items[3:5]])
            made.memoized = node.pid.memoized
            self._made[id(node.pid)] = made
        return made


def _measured(source: Source, piece: Piece) -> Piece:
    return measure_extents(source, [piece])[0] if isinstance(piece, Extent) else piece


def _numbered(piece: Piece, number: str) -> Piece:
    return replace(piece, key=number) if isinstance(piece, Extent) else piece
