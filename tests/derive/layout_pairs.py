"""Layouts to derive from: those of shipped models, and small ones made up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mm_ckpt_migrate.derive.assignment import Derivation, Layouts
from mm_ckpt_migrate.derive.propose import derive
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.plan import Plan, make_plan
from mm_ckpt_migrate.mapping.rules.load import load_ruleset
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema, TensorSpec

DET2, DET_OLD, DET_NEW = "mmdet-2.28.2", "mmdet-3.0.0rc4", "mmdet-3.3.0"
SEG_OLD, SEG_NEW = "mmsegmentation-1.0.0rc4", "mmsegmentation-1.2.2"

# One of each family, variant and code base: release, config, config of the current release.
MODELS: dict[str, tuple[str, str, str, str, str]] = {
    "detr": ("detr", DET2, "detr/detr_r50_8x2_150e_coco.py", DET_NEW, "detr/detr_r50_8xb2-150e_coco.py"),
    "deformable": (
        "deformable_detr",
        DET2,
        "deformable_detr/deformable_detr_r50_16x2_50e_coco.py",
        DET_NEW,
        "deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
    ),
    "deformable_refine": (
        "deformable_detr",
        DET2,
        "deformable_detr/deformable_detr_refine_r50_16x2_50e_coco.py",
        DET_NEW,
        "deformable_detr/deformable-detr-refine_r50_16xb2-50e_coco.py",
    ),
    "deformable_two_stage": (
        "deformable_detr",
        DET2,
        "deformable_detr/deformable_detr_twostage_refine_r50_16x2_50e_coco.py",
        DET_NEW,
        "deformable_detr/deformable-detr-refine-twostage_r50_16xb2-50e_coco.py",
    ),
    "mask2former_mmdet": (
        "mask2former",
        DET2,
        "mask2former/mask2former_r50_lsj_8x2_50e_coco.py",
        DET_NEW,
        "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py",
    ),
    "mask2former_mmdet_swin": (
        "mask2former",
        DET_OLD,
        "mask2former/mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco.py",
        DET_NEW,
        "mask2former/mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco.py",
    ),
    "maskformer_mmdet": (
        "maskformer",
        DET2,
        "maskformer/maskformer_r50_mstrain_16x1_75e_coco.py",
        DET_NEW,
        "maskformer/maskformer_r50_ms-16xb1-75e_coco.py",
    ),
    "mask2former_mmseg": (
        "mask2former",
        SEG_OLD,
        "mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py",
        SEG_NEW,
        "mask2former/mask2former_r50_8xb2-90k_cityscapes-512x1024.py",
    ),
    "mask2former_mmseg_swin": (
        "mask2former",
        SEG_OLD,
        "mask2former/mask2former_swin-s_8xb2-160k_ade20k-512x512.py",
        SEG_NEW,
        "mask2former/mask2former_swin-s_8xb2-160k_ade20k-512x512.py",
    ),
    "maskformer_mmseg": (
        "maskformer",
        SEG_OLD,
        "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py",
        SEG_NEW,
        "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py",
    ),
    "maskformer_mmseg_swin": (
        "maskformer",
        SEG_OLD,
        "maskformer/maskformer_swin-t_upernet_8xb2-160k_ade20k-512x512.py",
        SEG_NEW,
        "maskformer/maskformer_swin-t_upernet_8xb2-160k_ade20k-512x512.py",
    ),
    "yolact": (
        "yolact",
        DET2,
        "yolact/yolact_r50_1x8_coco.py",
        DET_NEW,
        "yolact/yolact_r50_1xb8-55e_coco.py",
    ),
    "rpn": ("rpn", DET2, "rpn/rpn_r50_fpn_1x_coco.py", DET_NEW, "rpn/rpn_r50_fpn_1x_coco.py"),
    "ga_rpn": (
        "rpn",
        DET2,
        "guided_anchoring/ga_rpn_r50_caffe_fpn_1x_coco.py",
        DET_NEW,
        "guided_anchoring/ga-rpn_r50-caffe_fpn_1x_coco.py",
    ),
}


def shipped(release: str, config: str) -> Schema:
    table = load_table()
    return table.schema(table.releases[release][config])


def layouts_of(model: str) -> Layouts:
    _, old_release, old, new_release, new = MODELS[model]
    return Layouts(shipped(old_release, old), shipped(new_release, new), old, new)


def family_of(model: str) -> str:
    return MODELS[model][0]


def schema(tensors: Mapping[str, tuple[int, ...]]) -> Schema:
    return Schema(tuple(TensorSpec(name, shape, "float32") for name, shape in tensors.items()))


def renamed(old: Schema, change: Callable[[str], str]) -> Schema:
    return Schema(tuple(TensorSpec(change(s.name), s.shape, s.dtype) for s in old.tensors))


def replaced(pattern: str, text: str) -> Callable[[str], str]:
    return lambda name: re.sub(pattern, text, name)


def derived(old: Schema, new: Schema, config: Any = None) -> Derivation:
    return derive(Layouts(old, new, "old.pth", "new.py"), "fork", config)


def loaded(found: Derivation) -> RuleSet:
    with TemporaryDirectory() as folder:
        path = Path(folder, "fork.yaml")
        path.write_text(found.text)
        return load_ruleset(path)


def plan_of(found: Derivation, old: Schema) -> Plan:
    """What the planner makes of the text, as of any rule file."""
    return make_plan(old, loaded(found))
