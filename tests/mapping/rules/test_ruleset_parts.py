"""`parts`: what a model of a family has, so that anything else is seen."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.plan import make_plan
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet


def test_every_shipped_model_has_known_parts_alone(library: Library) -> None:
    """All models of the families in six releases, under their new names."""
    table, met = load_table(), set()
    for number in range(len(table)):
        schema = table.schema(number)
        for found in detect(schema.names, library.families):
            names = schema.names
            if found.layout is Layout.OLD:
                names = tuple(make_plan(schema, found.rules).targets.values())
            assert found.rules.unknown(names) == ()
            met.add(found.rules.last.family)
    assert met == {rules.family for rules in library.families if not rules.following}


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("mask2former", "teacher_model.backbone.conv1.weight"),
        ("mask2former", "mask_head.convs.0.weight"),
        ("mask2former", "decode_head.pixel_decoder.encoder.layers.0.cross_attn.attn.in_proj_bias"),
        ("mask2former", "decode_head.transformer_decoder.layers.0.adapter.weight"),
        ("mask2former", "decode_head.query_feat2.weight"),
        ("maskformer", "decode_head.text_encoder.weight"),
        ("detr", "bbox_head.mask_head.lay1.weight"),
        ("detr", "mask_head.lay1.weight"),
        ("detr", "encoder.layers.0.cross_attn.attn.in_proj_weight"),
        ("detr_g1", "bbox_attention.q_linear.weight"),
        ("deformable_detr", "encoder.layers.0.attentions.1.value_proj.weight"),
        ("deformable_detr", "decoder.layers.0.gate.weight"),
        ("rpn", "bbox_head.fc_cls.weight"),
        ("rpn", "roi_extractor.weight"),
        ("yolact", "mask_head.fcn.weight"),
        ("vit", "head.layers.head.weight"),
    ],
)
def test_what_no_rule_knows(family: str, name: str, families: dict[str, RuleSet]) -> None:
    beside = ("backbone.conv1.weight", "neck.convs.0.conv.weight")
    assert families[family].unknown((*beside, name)) == (name,)


@pytest.mark.parametrize("family", ["mask2former", "maskformer", "vit"])
def test_an_auxiliary_head_is_fine(family: str, families: dict[str, RuleSet]) -> None:
    names = ("auxiliary_head.conv_seg.weight", "auxiliary_head.0.convs.0.conv.weight")
    assert families[family].unknown(names) == ()


def test_a_rule_file_may_leave_them_out(families: dict[str, RuleSet]) -> None:
    from dataclasses import replace

    assert replace(families["mask2former"], parts=()).unknown(("x.y",)) == ()


def test_old_names_that_no_rule_moves_are_an_error_already(families: dict[str, RuleSet]) -> None:
    table = load_table()
    release = table.releases["mmsegmentation-1.0.0rc4"]
    number = next(n for config, n in release.items() if config.startswith("mask2former/"))
    schema = table.schema(number)
    name = "decode_head.pixel_decoder.encoder.layers.0.attentions.1.value_proj.weight"
    spec = schema[name.replace("attentions.1", "attentions.0")]
    from mm_ckpt_migrate.schema import Schema, TensorSpec

    more = Schema((*schema.tensors, TensorSpec(name, spec.shape, spec.dtype)))
    with pytest.raises(PlanError, match="that no rule of mask2former"):
        make_plan(more, families["mask2former"])
