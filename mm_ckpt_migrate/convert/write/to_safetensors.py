"""Lay a migrated state dict out as a safetensors file.

The format holds named tensors and strings, nothing else: tied tensors are written once and
their other names recorded; other sections of the checkpoint stay behind, and are named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.dtypes import ITEM_SIZES
from mm_ckpt_migrate.files.archive.image import Composition, Extent, Image
from mm_ckpt_migrate.files.archive.safetensors import SafetensorsFile, compose_safetensors, unsupported
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.tensors import Tensor, gather
from mm_ckpt_migrate.files.pickles.build import Plain
from mm_ckpt_migrate.mapping.plan import Plan
from mm_ckpt_migrate.names import STAMP_KEY, TIED_KEY
from mm_ckpt_migrate.schema import TensorSpec

MAX_GATHERED_BYTES: Final = 1 << 30
# Beyond this, no more is laid out anew than the whole file holds: a view may repeat its elements.
_MAX_REPEATED_BYTES: Final = 64 << 20


def export(
    checkpoint: Checkpoint, plan: Plan, stamp: Mapping[str, Plain] | None, prefix: str = ""
) -> Composition:
    """The safetensors file of a migrated state dict, with `prefix` before every key.

    Raises:
        CheckpointError: a tensor has a type that the format lacks, or a storage is damaged.
    """
    tied = tied_names(checkpoint, plan, prefix)
    entries: list[tuple[TensorSpec, Extent | bytes]] = []
    _check_gathered(checkpoint, plan)
    extents = _checked_extents(checkpoint)
    for name, tensor in checkpoint.tensors.items():
        target = plan.targets.get(name)
        if target is None:
            continue
        target = prefix + target
        if target in tied:
            continue
        spec = replace(tensor.spec, name=target)
        if unsupported(spec):
            raise CheckpointError(
                checkpoint.source.path,
                f"{name} is {spec.dtype}, which safetensors cannot hold",
                hint="Leave --format out.",
            )
        entries.append((spec, _payload(checkpoint.source, tensor, extents[tensor.storage])))
    header, *payload = compose_safetensors(entries, metadata_of(checkpoint, tied, stamp)).pieces
    assert isinstance(header, bytes)
    return Composition(header, lambda head: Image([head, *payload]))


def tied_names(checkpoint: Checkpoint, plan: Plan, prefix: str = "") -> dict[str, str]:
    """Names whose tensor is written under another one, to that name."""
    first: dict[tuple[object, ...], str] = {}
    tied: dict[str, str] = {}
    for name, tensor in checkpoint.tensors.items():
        target = plan.targets.get(name)
        if target is None:
            continue
        owner = first.setdefault(tensor.place, prefix + target)
        if owner != prefix + target and 0 not in tensor.spec.shape:
            tied[prefix + target] = owner
    return tied


def _checked_extents(checkpoint: Checkpoint) -> dict[str, Extent]:
    """The storages; where a tensor views a part of one, its CRC is checked here and now."""
    partial = {
        tensor.storage
        for tensor in checkpoint.tensors.values()
        if not _fills(tensor, checkpoint.extents[tensor.storage])
    }
    views = [e for key, e in checkpoint.extents.items() if key in partial]
    checked = {e.key: e for e in measure_extents(checkpoint.source, views)}
    return {**checkpoint.extents, **checked}


def _check_gathered(checkpoint: Checkpoint, plan: Plan) -> None:
    """Raises CheckpointError where little views would be laid out as much."""
    views = {
        tensor.place: tensor.nbytes
        for name, tensor in checkpoint.tensors.items()
        if not tensor.contiguous and plan.targets.get(name) is not None
    }
    if sum(views.values()) > max(_MAX_REPEATED_BYTES, checkpoint.source.size):
        raise CheckpointError(
            checkpoint.source.path,
            f"its views would take {sum(views.values()):,} bytes as tensors of their own",
            hint="Leave --format out.",
        )


def _fills(tensor: Tensor, extent: Extent) -> bool:
    return tensor.contiguous and not tensor.offset and tensor.nbytes == extent.size


def _payload(source: Source, tensor: Tensor, extent: Extent) -> Extent | bytes:
    if _fills(tensor, extent):
        return extent
    item = ITEM_SIZES[tensor.spec.dtype]
    if tensor.contiguous:
        return Extent(extent.key, extent.offset + tensor.offset * item, tensor.nbytes)
    if max(tensor.nbytes, extent.size) > MAX_GATHERED_BYTES:
        raise CheckpointError(
            source.path, f"{tensor.spec.name} is not contiguous and too large to be laid out anew"
        )
    return gather(source.read(extent.offset, extent.size), tensor)


def metadata_of(
    checkpoint: Checkpoint, tied: Mapping[str, str], stamp: Mapping[str, Plain] | None
) -> dict[str, str]:
    """The strings that the file holds beside its tensors.

    Args:
        tied: names of tensors that are written once, to the name that they are written under.
    """
    container = checkpoint.container
    metadata = {"format": "pt"}
    if isinstance(container, SafetensorsFile):
        metadata = dict(container.metadata or {})
    elif checkpoint.config:
        metadata["cfg"] = checkpoint.config
    if tied:
        metadata[TIED_KEY] = json.dumps(tied, sort_keys=True)
    else:
        metadata.pop(TIED_KEY, None)
    metadata.pop(STAMP_KEY, None)
    if stamp:
        metadata[STAMP_KEY] = json.dumps(stamp, separators=(",", ":"))
    return metadata
