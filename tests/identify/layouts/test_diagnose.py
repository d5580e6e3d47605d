"""What is no shipped model: foreign, half migrated, renamed. Nothing is fine that is not."""

from __future__ import annotations

import re

import pytest

from layouts.tables import DET2, DET_NEW, DET_OLD, NEW, OLD
from layouts.test_identify import M2F, judge, layout_of
from mm_ckpt_migrate.identify.diagnosis.diagnosis import Finding
from mm_ckpt_migrate.schema import Schema, TensorSpec

RESNET = "faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py"
FOREIGN = {
    "torchvision's ResNet": lambda name: name.removeprefix("backbone."),
    "in a wrapper": lambda name: f"model.{name}",
    "of a distributed training": lambda name: f"module.{name}",
    "timm's way": lambda name: name.replace("backbone.", "body.").replace(".conv", ".block"),
}


def renamed(schema: Schema, pattern: str, text: str) -> Schema:
    names = (re.sub(pattern, text, spec.name) for spec in schema.tensors)
    specs = zip(names, schema.tensors, strict=True)
    return Schema(tuple(TensorSpec(name, spec.shape, spec.dtype) for name, spec in specs))


def keys(*names: str) -> Schema:
    return Schema(tuple(TensorSpec(name, (2,), "float32") for name in names))


@pytest.mark.parametrize("way", FOREIGN)
def test_names_of_other_projects(way: str) -> None:
    schema = layout_of(DET2, RESNET)
    specs = (TensorSpec(FOREIGN[way](s.name), s.shape, s.dtype) for s in schema.tensors)
    found = judge(Schema(tuple(specs)))
    assert (found.finding, found.identity, found.family) == (Finding.UNKNOWN, None, None)


@pytest.mark.parametrize(
    "schema",
    [
        keys(),
        keys("w"),
        keys("cls_token", "pos_embed", "blocks.0.attn.qkv.weight", "head.weight"),
        keys("bert.encoder.layer.0.attention.self.query.weight"),
        keys("a.b", "a", "a.b.c", "a.0.1.2.3"),
        keys(*(f"{'x.' * n}y" for n in range(300))),
    ],
    ids=["empty", "one", "timm", "bert", "odd", "deep"],
)
def test_other_state_dicts(schema: Schema) -> None:
    found = judge(schema)
    assert (found.finding, found.identity, found.goal) == (Finding.UNKNOWN, None, None)
    assert found.loads_in == ()


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("model.pixel_level_module.decoder.mask_projection.weight", "Hugging Face"),
        ("sem_seg_head.predictor.query_feat.weight", "detectron2"),
        ("pts_bbox_head.transformer.encoder.layers.0.attentions.1.w", "BEVFormer"),
    ],
)
def test_lookalikes(name: str, family: str) -> None:
    found = judge(keys(name))
    assert found.finding is Finding.LOOKALIKE
    assert found.family is not None
    assert family in found.family


def test_half_migrated() -> None:
    half = renamed(layout_of(OLD, M2F), r"(layers\.[3-9]\.)ffns\.0\.", r"\1ffn.")
    assert judge(half).finding is Finding.CANNOT
    assert judge(half).layout == "mixed"


@pytest.mark.parametrize(
    ("release", "config", "pattern", "text"),
    [
        (OLD, M2F, r"^decode_head\.", "my_head."),
        (OLD, M2F, r"\.attentions\.", ".attns."),
        (DET2, RESNET, r"^rpn_head\.", "proposals."),
        (DET2, RESNET, r"^backbone\.", "body."),
        (DET_OLD, "detr/detr_r50_8xb2-150e_coco.py", r"^bbox_head\.transformer\.", "detr.form."),
        (NEW, M2F, r"\.self_attn\.", ".attn_self."),
        (NEW, M2F, r"^backbone\.", "body."),
    ],
)
def test_a_model_with_names_of_its_own(release: str, config: str, pattern: str, text: str) -> None:
    """Neither is it fine, nor do rules fit."""
    found = judge(renamed(layout_of(release, config), pattern, text))
    assert found.finding in (Finding.UNKNOWN, Finding.CANNOT)


def test_what_a_release_renames_by_itself_has_nothing_strange_in_it() -> None:
    """mmdet 3 does not rename a two-stage detector's head: this one may be one."""
    found = judge(renamed(layout_of(DET2, RESNET), r"^roi_head\.", "roi_heads."))
    assert found.finding not in (Finding.CURRENT, Finding.LOADS)
    assert any("roi_heads" in line for line in found.evidence)


@pytest.mark.parametrize(
    ("finding", "release", "config", "other"),
    [
        (Finding.CURRENT, NEW, M2F, None),
        (Finding.CURRENT, DET_NEW, "atss/atss_r50_fpn_1x_coco.py", "retinanet/retinanet_r18_fpn_1x_coco.py"),
        (Finding.MIGRATE, DET2, "yolact/yolact_r50_1x8_coco.py", "retinanet/retinanet_r18_fpn_1x_coco.py"),
        (Finding.LOADS, DET2, "rpn/rpn_r50_fpn_1x_coco.py", "retinanet/retinanet_r18_fpn_1x_coco.py"),
    ],
)
def test_another_backbone(finding: Finding, release: str, config: str, other: str | None) -> None:
    """A ResNet of two convolutions a block in place of three: no config has the two together."""
    schema = layout_of(release, config)
    small = layout_of(DET_NEW, other or "retinanet/retinanet_r18_fpn_1x_coco.py")
    head = [spec for spec in schema.tensors if not spec.name.startswith("backbone.")]
    backbone = [spec for spec in small.tensors if spec.name.startswith("backbone.")]
    found = judge(Schema((*backbone, *head)))
    assert found.finding is finding
    if found.identity is not None:
        assert config.partition("/")[0] in str(found.identity.configs)


def test_a_head_of_its_own_beside_a_shipped_model() -> None:
    schema = layout_of(NEW, "pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py")
    more = Schema((*schema.tensors, TensorSpec("edge_head.conv.weight", (1, 64, 1, 1), "float32")))
    found = judge(more)
    assert found.finding is Finding.UNKNOWN
    assert found.evidence == ("unexpected: edge_head.conv.weight",)
    assert found.identity is not None
    assert any("pspnet" in config for config in found.identity.configs[NEW])


def test_a_migration_says_what_differs() -> None:
    schema = layout_of(OLD, M2F)
    change = {"decode_head.cls_embed.weight": (22, 256), "decode_head.cls_embed.bias": (22,)}
    specs = (TensorSpec(s.name, change.get(s.name, s.shape), s.dtype) for s in schema.tensors)
    found = judge(Schema(tuple(specs)))
    assert (found.finding, found.family, found.layout) == (Finding.MIGRATE, "mask2former", "old")
    assert any("decode_head.cls_embed.weight is [22, 256], not" in line for line in found.evidence)
    assert found.loads_in == (OLD,)
    assert found.goal is not None
    assert found.goal.release == NEW
    assert found.advice == "Migrate it: mm-ckpt-migrate convert mask2former CFG OLD NEW."
    assert found.order is not None
    assert (found.order.moved, found.order.parameters) == (72, 451)


def test_a_config_of_ones_own_is_needed() -> None:
    found = judge(layout_of("mmsegmentation-0.30.0", "sem_fpn/fpn_r101_512x512_160k_ade20k.py"))
    assert found.finding is Finding.CANNOT
    assert "No name changed: a config like fpn_r101" in found.advice
    assert "unexpected: backbone.layer3.{6…22}.conv1.weight" in found.evidence


def test_a_setting_that_the_weights_need() -> None:
    found = judge(layout_of(OLD, "setr/setr_vit-l_pup_8xb2-160k_ade20k-512x512.py"))
    assert (found.finding, found.family) == (Finding.CONFIG, "vit")
    assert found.needs == {"model.backbone.patch_bias": True}
    assert "model.backbone.patch_bias=True" in found.advice


def test_what_the_release_renames_by_itself() -> None:
    found = judge(layout_of(DET2, "rpn/rpn_r50_fpn_1x_coco.py"))
    assert found.finding is Finding.LOADS
    assert found.loads_in == (DET2, DET_OLD, DET_NEW)
