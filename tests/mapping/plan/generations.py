"""DETR's first generation of names, made from its second."""

from __future__ import annotations

import re
from dataclasses import replace

from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

CONFIGS = ("detr_r18_8xb2-500e_coco", "detr_r50_8xb2-150e_coco", "detr_r101_8xb2-500e_coco")
# What mmdet 2.12.0 renamed, read backwards.
SECOND_TO_FIRST = (
    (r"(\.decoder\.layers\.\d+)\.attentions\.1\.", r"\1.multihead_attn."),
    (r"\.attentions\.0\.", ".self_attn."),
    (r"\.ffns\.0\.", ".ffn."),
    (r"\.post_norm\.", ".norm."),
)
LAYER = "bbox_head.transformer.decoder.layers.5"


def first_name(name: str) -> str:
    for pattern, text in SECOND_TO_FIRST:
        name = re.sub(pattern, text, name)
    return name


def first_generation(second: Schema) -> Schema:
    """The layout as mmdet 2.10 had it, with an entry of `_metadata` for every module."""
    tensors = tuple(replace(spec, name=first_name(spec.name)) for spec in second.tensors)
    paths = [spec.name.rpartition(".")[0] for spec in tensors]
    above = {path[:end]: 1 for path in paths for end in range(len(path)) if path[end] == "."}
    modules = {"": 1, **above, **dict.fromkeys(paths, 1), "bbox_head.positional_encoding": None}
    return Schema(tensors, dict(sorted(modules.items())))


def alone(rules: RuleSet) -> RuleSet:
    """One generation of a chain."""
    return replace(rules, following=None)
