"""The shipped rules against every config of the families: by name, shape and dtype, all of them."""

from __future__ import annotations

import re

import pytest
from layouts.tables import DET2, OLD, family_of, layout, pairs

from mm_ckpt_migrate.mapping.plan import compare_layouts, invert, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

Families = dict[str, RuleSet]
Pair = tuple[Schema, Schema, str]

SWIN_L = "mask2former/mask2former_swin-l-in22k-384x384-pre_8xb2-160k_ade20k-640x640.py"
R50 = "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
ENCODER = "maskformer/maskformer_r50_mstrain_16x1_75e_coco.py"
MOVED = re.compile(
    r"(decode_head|panoptic_head)\."
    r"(transformer_decoder\.layers\.\d\.(attentions\.[01]|ffns\.0)\..+"
    r"|pixel_decoder\.encoder\.layers\.\d\.(attentions|ffns)\.0\..+)"
)


@pytest.fixture(params=pairs(), ids=lambda p: f"{p[0]}-{p[1].partition('/')[2]}")
def pair(request: pytest.FixtureRequest) -> Pair:
    """The old layout of a config, the new one, and its family."""
    old_release, old_config, new_release, new_config = request.param
    return layout(old_release, old_config), layout(new_release, new_config), family_of(old_config)


def test_there_are_as_many_configs_as_shipped() -> None:
    assert len(pairs()) == 17 + 13 + 13


def test_a_config_plans_exactly_onto_its_counterpart(pair: Pair, families: Families) -> None:
    old, new, family = pair
    plan = make_plan(old, families[family])
    assert compare_layouts(migrated_schema(plan, old), new) == []
    assert set(plan.targets.values()) == set(new.names)
    assert len(plan.moves) == len(old) == len(new)


def test_the_inverse_gives_the_old_layout_back(pair: Pair, families: Families) -> None:
    old, new, family = pair
    plan = make_plan(old, families[family])
    back = invert(plan)
    assert migrated_schema(back, migrated_schema(plan, old)).tensors == old.tensors
    assert compare_layouts(migrated_schema(back, new), old) == []
    assert invert(back) == plan


def test_only_the_layers_own_names_change(pair: Pair, families: Families) -> None:
    """As many keys are checked not to change as to change."""
    old, _, family = pair
    plan = make_plan(old, families[family])
    assert set(plan.renamed) == {name for name in old.names if MOVED.fullmatch(name)}
    kept = set(old.names) - set(plan.renamed)
    assert len(kept) > len(plan.renamed) >= 72
    for part in ("backbone.", ".norms.", ".query_", ".mask_embed.", ".cls_embed.", "_convs."):
        assert any(part in name for name in kept)
        assert not any(part in name for name in plan.renamed)


def test_the_new_layout_is_recognised_as_new(pair: Pair, families: Families) -> None:
    old, new, family = pair
    for schema, expected in ((old, Layout.OLD), (new, Layout.NEW)):
        found = detect(schema.names, tuple(families.values()))
        assert [(hit.rules.family, hit.layout) for hit in found] == [(family, expected)]


def test_the_control_fits_the_model_too(pair: Pair, families: Families) -> None:
    """Self- and cross-attention have equal shapes: no comparison of layouts can tell them apart."""
    old, new, family = pair
    right = make_plan(old, families[family])
    wrong = make_plan(old, families[family].with_control())
    assert compare_layouts(migrated_schema(wrong, old), new) == []
    assert right.targets != wrong.targets
    different = [name for name in old.names if right.targets[name] != wrong.targets[name]]
    assert all(".transformer_decoder.layers." in name for name in different)


@pytest.mark.parametrize(("config", "other"), [(SWIN_L, "maskformer"), (ENCODER, "mask2former")])
def test_the_other_familys_rules_fit_as_well(config: str, other: str, families: Families) -> None:
    """Why a file must be recognised first: the wrong rules give a file that loads strictly."""
    old_release, _, new_release, new_config = next(p for p in pairs() if p[1] == config)
    old, new = layout(old_release, config), layout(new_release, new_config)
    wrong = make_plan(old, families[other])
    assert compare_layouts(migrated_schema(wrong, old), new) == []


@pytest.mark.parametrize(
    ("config", "old", "new"),
    [
        (
            R50,
            "decode_head.transformer_decoder.layers.5.attentions.0.attn.in_proj_weight",
            "decode_head.transformer_decoder.layers.5.self_attn.attn.in_proj_weight",
        ),
        (
            R50,
            "decode_head.transformer_decoder.layers.0.attentions.1.attn.out_proj.bias",
            "decode_head.transformer_decoder.layers.0.cross_attn.attn.out_proj.bias",
        ),
        (
            R50,
            "decode_head.transformer_decoder.layers.0.ffns.0.layers.0.0.weight",
            "decode_head.transformer_decoder.layers.0.ffn.layers.0.0.weight",
        ),
        (
            SWIN_L,
            "decode_head.transformer_decoder.layers.8.attentions.0.attn.in_proj_weight",
            "decode_head.transformer_decoder.layers.8.cross_attn.attn.in_proj_weight",
        ),
        (
            SWIN_L,
            "decode_head.transformer_decoder.layers.8.attentions.1.attn.in_proj_weight",
            "decode_head.transformer_decoder.layers.8.self_attn.attn.in_proj_weight",
        ),
        (
            SWIN_L,
            "decode_head.pixel_decoder.encoder.layers.5.attentions.0.value_proj.bias",
            "decode_head.pixel_decoder.encoder.layers.5.self_attn.value_proj.bias",
        ),
        # Must not change, however much they look like it.
        (R50, "decode_head.transformer_decoder.layers.0.norms.0.weight", None),
        (R50, "decode_head.transformer_decoder.post_norm.weight", None),
        (R50, "decode_head.query_embed.weight", None),
        (R50, "backbone.layer1.0.bn1.num_batches_tracked", None),
        (SWIN_L, "backbone.stages.0.blocks.0.ffn.layers.0.0.weight", None),
        (SWIN_L, "backbone.stages.2.blocks.17.attn.w_msa.relative_position_index", None),
        (SWIN_L, "decode_head.query_feat.weight", None),
        (SWIN_L, "decode_head.level_embed.weight", None),
        (SWIN_L, "decode_head.pixel_decoder.encoder.layers.0.norms.1.bias", None),
        (SWIN_L, "decode_head.pixel_decoder.level_encoding.weight", None),
    ],
)
def test_a_name_at_a_time(config: str, old: str, new: str | None, families: Families) -> None:
    plan = make_plan(layout(OLD, config), families[family_of(config)])
    assert plan.targets[old] == (new or old)


def test_the_variant_with_an_encoder_has_two_more_rules(families: Families) -> None:
    """MaskFormer's encoder rules are optional: mmseg's own configs have no encoder."""
    rules = families["maskformer"]
    fired = {move.rule for move in make_plan(layout(DET2, ENCODER), rules).moves}
    assert fired == {None, 0, 1, 2, 3, 4}
    fired = {move.rule for move in make_plan(layout(OLD, R50), rules).moves}
    assert fired == {None, 0, 1, 2}


def test_a_plan_names_every_key_once(families: Families) -> None:
    old = layout(OLD, SWIN_L)
    plan = make_plan(old, families["mask2former"])
    assert [move.source for move in plan.moves] == list(old.names)
    assert (len(plan.moves), len(plan.renamed)) == (649, 180)
