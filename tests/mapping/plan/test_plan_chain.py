"""DETR's three generations of names: two renames in one plan, and the whole way back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from generations import CONFIGS, LAYER, alone, first_generation, first_name
from layouts.tables import DET2, DET_NEW, DET_OLD, configs, layout, parameters
from support.files import GOLDEN_FOLDER
from support.opened import opened

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.plan import Plan, compare_layouts, compose, invert, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

Families = dict[str, RuleSet]
MakeSchema = Callable[..., Schema]


@pytest.fixture(params=CONFIGS)
def first(request: pytest.FixtureRequest) -> Schema:
    return first_generation(layout(DET_OLD, f"detr/{request.param}.py"))


@pytest.fixture
def r50() -> Schema:
    return first_generation(layout(DET2, "detr/detr_r50_8x2_150e_coco.py"))


@pytest.fixture
def plan(first: Schema, families: Families) -> Plan:
    return make_plan(first, families["detr_g1"])


def test_one_plan_does_what_two_do(first: Schema, plan: Plan, families: Families) -> None:
    step = make_plan(first, alone(families["detr_g1"]))
    middle = migrated_schema(step, first)
    assert (
        compare_layouts(
            migrated_schema(make_plan(middle, families["detr"]), middle), migrated_schema(plan, first)
        )
        == []
    )
    other = make_plan(middle, families["detr"])
    assert plan == compose(step, other)
    assert plan.targets == {old: other.targets[new] for old, new in step.targets.items()}
    assert migrated_schema(plan, first) == migrated_schema(other, middle)


def test_the_step_between_is_the_second_generation(families: Families) -> None:
    second = layout(DET_OLD, f"detr/{CONFIGS[1]}.py")
    first = first_generation(second)
    step = make_plan(first, alone(families["detr_g1"]))
    assert migrated_schema(step, first).tensors == second.tensors


def test_it_names_both_ends(plan: Plan, families: Families) -> None:
    ends = families["detr_g1"], families["detr"]
    assert (plan.family, plan.released_from, plan.released_to) == (
        "detr_g1",
        ends[0].released_from,
        ends[1].released_to,
    )
    assert plan.rules == tuple(str(rule) for rules in ends for rule in rules.rules)
    assert plan.rules_digest not in {rules.digest for rules in ends}


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_of_the_first_generation_plans_onto_the_current_one(config: str, families: Families) -> None:
    first = first_generation(layout(DET_OLD, f"detr/{config}.py"))
    plan = make_plan(first, families["detr_g1"])
    new = layout(DET_NEW, f"detr/{config}.py")
    assert compare_layouts(migrated_schema(plan, first), new) == []
    ordered = reorder(plan.targets.values(), families["detr_g1"].last.order)
    assert ordered == new.names


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (
            f"{LAYER}.self_attn.attn.in_proj_weight",
            "decoder.layers.5.self_attn.attn.in_proj_weight",
            "attentions.0.** -> decoder.layers.{i}.self_attn.**",
        ),
        (
            f"{LAYER}.multihead_attn.attn.out_proj.bias",
            "decoder.layers.5.cross_attn.attn.out_proj.bias",
            "attentions.1.** -> decoder.layers.{i}.cross_attn.**",
        ),
        (f"{LAYER}.ffn.layers.0.0.weight", "decoder.layers.5.ffn.layers.0.0.weight", "ffn.**"),
        (f"{LAYER}.norms.2.bias", "decoder.layers.5.norms.2.bias", "{coder}.**"),
        ("bbox_head.transformer.decoder.norm.weight", "decoder.post_norm.weight", "{coder}.**"),
        ("bbox_head.input_proj.weight", "neck.convs.0.conv.weight", "neck.convs.0.conv.**"),
        ("bbox_head.query_embedding.weight", "query_embedding.weight", "query_embedding.**"),
        ("bbox_head.reg_ffn.layers.0.0.weight", None, None),
        ("backbone.conv1.weight", None, None),
    ],
)
def test_a_name_at_a_time(
    old: str, new: str | None, rule: str | None, r50: Schema, families: Families
) -> None:
    """The rule that is named is the last one that the key met."""
    plan = make_plan(r50, families["detr_g1"])
    move = next(move for move in plan.moves if move.source == old)
    assert move.target == (new or old)
    if rule is None:
        assert move.rule is None
    else:
        assert move.rule is not None
        assert plan.rules[move.rule].endswith(rule)


# --- the control --------------------------------------------------------------------------------


def test_the_control_of_a_chain_fits_the_model_too(first: Schema, plan: Plan, families: Families) -> None:
    wrong = make_plan(first, families["detr_g1"].with_control())
    right = migrated_schema(plan, first)
    assert compare_layouts(migrated_schema(wrong, first), right) == []
    different = {old for old in plan.table if wrong.table[old] != plan.table[old]}
    attentions = re.compile(r".*\.decoder\.layers\.\d\.(self|multihead)_attn\..*")
    assert different == {old for old in plan.table if attentions.fullmatch(old)}
    assert len(different) == 2 * 4 * 6


# --- recognised ---------------------------------------------------------------------------------


def found(names: tuple[str, ...], families: Families) -> list[tuple[str, Layout]]:
    return [(hit.rules.family, hit.layout) for hit in detect(names, tuple(families.values()))]


def test_each_generation_is_its_own(first: Schema, plan: Plan, families: Families) -> None:
    """A bare `.self_attn.` tells nothing: two of the three generations have it."""
    second = migrated_schema(make_plan(first, alone(families["detr_g1"])), first)
    assert found(first.names, families) == [("detr_g1", Layout.OLD)]
    assert found(second.names, families) == [("detr", Layout.OLD)]
    assert found(migrated_schema(plan, first).names, families) == [("detr", Layout.NEW)]


def test_the_norm_before_the_attentions_is_not_taken(r50: Schema, families: Families) -> None:
    names = (*r50.names, "bbox_head.transformer.encoder.norm.weight")
    assert "detr_g1" not in [family for family, _ in found(names, families)]


@pytest.mark.parametrize(
    "extra",
    [
        f"{LAYER}.attentions.0.attn.in_proj_weight",
        f"{LAYER}.ffns.0.layers.1.bias",
        "bbox_head.transformer.decoder.post_norm.weight",
    ],
)
def test_two_generations_in_one_file_collide(
    extra: str, r50: Schema, families: Families, schema: MakeSchema
) -> None:
    with pytest.raises(PlanError, match="would both become"):
        make_plan(schema([*r50.names, extra]), families["detr_g1"])


@pytest.mark.parametrize(
    "change",
    [
        (".self_attn.", ".attn."),
        (".ffn.", ".mlp."),
        ("decoder.norm.", "decoder.ln."),
        (".multihead_attn.", ".cross."),
    ],
)
def test_a_renamed_part_is_refused(
    change: tuple[str, str], r50: Schema, families: Families, schema: MakeSchema
) -> None:
    names = [name.replace(*change) for name in r50.names]
    with pytest.raises(PlanError, match="fits no key of this checkpoint"):
        make_plan(schema(names), families["detr_g1"])


@pytest.mark.parametrize("key", [f"{LAYER}.extra.weight", "bbox_head.transformer.extra.weight"])
def test_what_the_second_step_cannot_move_is_refused(
    key: str, r50: Schema, families: Families, schema: MakeSchema
) -> None:
    old = schema([*r50.names, key])
    if key.startswith(LAYER):
        # Inside of a layer it is moved with it; it is for the target to refuse it.
        new = layout(DET_NEW, f"detr/{CONFIGS[1]}.py")
        lines = compare_layouts(migrated_schema(make_plan(old, families["detr_g1"]), old), schema(new.names))
        assert lines == ["unexpected: decoder.layers.5.extra.weight"]
    else:
        with pytest.raises(PlanError, match=f"'{key}' has an old name that no rule of detr.yaml"):
            make_plan(old, families["detr_g1"])


# --- a genuine file -----------------------------------------------------------------------------


def test_a_genuine_file_of_the_first_generation(families: Families) -> None:
    old = opened((GOLDEN_FOLDER / "detr_g1_r18" / "old.pth").read_bytes()).schema
    later = opened((GOLDEN_FOLDER / "detr_r18" / "old.pth").read_bytes()).schema
    plan = make_plan(old, families["detr_g1"])
    other = make_plan(later, families["detr"])
    assert found(old.names, families) == [("detr_g1", Layout.OLD)]
    orders = [reorder(p.targets.values(), families["detr"].order) for p in (plan, other)]
    assert orders[0] == orders[1]
    assert set(old.names) == {first_name(name) for name in later.names}
    assert migrated_schema(invert(plan), migrated_schema(plan, old)) == old


def test_the_table_of_parameters_is_that_of_the_current_release(families: Families) -> None:
    """What optimizer state is indexed by."""
    name = f"detr/{CONFIGS[1]}.py"
    first = first_generation(layout(DET_OLD, name))
    targets = reorder(make_plan(first, families["detr_g1"]).targets.values(), families["detr_g1"].last.order)
    wanted = parameters(configs(DET_NEW)[name])
    assert [target for target in targets if target in set(wanted)] == wanted
