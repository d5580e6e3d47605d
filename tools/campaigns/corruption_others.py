"""What the library of a format reads of a file, held against what this tool says."""

from __future__ import annotations

import hashlib
import io
import json

import meaning_torch
from meaning_nodes import Description

_CODES = {"float32": "F32", "int64": "I64"}


def difference(suffix: str, data: bytes, description: Description) -> str | None:
    """Where they differ, or None; raises whatever the library raises where it refuses the file."""
    if suffix == ".safetensors":
        return _safetensors(data, description)
    import torch

    loaded = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return meaning_torch.difference(description, loaded)


def _safetensors(data: bytes, description: Description) -> str | None:
    from safetensors import deserialize

    theirs = {
        name: (entry["dtype"], tuple(entry["shape"]), hashlib.sha256(entry["data"]).hexdigest())
        for name, entry in deserialize(data)  # type: ignore[no-untyped-call]
    }
    tensors = dict(description[3])
    ours = {name: (_CODES.get(t[1]), t[2], t[-1]) for name, t in tensors.items()}
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__", {})
    return None if (theirs, metadata) == (ours, dict(description[7])) else f"{theirs}, {metadata}"
