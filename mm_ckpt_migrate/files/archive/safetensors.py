"""The safetensors format: a JSON header with byte ranges, then the bytes. It has no checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod
from typing import Any, Final

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive.dtypes import ITEM_SIZES, SAFETENSORS_CODES, SAFETENSORS_DTYPES
from mm_ckpt_migrate.files.archive.image import Extent, Image
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.schema import TensorSpec

MAX_HEADER_BYTES: Final = 100_000_000
MAX_TENSORS: Final = 200_000
MAX_METADATA: Final = 16 << 20
_METADATA: Final = "__metadata__"
_RANK: Final = {dtype: rank for rank, dtype in enumerate(SAFETENSORS_CODES)}


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """The parts of a safetensors file.

    Attributes:
        entries: each tensor with its bytes, in header order.
        metadata: the strings under `__metadata__`, or None where there is no such entry.
    """

    entries: tuple[tuple[TensorSpec, Extent], ...]
    metadata: dict[str, str] | None


def read_safetensors(source: Source) -> SafetensorsFile:
    """Read the header; the bytes are located, not read.

    Raises:
        CheckpointError: the header is malformed, or its ranges overlap or leave holes.
        LimitError: it holds more than any genuine file.
    """
    size = int.from_bytes(source.read(0, 8), "little")
    if size > MAX_HEADER_BYTES:
        raise LimitError(source.path, f"its header is larger than {MAX_HEADER_BYTES} bytes")
    if not 2 <= size <= source.size - 8:
        raise _refuse(source, "its header does not fit into the file")
    header = _parse_header(source, source.read(8, size))
    metadata = header.pop(_METADATA, None)
    if metadata is not None and not _is_strings(metadata):
        raise _refuse(source, "its metadata is not a table of strings")
    if sum(len(key) + len(value) for key, value in (metadata or {}).items()) > MAX_METADATA:
        raise LimitError(source.path, f"its metadata is longer than {MAX_METADATA >> 20} MiB")
    if len(header) > MAX_TENSORS:
        raise _too_many(source)
    entries = [_entry(source, name, value, 8 + size) for name, value in header.items()]
    _check_ranges(source, [extent for _, extent in entries], 8 + size)
    return SafetensorsFile(tuple(entries), metadata)


def _refuse(source: Source, reason: str) -> CheckpointError:
    return CheckpointError(source.path, reason, hint="Fetch or write the file again.")


def _too_many(source: Source) -> LimitError:
    return LimitError(source.path, f"it holds more than {MAX_TENSORS} tensors")


def _parse_header(source: Source, raw: bytes) -> dict[str, Any]:
    tables = count()

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # One for each tensor, the metadata, and the header around them, which comes last.
        if next(tables) > MAX_TENSORS + 1 or len(pairs) > MAX_TENSORS + 1:
            raise _too_many(source)
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a key stands twice")
        for text in (*table, *(value for value in table.values() if isinstance(value, str))):
            text.encode()  # half of a surrogate pair raises a ValueError
        return table

    def natural(literal: str) -> int:
        if literal.startswith("-"):  # also zero, which the safetensors library refuses
            raise ValueError(f"{literal} is below zero")
        return int(literal)

    def refuse(literal: str) -> None:
        raise ValueError(f"{literal} is not a number")

    if not raw.startswith(b"{"):
        raise _refuse(source, "its header is not a JSON object")
    try:
        header = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=unique,
            parse_int=natural,
            parse_constant=refuse,
            parse_float=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise _refuse(source, f"its header is not valid: {error}") from None
    assert isinstance(header, dict)
    return header


def _is_strings(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _entry(source: Source, name: str, value: Any, start: int) -> tuple[TensorSpec, Extent]:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _refuse(source, f"the header entry {name[:80]!r} is malformed")
    shape, offsets = value["shape"], value["data_offsets"]
    if not _is_naturals(shape) or not _is_naturals(offsets) or len(offsets) != 2:
        raise _refuse(source, f"the header entry {name[:80]!r} is malformed")
    if len(shape) > 64:
        raise LimitError(source.path, f"{name[:80]!r} has {len(shape)} dimensions")
    dtype = SAFETENSORS_DTYPES.get(value["dtype"]) if isinstance(value["dtype"], str) else None
    if dtype is None:
        raise _refuse(source, f"{name[:80]!r} has the unknown type {value['dtype']!r:.40}")
    begin, end = offsets
    if end - begin != prod(shape) * ITEM_SIZES[dtype]:
        raise _refuse(source, f"{name[:80]!r} has a shape that does not fit its bytes")
    return TensorSpec(name, tuple(shape), dtype), Extent(name, start + begin, end - begin)


def _is_naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 1 << 60 for v in value)


def _check_ranges(source: Source, extents: Sequence[Extent], start: int) -> None:
    """The ranges follow each other without gap or overlap, up to the end of the file."""
    for extent in sorted(extents, key=lambda e: (e.offset, e.size)):
        if extent.offset != start:
            raise _refuse(source, f"the bytes of {extent.key[:80]!r} overlap others or leave a hole")
        start += extent.size
    if start != source.size:
        raise _refuse(source, "it is cut short, or bytes follow its last tensor")


def compose_safetensors(
    entries: Sequence[tuple[TensorSpec, Extent | bytes]], metadata: Mapping[str, str]
) -> Image:
    """A file of these tensors, by element type and name, as the safetensors library orders them.

    Raises:
        KeyError: a dtype that the format does not have; `unsupported` tells beforehand.
    """
    ordered = sorted(entries, key=lambda entry: (_RANK[entry[0].dtype], entry[0].name))
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    offset = 0
    for spec, payload in ordered:
        size = payload.size if isinstance(payload, Extent) else len(payload)
        header[spec.name] = {
            "dtype": SAFETENSORS_CODES[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    raw = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % 8)
    return Image([len(raw).to_bytes(8, "little") + raw, *(payload for _, payload in ordered)])


def unsupported(spec: TensorSpec) -> bool:
    """Whether the format has no code for the tensor's element type."""
    return spec.dtype not in SAFETENSORS_CODES
