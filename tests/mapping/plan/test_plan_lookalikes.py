"""What is not of the later families, however much it looks like it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from family_pairs import DEFORMABLE, R50, SEG2, YOLACT, Families, Pair, family_of_config, found, planned
from layouts.tables import DET2, DET_NEW, DET_OLD, NEW, OLD, configs, names

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.plan import compare_layouts, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

# --- what looks alike ---------------------------------------------------------------------------


@pytest.mark.parametrize("release", [DET2, DET_OLD, DET_NEW])
def test_a_detector_with_two_stages_is_never_an_rpn(release: str, families: Families) -> None:
    seen = 0
    for config in configs(release):
        keys = names(release, config)
        heads = {key.partition(".")[0] for key in keys}
        if "rpn_head" in heads and heads & {"roi_head", "mask_head", "bbox_head"}:
            seen += 1
            assert "rpn" not in [family for family, _ in found(keys, families)], config
    assert seen > 150


def test_a_cascade_rpn_is_never_an_rpn(families: Families) -> None:
    alone = names(DET2, "cascade_rpn/crpn_r50_caffe_fpn_1x_coco.py")
    assert {key.partition(".")[0] for key in alone} == {"backbone", "neck", "rpn_head"}
    for release in (DET2, DET_OLD, DET_NEW):
        for config in (c for c in configs(release) if c.startswith("cascade_rpn/")):
            assert found(names(release, config), families) == [], config


OTHERS = ("conditional_detr/", "dino/", "ddq/", "dab_detr/", "grounding_dino/", "glip/", "mm_grounding_dino/")


@pytest.mark.parametrize("folder", OTHERS)
def test_a_later_detr_is_never_an_earlier_one(folder: str, families: Families) -> None:
    own = [config for config in configs(DET_NEW) if config.startswith(folder)]
    assert own
    for config in own:
        assert found(names(DET_NEW, config), families) == [], config


def test_in_no_release_does_anything_else_bear_the_marks(families: Families) -> None:
    """All 4028 configs."""
    ours = {"detr", "detr_g1", "deformable_detr", "yolact", "rpn", "vit"}
    table = load_table()
    cached: dict[int, list[str]] = {}
    for release, layouts in table.releases.items():
        for config, number in layouts.items():
            if number not in cached:
                hits = detect(table.schema(number).names, tuple(families.values()))
                cached[number] = [hit.rules.family for hit in hits if hit.rules.family in ours]
            family = family_of_config(config)
            if config.startswith("v3det/deformable"):
                family = "deformable_detr"
            if (release, family) == (NEW, "vit"):
                family = None
            assert cached[number] == ([family] if family else []), (release, config)
    assert sum(map(len, table.releases.values())) == 4028


# --- what is refused ----------------------------------------------------------------------------


def keys_of(schema: Schema, *, without: str = "", plus: str = "") -> Schema:
    tensors = tuple(spec for spec in schema.tensors if spec.name != without)
    extra = (replace(schema.tensors[0], name=plus),) if plus else ()
    assert len(tensors) == len(schema) - bool(without)
    return Schema((*tensors, *extra))


CLS = "bbox_head.fc_cls.bias"
NORM = "bbox_head.transformer.decoder.layers.3.norms.1.bias"


@pytest.mark.parametrize(
    ("without", "plus", "lines"),
    [
        (CLS, "", [f"missing: {CLS}"]),
        (NORM, "", ["missing: decoder.layers.3.norms.1.bias"]),
        ("", "bbox_head.fc_obj.bias", ["unexpected: bbox_head.fc_obj.bias"]),
        ("", "neck.convs.0.bn.weight", ["unexpected: neck.convs.0.bn.weight"]),
        (
            NORM,
            NORM.replace("norms", "ln"),
            ["missing: decoder.layers.3.norms.1.bias", "unexpected: decoder.layers.3.ln.1.bias"],
        ),
    ],
)
def test_a_changed_model_does_not_cover_the_target(
    without: str, plus: str, lines: list[str], families: Families
) -> None:
    old = keys_of(R50.old, without=without, plus=plus)
    assert compare_layouts(migrated_schema(make_plan(old, families["detr"]), old), R50.new) == lines


def fault(schema: Schema, rules: RuleSet) -> str:
    with pytest.raises(PlanError) as caught:
        make_plan(schema, rules)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("pair", [R50, DEFORMABLE], ids=["detr", "deformable_detr"])
@pytest.mark.parametrize("key", ["bbox_head.transformer.x", "bbox_head.transformer.middle.layers.0.weight"])
def test_what_is_left_in_the_old_transformer_is_refused(key: str, pair: Pair, families: Families) -> None:
    message = fault(keys_of(pair.old, plus=key), families[pair.family])
    assert message == f"'{key}' has an old name that no rule of {pair.family}.yaml moves"


@pytest.mark.parametrize(
    ("pair", "change"),
    [
        (R50, (".ffns.", ".mlp.")),
        (R50, (".attentions.1.", ".attention.1.")),
        (R50, ("bbox_head.input_proj.", "bbox_head.proj.")),
        (R50, ("bbox_head.query_embedding.", "bbox_head.queries.")),
        (DEFORMABLE, ("bbox_head.transformer.level_embeds", "bbox_head.level_embeds")),
        (YOLACT, ("segm_head.segm_conv.", "segm_head.conv.")),
    ],
)
def test_a_renamed_part_is_refused(pair: Pair, change: tuple[str, str], families: Families) -> None:
    """A rule that finds nothing is no rule for this checkpoint."""
    renamed = tuple(replace(s, name=s.name.replace(*change)) for s in pair.old.tensors)
    assert "fits no key of this checkpoint" in fault(Schema(renamed), families[pair.family])


@pytest.mark.parametrize("pair", [R50, DEFORMABLE, YOLACT], ids=lambda p: p.family)
def test_a_half_migrated_file_is_neither(pair: Pair, families: Families) -> None:
    plan = planned(pair, families)
    renamed = list(plan.renamed)
    half = [plan.targets[k] if k in renamed[::2] else k for k in pair.old.names]
    assert found(half, families) == [(pair.family, Layout.MIXED)]


@pytest.mark.parametrize("pair", [R50, DEFORMABLE, YOLACT], ids=lambda p: p.family)
def test_both_names_of_one_tensor_collide(pair: Pair, families: Families) -> None:
    plan = planned(pair, families)
    old, new = next(iter(plan.renamed.items()))
    message = fault(keys_of(pair.old, plus=new), families[pair.family])
    assert f"'{old}' and '{new}' would both become '{new}'" in message


def test_a_list_that_is_gone_leaves_no_path(families: Families, schema: Callable[..., Schema]) -> None:
    """Although a general rule fits the path of the list itself."""
    layer = "bbox_head.transformer.decoder.layers.0"
    kept = [name for name in R50.old.names if "layers.0." in name or "layers" not in name]
    keys = [*kept]
    paths = [
        "",
        "bbox_head",
        "bbox_head.transformer",
        layer,
        f"{layer}.attentions",
        f"{layer}.attentions.0",
        f"{layer}.ffns",
    ]
    plan = make_plan(schema(keys, paths), families["detr"])
    targets = {move.source: move.target for move in plan.modules if move.source is not None}
    assert targets == {
        "": "",
        "bbox_head": "bbox_head",
        "bbox_head.transformer": None,
        layer: "decoder.layers.0",
        f"{layer}.attentions": None,
        f"{layer}.attentions.0": "decoder.layers.0.self_attn",
        f"{layer}.ffns": None,
    }


@pytest.mark.parametrize("folder", ["beit", "mae", "convnext", "segformer", "swin", "twins", "san"])
@pytest.mark.parametrize("release", [SEG2, OLD, NEW])
def test_other_transformers_are_not_ours(folder: str, release: str, families: Families) -> None:
    own = [config for config in configs(release) if config.startswith(f"{folder}/")]
    assert own or (folder, release) in {("san", SEG2), ("san", OLD)}
    for config in own:
        assert found(names(release, config), families) == [], config
