"""A safetensors file as a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.files.archive.safetensors import SafetensorsFile
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint, Container
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor, ties
from mm_ckpt_migrate.files.pickles.build import Plain
from mm_ckpt_migrate.names import STAMP_KEY, TIED_KEY, key_fault, prefix_of, safe_text
from mm_ckpt_migrate.schema import Schema


def open_safetensors(source: Source, file: Container) -> Checkpoint:
    """Understand a header; names that this tool recorded as tied share one tensor again.

    Raises:
        CheckpointError: a key cannot be one of a genuine state dict.
    """
    assert isinstance(file, SafetensorsFile)
    metadata = file.metadata or {}
    tensors = {spec.name: Tensor(spec, spec.name, 0, _row_major(spec.shape)) for spec, _ in file.entries}
    for alias, owner in _json_table(metadata, TIED_KEY).items():
        if isinstance(owner, str) and owner in tensors and alias not in tensors:
            tied = tensors[owner]
            tensors[alias] = replace(tied, spec=replace(tied.spec, name=alias))
    prefix = prefix_of(list(tensors))
    tensors = {name.removeprefix(prefix): _renamed(t, prefix) for name, t in tensors.items()}
    for name in tensors:
        if fault := key_fault(name):
            raise CheckpointError(source.path, f"the key {safe_text(name)!r} {fault}")
    return Checkpoint(
        source=source,
        format=Format.SAFETENSORS,
        container=file,
        schema=Schema(tuple(t.spec for t in tensors.values()), None, ties(tensors)),
        tensors=tensors,
        averaged={},
        extents={extent.key: extent for _, extent in file.entries},
        config=metadata.get("cfg"),
        versions={},
        stamp=_json_table(metadata, STAMP_KEY) or None,
        sections=(),
        tree=None,
        prefix=prefix,
    )


def _renamed(tensor: Tensor, prefix: str) -> Tensor:
    return replace(tensor, spec=replace(tensor.spec, name=tensor.spec.name.removeprefix(prefix)))


def _row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _json_table(metadata: Mapping[str, str], key: str) -> dict[str, Plain]:
    """A JSON object that this tool put into a string of the metadata."""
    try:
        table = json.loads(metadata.get(key, "null"))
    except (ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}
