"""Open a checkpoint of any format without executing anything in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.image import Extent
from mm_ckpt_migrate.files.archive.sniff import sniff
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import StorageRef, storage_refs
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint, Container, Tree
from mm_ckpt_migrate.files.checkpoint.ema_buffers import take_ema_buffers
from mm_ckpt_migrate.files.checkpoint.policy import foreign
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor, check_views, is_tensor, read_tensors, ties
from mm_ckpt_migrate.files.checkpoint.wrappers import take_prefix
from mm_ckpt_migrate.files.pickles.build import attributes, find, is_mapping, pairs, text_at, to_plain
from mm_ckpt_migrate.files.pickles.errors import PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.hashed import check_keys_once, check_sets
from mm_ckpt_migrate.files.pickles.nodes import Call, Global, Mutable, Node, Text
from mm_ckpt_migrate.files.pickles.parse import Parsed, parse_all
from mm_ckpt_migrate.names import STAMP_KEY, safe_text
from mm_ckpt_migrate.schema import Schema

MAX_TENSORS: Final = 200_000
_STATE_DICT_NAMES: Final[tuple[str, ...]] = ("state_dict", "model")


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a file, before it is understood.

    Attributes:
        parsed: the pickled object; None for safetensors.
        extents: the storages of a pickled object, in file order.
    """

    kind: Format
    container: Container
    parsed: Parsed | None
    extents: tuple[Extent, ...]


def open_checkpoint(source: Source, *, check_crc: bool | None = True) -> Checkpoint:
    """Read everything but the storages.

    Args:
        check_crc: as for `read_zip`.

    Raises:
        CheckpointError: the file is damaged, ambiguous, or no checkpoint.
        LimitError: it exceeds a limit that genuine checkpoints keep.
    """
    return open_content(source, read_content(source, check_crc=check_crc))


def read_content(source: Source, *, check_crc: bool | None = True) -> Content:
    """Read a file's container and its pickle; raises as `open_checkpoint` does."""
    with _told(source):
        return _read(source, check_crc)


def open_content(source: Source, content: Content) -> Checkpoint:
    """Understand what was read, whose nodes belong to the checkpoint from here on.

    Raises:
        CheckpointError: it is ambiguous, or no checkpoint.
        LimitError: it exceeds a limit that genuine checkpoints keep.
    """
    with _told(source):
        if content.parsed is not None:
            return _open_pickled(source, content, content.parsed)
        from mm_ckpt_migrate.files.checkpoint.from_safetensors import open_safetensors

        return open_safetensors(source, content.container)


@contextmanager
def _told(source: Source) -> Iterator[None]:
    """Tell what is wrong with a pickle as what is wrong with the file."""
    try:
        yield
    except PickleLimitError as error:
        raise LimitError(source.path, str(error)) from error
    except PickleError as error:
        raise CheckpointError(
            source.path, str(error), hint="`mm-ckpt-migrate inspect FILE` shows what can be read."
        ) from error


def read_schema(path: Path) -> Schema:
    """The layout of a file's state dict; raises as `open_checkpoint` does."""
    with Source(path) as source:
        return open_checkpoint(source).schema


def _read(source: Source, check_crc: bool | None) -> Content:
    # Each reader is imported where there is a file for it: that costs as much as to read one.
    kind = sniff(source)
    if kind is Format.SAFETENSORS:
        from mm_ckpt_migrate.files.archive.safetensors import read_safetensors

        return Content(kind, read_safetensors(source), None, ())
    if kind is Format.ZIP:
        from mm_ckpt_migrate.files.archive.torchzip import read_zip

        container = read_zip(source, check_crc=check_crc)
        return Content(kind, container, parse_all(container.pickle), container.extents)
    from mm_ckpt_migrate.files.archive.legacy import read_legacy

    legacy = read_legacy(source)
    return Content(kind, legacy, legacy.parsed, legacy.extents)


def _open_pickled(source: Source, content: Content, parsed: Parsed) -> Checkpoint:
    root, made = parsed.root, parsed.made
    path, state_dict = _state_dict(source, root)
    check_sets(made.calls)
    for node in made.keyed:
        check_keys_once(node)
    extents = {extent.key: extent for extent in content.extents}
    storages = storage_refs(made.persistents)
    _check_storages(source, storages, extents)
    prefix = take_prefix(state_dict)
    ema = find(root, "ema_state_dict") if path == ("state_dict",) else None
    ema = take_ema_buffers(state_dict) if ema is None else ema
    tensors = read_tensors(state_dict)
    check_views(made.calls)
    if len(tensors) > MAX_TENSORS:
        raise LimitError(source.path, f"it holds more than {MAX_TENSORS} tensors")
    meta = find(root, "meta") if path else None
    tree = Tree(
        root=root,
        path=path,
        state_dict=state_dict,
        ema=ema if isinstance(ema, Mutable) and is_mapping(ema) else None,
        storages=storages,
        foreign=tuple(foreign(parsed)),
    )
    stamp = to_plain(find(meta, STAMP_KEY))
    return Checkpoint(
        source=source,
        format=content.kind,
        container=content.container,
        schema=_schema(tensors, state_dict),
        tensors=tensors,
        averaged=read_tensors(tree.ema) if tree.ema else {},
        extents=extents,
        config=text_at(meta, "cfg") or text_at(meta, "config"),
        versions=_versions(meta),
        stamp=stamp if isinstance(stamp, dict) else None,
        sections=tuple(k.value for k, _ in pairs(root) if isinstance(k, Text)) if path else (),
        tree=tree,
        prefix=prefix,
    )


def _state_dict(source: Source, root: Node) -> tuple[tuple[str, ...], Mutable]:
    """The mapping of tensors, and the keys that lead to it."""
    if not is_mapping(root):
        name = root.callee.path if isinstance(root, Call) and isinstance(root.callee, Global) else ""
        raise CheckpointError(
            source.path,
            f"it holds a pickled {safe_text(name)} object" if name else "it does not hold a dict",
            hint="Save the state dict instead: torch.save(model.state_dict(), PATH).",
        )
    assert isinstance(root, Mutable)
    sections = {k.value: v for k, v in pairs(root) if isinstance(k, Text) and _holds_tensors(v)}
    names: list[str] = [n for n in _STATE_DICT_NAMES if n in sections]
    if not names and (not sections or any(is_tensor(value) for _, value in pairs(root))):
        return (), root
    if not names and len(sections) > 1:
        raise CheckpointError(
            source.path,
            f"it holds several state dicts: {', '.join(map(safe_text, list(sections)[:5]))}",
            hint="Save the one you mean alone: torch.save({'state_dict': ...}, PATH).",
        )
    names = names or list(sections)
    node = sections[names[0]]
    assert isinstance(node, Mutable)
    return (names[0],), node


def _holds_tensors(node: Node) -> bool:
    return is_mapping(node) and any(is_tensor(value) for _, value in pairs(node))


def _check_storages(source: Source, refs: Mapping[str, StorageRef], extents: Mapping[str, Extent]) -> None:
    """Every storage that is spoken of is there, with the size that is said, and no other is."""
    for key, ref in refs.items():
        if key not in extents:
            raise CheckpointError(source.path, f"storage {key} is missing from the file")
        if ref.nbytes != extents[key].size:
            raise CheckpointError(
                source.path, f"storage {key} has {extents[key].size} bytes, not {ref.nbytes}"
            )
    if unused := [key for key in extents if key not in refs]:
        raise CheckpointError(source.path, f"no tensor uses storage {unused[0]}, which is in the file")


def _schema(tensors: Mapping[str, Tensor], state_dict: Node) -> Schema:
    return Schema(tuple(tensor.spec for tensor in tensors.values()), _modules(state_dict), ties(tensors))


def _modules(state_dict: Node) -> dict[str, int | None] | None:
    """`_metadata`: the version of each module's path."""
    metadata = find(attributes(state_dict), "_metadata")
    if metadata is None or not is_mapping(metadata):
        return None
    versions: dict[str, int | None] = {}
    for key, value in pairs(metadata):
        version = to_plain(find(value, "version"))
        if isinstance(key, Text):
            versions[key.value] = version if type(version) is int else None
    return versions


def _versions(meta: Node | None) -> dict[str, str]:
    """`mmengine_version` and the like, some of which run into a git hash: `2.24.14d38edd`."""
    return {
        safe_text(key.value.removesuffix("_version")): safe_text(value.value)
        for key, value in (pairs(meta) if meta is not None and is_mapping(meta) else ())
        if isinstance(key, Text) and isinstance(value, Text) and key.value.endswith("_version")
    }
