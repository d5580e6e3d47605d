"""The new names and their order, written out by hand; and optimizer state by name.

It shares no code with the package: what the package makes of a file is held against this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "relative_position_index")
CHILDREN = ("self_attn", "cross_attn", "ffn", "norms")
DECODER = "decoder.layers."
# Which attention of a decoder layer stood first in the old list.
FIRST = {"maskformer": "self_attn", "mask2former": "cross_attn", "deformable_detr": "self_attn"}
# What left the head of Deformable DETR, and the order of what is around it now.
LEFT = {
    "bbox_head.transformer.level_embeds": "level_embed",
    "bbox_head.transformer.reference_points.": "reference_points_fc.",
    "bbox_head.transformer.": "",
    "bbox_head.query_embedding.": "query_embedding.",
}
OUTER = (
    "level_embed",
    "backbone",
    "neck",
    "bbox_head",
    "encoder",
    "decoder",
    "query_embedding",
    "reference_points_fc",
)


def new_name(old: str, family: str) -> str:
    name = old.replace(".ffns.0.", ".ffn.")
    for before, after in LEFT.items() if family == "deformable_detr" else ():
        name = name.replace(before, after)
    if DECODER in name:
        first = FIRST[family]
        second = "cross_attn" if first == "self_attn" else "self_attn"
        name = name.replace(".attentions.0.", f".{first}.")
        return name.replace(".attentions.1.", f".{second}.")
    return name.replace(".attentions.0.", ".self_attn.")


def is_parameter(name: str) -> bool:
    return name.rpartition(".")[2] not in BUFFERS


def new_order(names: Iterable[str], family: str) -> list[str]:
    """New names in the order in which the new modules are registered, from the old ones in theirs.

    Only the decoder's layers have their parts in another order than before, and the parts of
    Deformable DETR.
    """
    named = [new_name(name, family) for name in names]
    if family == "deformable_detr":
        named.sort(key=lambda name: OUTER.index(name.partition(".")[0]))
    places: dict[str, int] = {}
    for name in named:
        places.setdefault(_layer(name)[0], len(places))
    return sorted(named, key=lambda name: (places[_layer(name)[0]], _layer(name)[1]))


def _layer(name: str) -> tuple[str, int]:
    """The decoder layer that a name lies in, and the place of its part there."""
    before, found, after = name.partition(DECODER)
    if not found:
        return name, 0
    number, part = after.split(".")[:2]
    return f"{before}{found}{number}", CHILDREN.index(part)


def by_name(optimizer: Mapping[str, Any], names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Settings and state of each parameter of a loaded optimizer.

    Args:
        names: of the parameters, in the order of the indices.
    """
    groups = optimizer["param_groups"]
    order = list(chain.from_iterable(group["params"] for group in groups))
    assert order == list(range(len(names)))
    assert set(optimizer["state"]) <= set(order)
    found: dict[str, tuple[Any, Any]] = {}
    for group in groups:
        settings = {k: v for k, v in group.items() if k not in ("params", "param_names")}
        for index in group["params"]:
            found[names[index]] = settings, optimizer["state"].get(index)
    return found
