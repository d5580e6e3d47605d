"""A small checkpoint of any layout: each tensor is one number, repeated along all its sides."""

from __future__ import annotations

from mm_ckpt_migrate.schema import Schema
from support.streams import ORDERED_DICT, Storage, mapping, stream, tensor
from support.zips import torch_zip

KINDS = {"float32": ("torch.FloatStorage", 4), "int64": ("torch.LongStorage", 8)}


def checkpoint_of(schema: Schema) -> bytes:
    """A file that torch.load takes, with a state dict of this layout; nothing is tied."""
    tensors: dict[str, bytes] = {}
    storages: dict[str, bytes] = {}
    for number, spec in enumerate(schema.tensors):
        kind, size = KINDS[spec.dtype]
        storage, steps = Storage(str(number), 1, kind), [0] * len(spec.shape)
        tensors[spec.name] = tensor(storage, shape=spec.shape, stride=steps)
        storages[str(number)] = bytes(size)
    body = mapping({"state_dict": mapping(tensors, ORDERED_DICT)})
    return torch_zip(stream(body), storages)
