"""The smallest files that are migrated: old MaskFormers by their keys, with little tensors."""

from __future__ import annotations

from collections.abc import Mapping

from support.streams import ORDERED_DICT, mapping, stream, tensor
from support.zips import torch_zip

DECODER = "decode_head.transformer_decoder.layers.0"
KEYS = (
    "decode_head.query_embed.weight",
    "decode_head.pixel_decoder.mask_feature.weight",
    f"{DECODER}.attentions.0.attn.w",
    f"{DECODER}.attentions.1.attn.w",
    f"{DECODER}.ffns.0.w",
)
NEW_KEYS = (*KEYS[:2], f"{DECODER}.self_attn.attn.w", f"{DECODER}.cross_attn.attn.w", f"{DECODER}.ffn.w")


def toy_stream(more: Mapping[str, bytes] | None = None, **sections: bytes) -> bytes:
    """The pickle: every key has the same tensor; `more` entries in the state dict, and sections."""
    entries = {**dict.fromkeys(KEYS, tensor()), **(more or {})}
    return stream(mapping({"state_dict": mapping(entries, ORDERED_DICT), **sections}))


def toy(
    more: Mapping[str, bytes] | None = None, storages: Mapping[str, bytes] | None = None, **sections: bytes
) -> bytes:
    """A zip file of it; storage 0 holds two floats where nothing else is said."""
    return torch_zip(toy_stream(more, **sections), storages)
