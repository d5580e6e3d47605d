"""DETR, Deformable DETR, YOLACT, RPN and Vision Transformers: all their configs."""

from __future__ import annotations

import re

import pytest
from family_pairs import (
    BIAS,
    DEFORMABLE,
    NO_NECK,
    PAIRS,
    R50,
    RENAMED,
    SEG2,
    VIT,
    YOLACT,
    Families,
    Pair,
    found,
    planned,
)
from layouts.tables import DET2, DET_OLD, OLD, configs, parameters, ties

from mm_ckpt_migrate.mapping.plan import compare_layouts, invert, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.detect import Layout
from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.schema import Schema


def test_there_are_as_many_configs_as_shipped() -> None:
    counts = {
        (release, family): sum((p.release, p.family) == (release, family) for p in PAIRS)
        for release, family in {(p.release, p.family) for p in PAIRS}
    }
    assert counts == {
        (DET2, "detr"): 1,
        (DET2, "deformable_detr"): 3,
        (DET2, "yolact"): 3,
        (DET2, "rpn"): 16,
        (DET_OLD, "detr"): 4,
        (DET_OLD, "deformable_detr"): 3,
        (SEG2, "vit"): 23,
        (OLD, "vit"): 24,
    }


@pytest.mark.parametrize("pair", RENAMED, ids=str)
def test_a_config_plans_exactly_onto_its_counterpart(pair: Pair, families: Families) -> None:
    plan = planned(pair, families)
    assert compare_layouts(migrated_schema(plan, pair.old), pair.new) == []
    assert len(plan.moves) == len(pair.old) == len(pair.new)
    assert None not in plan.table.values()


@pytest.mark.parametrize("pair", RENAMED, ids=str)
def test_the_order_of_the_keys_is_the_current_ones(pair: Pair, families: Families) -> None:
    """Optimizer state is indexed by it, so also that of the parameters is held against it."""
    plan = planned(pair, families)
    order = reorder(plan.targets.values(), families[pair.family].last.order)
    assert order == pair.new.names
    wanted = parameters(configs(pair.new_release)[pair.current])
    assert [name for name in order if name in set(wanted)] == wanted


@pytest.mark.parametrize("pair", RENAMED, ids=str)
def test_tied_tensors_stay_tied(pair: Pair, families: Families) -> None:
    plan = planned(pair, families)
    old, new = (
        ties(configs(release)[config])
        for release, config in ((pair.release, pair.config), (pair.new_release, pair.current))
    )
    tied = Schema(pair.old.tensors, None, old)
    assert {frozenset(group) for group in migrated_schema(plan, tied).ties} == set(map(frozenset, new))
    assert len(old) == (8 if "deformable" in pair.config and "refine" not in pair.config else 0)


@pytest.mark.parametrize("pair", RENAMED, ids=str)
def test_the_inverse_gives_the_old_layout_back(pair: Pair, families: Families) -> None:
    plan = planned(pair, families)
    assert migrated_schema(invert(plan), migrated_schema(plan, pair.old)).tensors == (pair.old.tensors)
    assert invert(invert(plan)) == plan


@pytest.mark.parametrize("pair", RENAMED, ids=str)
def test_old_and_new_are_recognised(pair: Pair, families: Families) -> None:
    keys = list(pair.old.names), list(pair.new.names)
    assert found(keys[0], families) == [(pair.family, Layout.OLD)]
    assert found(keys[1], families) == [(pair.family, Layout.NEW)]


MOVED = {
    "detr": r"bbox_head\.(transformer|input_proj|query_embedding)\..+",
    "deformable_detr": r"bbox_head\.(transformer|query_embedding)\..+",
    "yolact": r"segm_head\.segm_conv\.(weight|bias)",
    "rpn": r"rpn_head\..+",
}


@pytest.mark.parametrize("pair", RENAMED, ids=str)
def test_only_the_familys_own_names_change(pair: Pair, families: Families) -> None:
    """More keys are seen not to change than to change, but for small backbones of DETR."""
    plan = planned(pair, families)
    moved = re.compile(MOVED[pair.family])
    assert set(plan.renamed) == {name for name in pair.old.names if moved.fullmatch(name)}
    kept = [name for name in pair.old.names if name not in plan.renamed]
    assert all(name.startswith(("backbone.", "neck.", "bbox_head.", "mask_head.")) for name in kept)
    assert len(kept) > 120


@pytest.mark.parametrize("pair", [p for p in RENAMED if p.config != NO_NECK], ids=str)
def test_the_control_fits_the_model_too(pair: Pair, families: Families) -> None:
    """No comparison of layouts can tell the deliberate error: only outputs can."""
    wrong = make_plan(pair.old, families[pair.family].with_control())
    assert compare_layouts(migrated_schema(wrong, pair.old), pair.new) == []
    right = planned(pair, families)
    assert {old for old, new in right.targets.items() if wrong.targets[old] != new}


@pytest.mark.parametrize(
    ("pair", "old", "new"),
    [
        (
            R50,
            "bbox_head.transformer.encoder.layers.0.attentions.0.attn.in_proj_weight",
            "encoder.layers.0.self_attn.attn.in_proj_weight",
        ),
        (
            R50,
            "bbox_head.transformer.decoder.layers.5.attentions.0.attn.out_proj.bias",
            "decoder.layers.5.self_attn.attn.out_proj.bias",
        ),
        (
            R50,
            "bbox_head.transformer.decoder.layers.5.attentions.1.attn.out_proj.bias",
            "decoder.layers.5.cross_attn.attn.out_proj.bias",
        ),
        (
            R50,
            "bbox_head.transformer.decoder.layers.2.ffns.0.layers.0.0.weight",
            "decoder.layers.2.ffn.layers.0.0.weight",
        ),
        (R50, "bbox_head.transformer.decoder.post_norm.weight", "decoder.post_norm.weight"),
        (R50, "bbox_head.input_proj.bias", "neck.convs.0.conv.bias"),
        (R50, "bbox_head.fc_cls.bias", None),
        (R50, "bbox_head.reg_ffn.layers.1.weight", None),
        (R50, "backbone.layer1.0.bn1.num_batches_tracked", None),
        (DEFORMABLE, "bbox_head.transformer.level_embeds", "level_embed"),
        (DEFORMABLE, "bbox_head.transformer.reference_points.weight", "reference_points_fc.weight"),
        (
            DEFORMABLE,
            "bbox_head.transformer.encoder.layers.0.attentions.0.value_proj.bias",
            "encoder.layers.0.self_attn.value_proj.bias",
        ),
        (
            DEFORMABLE,
            "bbox_head.transformer.decoder.layers.0.attentions.1.sampling_offsets.bias",
            "decoder.layers.0.cross_attn.sampling_offsets.bias",
        ),
        (DEFORMABLE, "bbox_head.cls_branches.5.weight", None),
        (DEFORMABLE, "neck.convs.0.conv.weight", None),
        (YOLACT, "segm_head.segm_conv.weight", "mask_head.segm_branch.segm_conv.weight"),
        (YOLACT, "mask_head.protonet.0.weight", None),
    ],
)
def test_a_name_at_a_time(pair: Pair, old: str, new: str | None, families: Families) -> None:
    assert planned(pair, families).targets[old] == (new or old)


# --- Vision Transformers, where nothing is renamed ----------------------------------------------


@pytest.mark.parametrize("pair", VIT, ids=str)
def test_a_vision_transformer_keeps_its_names_and_has_one_more(pair: Pair, families: Families) -> None:
    """The one that the current release has no place for, unless the config says so."""
    plan = planned(pair, families)
    assert plan.renamed == {}
    assert compare_layouts(migrated_schema(plan, pair.old), pair.new) == [f"unexpected: {BIAS}"]
    assert found(list(pair.old.names), families) == [("vit", Layout.OLD)]
    assert tuple(name for name in pair.old.names if name != BIAS) == pair.new.names


@pytest.mark.parametrize("pair", VIT, ids=str)
def test_without_the_bias_there_is_nothing_to_tell(pair: Pair, families: Families) -> None:
    assert found(list(pair.new.names), families) == []
