"""Each guarantee of a plan, seen to fail: the rule and the key are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from layouts.tables import NEW, OLD, layout

from mm_ckpt_migrate.errors import ExitCode, PlanError
from mm_ckpt_migrate.mapping.plan import compare_layouts, invert, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

Toy = Callable[..., RuleSet]
MakeSchema = Callable[..., Schema]
R50 = "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
LAYER = "decode_head.transformer_decoder.layers.0"


def fault(schema: Schema, rules: RuleSet) -> PlanError:
    with pytest.raises(PlanError) as caught:
        make_plan(schema, rules)
    assert caught.value.exit_code == ExitCode.BAD_RULES
    return caught.value


def test_total(toy: Toy, schema: MakeSchema) -> None:
    names = ["a.0.old.w", "b", "a.1.old.w.x", "a.1.other", "z.{i}", "a.0.old"]
    plan = make_plan(schema(names), toy())
    assert [(m.source, m.target) for m in plan.moves] == [
        ("a.0.old.w", "a.0.new.w"),
        ("b", "b"),
        ("a.1.old.w.x", "a.1.new.w.x"),
        ("a.1.other", "a.1.other"),
        ("z.{i}", "z.{i}"),
        ("a.0.old", "a.0.old"),
    ]


@pytest.mark.parametrize(
    ("rule", "key"),
    [('{from: "b.{i}.x", to: "a.{i}.new.w"}', "b.0.x"), ('{from: "b.**", to: "a.**"}', "b.0.new.w")],
)
def test_injective_two_rules_meet(toy: Toy, schema: MakeSchema, rule: str, key: str) -> None:
    error = fault(schema(["a.0.old.w", key]), toy(rule))
    for part in ("'a.0.old.w'", f"'{key}'", "'a.0.new.w'", rule.split('"')[1]):
        assert part in error.message


def test_injective_a_moved_key_meets_a_kept_one(toy: Toy, schema: MakeSchema) -> None:
    for names in (["a.0.old.w", "a.0.new.w"], ["a.0.new.w", "a.0.old.w"]):
        error = fault(schema(names), toy())
        assert "would both become 'a.0.new.w'" in error.message


def test_a_dropped_key_meets_nobody(toy: Toy, schema: MakeSchema) -> None:
    plan = make_plan(schema(["a.0.old.w", "b.x", "b.y"]), toy('{from: "b.{i}", drop: true, optional: true}'))
    assert plan.targets == {"a.0.old.w": "a.0.new.w"}
    with pytest.raises(PlanError, match=r"'b\.x' was dropped and cannot be brought back"):
        invert(plan)


def test_unambiguous(toy: Toy, schema: MakeSchema) -> None:
    rules = toy('{from: "{m}.0.old.**", to: "{m}.0.b.**"}')
    error = fault(schema(["a.0.old.w"]), rules)
    assert "'a.0.old.w' equally well" in error.message
    assert "a.{i}.old.** -> a.{i}.new.**, and {m}.0.old.** -> {m}.0.b.**" in error.message
    assert error.hint


def test_the_order_of_rules_means_nothing(toy: Toy, schema: MakeSchema) -> None:
    names = schema(["a.0.old.w", "a.1.old.w"])
    rules = toy('{from: "a.0.old.w", to: "special"}')
    turned = replace(rules, rules=rules.rules[::-1])
    assert make_plan(names, rules).targets == make_plan(names, turned).targets
    assert make_plan(names, rules).targets["a.0.old.w"] == "special"


def test_alive(toy: Toy, schema: MakeSchema) -> None:
    error = fault(schema(["a.0.old.w"]), toy('{from: "gone.**", to: "away.**"}'))
    assert "the rule gone.** -> away.** fits no key" in error.message
    make_plan(schema(["a.0.old.w"]), toy('{from: "gone.**", to: "away.**", optional: true}'))


def test_a_rule_that_only_ever_loses_is_dead(toy: Toy, schema: MakeSchema) -> None:
    rules = toy('{from: "{m}.{i}.old.**", to: "{m}.{i}.lost.**"}')
    assert "fits no key" in fault(schema(["a.0.old.w"]), rules).message


def test_no_old_name_is_left(toy: Toy, schema: MakeSchema) -> None:
    error = fault(schema(["a.0.old.w", "b.0.old.w"]), toy())
    assert "'b.0.old.w' has an old name that no rule of toy.yaml moves" in error.message


@pytest.mark.parametrize(
    "key",
    [
        f"{LAYER}.attentions.2.attn.in_proj_weight",
        f"{LAYER}.ffns.1.layers.1.bias",
        "decode_head.pixel_decoder.encoder.layers.0.attentions.1.attn.in_proj_weight",
    ],
)
def test_a_customised_model_is_refused(key: str, families: dict[str, RuleSet], schema: MakeSchema) -> None:
    names = [*layout(OLD, R50).names, key]
    error = fault(schema(names), families["maskformer"])
    assert f"'{key}' has an old name that no rule" in error.message


@pytest.mark.parametrize("key", [f"{LAYER}.self_attn.attn.in_proj_weight", f"{LAYER}.ffn.layers.1.bias"])
def test_a_half_migrated_model_is_refused(key: str, families: dict[str, RuleSet], schema: MakeSchema) -> None:
    error = fault(schema([*layout(OLD, R50).names, key]), families["maskformer"])
    assert f"would both become '{key}'" in error.message


def test_control_characters_are_shown_escaped(toy: Toy, schema: MakeSchema) -> None:
    error = fault(schema(["a.0.old.\x1b[2J", "a.0.new.\x1b[2J"]), toy())
    assert "\\x1b[2J" in error.message
    assert "\x1b" not in error.message


# --- covering -----------------------------------------------------------------------------------


def spoilt(new: Schema, how: str) -> Schema:
    """The new layout with one fault."""
    first, *rest = new.tensors
    return {
        "missing": Schema(new.tensors[:-1]),
        "unexpected": Schema((*new.tensors, replace(first, name="backbone.extra"))),
        "shape": Schema((replace(first, shape=(*first.shape, 1)), *rest)),
        "dtype": Schema((replace(first, dtype="float16"), *rest)),
        "renamed": Schema((replace(first, name="backbone.stem.weight"), *rest)),
    }[how]


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        ("missing", ["unexpected: decode_head.mask_embed.4.bias"]),
        ("unexpected", ["missing: backbone.extra"]),
        (
            "shape",
            [
                "different: backbone.conv1.weight is float32[64, 3, 7, 7] in the checkpoint "
                "and float32[64, 3, 7, 7, 1] in the model"
            ],
        ),
        (
            "dtype",
            [
                "different: backbone.conv1.weight is float32[64, 3, 7, 7] in the checkpoint "
                "and float16[64, 3, 7, 7] in the model"
            ],
        ),
        ("renamed", ["missing: backbone.stem.weight", "unexpected: backbone.conv1.weight"]),
    ],
)
def test_covering(how: str, lines: list[str], families: dict[str, RuleSet]) -> None:
    old, new = layout(OLD, R50), layout(NEW, R50)
    migrated = migrated_schema(make_plan(old, families["maskformer"]), old)
    assert compare_layouts(migrated, new) == []
    assert compare_layouts(migrated, spoilt(new, how)) == lines


def test_covering_folds_the_layers(families: dict[str, RuleSet]) -> None:
    old, new = layout(OLD, R50), layout(NEW, R50)
    assert "missing: decode_head.transformer_decoder.layers.{0…5}.ffn.layers.1.bias" in (
        compare_layouts(old, new)
    )
    assert len(compare_layouts(old, new)) == 20  # of 144 names
