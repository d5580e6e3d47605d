"""Roles: the plan against the operation_order that the checkpoint was trained with."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, FAMILIES, Case
from layouts.tables import OLD, layout

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.convert.checks.roles import check_roles, contradicts, fits, planned_attentions
from mm_ckpt_migrate.mapping.plan import Move, Plan, make_plan
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema, TensorSpec
from mm_ckpt_migrate.verdicts import Status, Verdict

Families = dict[str, RuleSet]
R50 = "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
SELF_FIRST = ("self_attn", "norm", "cross_attn", "norm", "ffn", "norm")
CROSS_FIRST = ("cross_attn", "norm", "self_attn", "norm", "ffn", "norm")
DECODER = "decode_head.transformer_decoder"


def config_of(order: Any, number: int | None = None) -> dict[str, Any]:
    """The part of an old config that states the decoder's order; as a list, for `number` only."""
    layer: Any = {"operation_order": order}
    if number is not None:
        layer = [{"operation_order": SELF_FIRST} for _ in range(6)]
        layer[number] = {"operation_order": order}
    return {"model": {"decode_head": {"transformer_decoder": {"transformerlayers": layer}}}}


def check(config: Any, families: Families, family: str = "maskformer") -> Verdict:
    rules = families[family]
    return check_roles(config, make_plan(layout(OLD, R50), rules), rules)


ORDERED = [c for c in CASES.values() if "operation_order" in Path(c.old_config).read_text()]


@pytest.fixture(params=ORDERED, ids=lambda case: case.name)
def genuine(request: pytest.FixtureRequest) -> tuple[Case, dict[str, Any], Schema]:
    """A golden case, its config, and what its checkpoint holds."""
    from mm_ckpt_migrate.files.archive.source import Source
    from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

    case: Case = request.param
    with Source(case.old) as source:
        schema = open_checkpoint(source).schema
    return case, read_config(Path(case.old_config)), schema


def test_genuine_configs_agree(genuine: tuple[Case, Any, Schema], families: Families) -> None:
    case, config, schema = genuine
    rules = families[case.family]
    verdict = check_roles(config, make_plan(schema, rules), rules)
    layers = sum(len(planned_attentions(make_plan(schema, rules), r)) for r in rules.roles)
    assert verdict.status is Status.PASS
    assert verdict.summary == f"operation_order of {layers} layers agrees with the plan"
    assert layers >= 3
    assert fits(config, schema.names, rules)
    assert not fits(config, schema.names, families[case.other_family])


def test_genuine_configs_refute_the_control(genuine: tuple[Case, Any, Schema], families: Families) -> None:
    case, config, schema = genuine
    rules = families[case.family]
    verdict = check_roles(config, make_plan(schema, rules.with_control()), rules)
    if case.family == "deformable_detr":  # its control leaves the roles alone
        assert verdict.status is Status.PASS
        return
    parts = [name.partition("decoder.layers.")[2] for name in schema.names]
    decoder_layers = {part.partition(".")[0] for part in parts if part}
    assert verdict.status is Status.FAIL
    assert len(verdict.details) == len(decoder_layers) >= 2
    last = f"decoder.transformerlayers, layer {len(decoder_layers) - 1}"
    assert last in verdict.details[-1]
    if case.family in FAMILIES:  # whose rules fit each other's names
        assert contradicts(config, schema.names, families[case.other_family])


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (CROSS_FIRST, "the plan makes its attentions self_attn, cross_attn"),
        (list(CROSS_FIRST), "the plan makes its attentions self_attn, cross_attn"),
        (("self_attn", "norm", "ffn", "norm"), "the plan makes its attentions"),
        ((*SELF_FIRST, "cross_attn"), "the plan makes its attentions"),
        (("norm", "self_attn", "norm", "cross_attn", "norm", "ffn"), "the current release"),
        (("self_attn", "cross_attn", "ffn"), "the current release computes"),
        ((), "the plan makes its attentions"),
    ],
)
def test_another_order_fails(order: Any, said: str, families: Families) -> None:
    verdict = check(config_of(order), families)
    assert verdict.status is Status.FAIL
    assert len(verdict.details) == 6
    assert all(said in line for line in verdict.details)


def test_one_layer_of_many(families: Families) -> None:
    verdict = check(config_of(CROSS_FIRST, 4), families)
    assert [line.partition(":")[0] for line in verdict.details] == [
        f"model.{DECODER}.transformerlayers, layer 4"
    ]


def test_a_list_that_is_too_short_says_nothing_of_the_rest(families: Families) -> None:
    config = config_of(SELF_FIRST, 0)
    layers = config["model"]["decode_head"]["transformer_decoder"]["transformerlayers"]
    del layers[2:]
    assert check(config, families).summary.startswith("operation_order of 2 layers")


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"model": None},
        {"model": {"decode_head": []}},
        {"model": {"decode_head": {"transformer_decoder": "x"}}},
        config_of(None),
        config_of("self_attn"),
        config_of({"a": 1}),
    ],
)
def test_a_config_that_says_nothing_is_no_proof(config: Any, families: Families) -> None:
    assert check(copy.deepcopy(config), families).status is Status.SKIPPED


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("0.self_attn.attn.in_proj_weight", "0.cross_attn.attn.in_proj_weight", "cross_attn and"),
        ("0.self_attn.attn.in_proj_bias", "1.self_attn.attn.in_proj_bias", "self_attn of layer 1"),
        ("0.self_attn.attn.in_proj_bias", "x", "cross_attn"),
    ],
)
def test_a_plan_that_exchanges_some_tensors(first: str, second: str, said: str, families: Families) -> None:
    """A stamp's plan may be anybody's."""
    rules = families["maskformer"]
    plan = make_plan(layout(OLD, R50), rules)
    assert check_roles(config_of(SELF_FIRST), plan, rules).status is Status.PASS
    first, second = (f"{DECODER}.layers.{name}" if "." in name else name for name in (first, second))
    other = {first: second, second: first}
    moves = tuple(replace(m, target=other.get(m.target or "", m.target)) for m in plan.moves)
    verdict = check_roles(config_of(SELF_FIRST), replace(plan, moves=moves), rules)
    assert verdict.status is Status.FAIL
    assert said in verdict.details[0]


def test_odd_elements_do_not_break_it(families: Families) -> None:
    assert check(config_of((None, 3, ["self_attn"])), families).status is Status.FAIL


@pytest.mark.parametrize(
    "name",
    [
        "layers.0.attentions",
        "layers.0.attentions.x.w",
        "layers.x.attentions.0.w",
        "layers.²",
        "layers.².attentions.0.w",
        "layers.0.attentions.².w",
        "layers",
    ],
)
def test_odd_names_do_not_break_it(name: str, families: Families) -> None:
    key = f"{DECODER}.{name}"
    plan = Plan(
        family="f",
        released_from="1",
        released_to="2",
        rules_digest="",
        rules=(),
        moves=(Move(key, key),),
        modules=(),
    )
    for role in families["maskformer"].roles:
        assert planned_attentions(plan, role) == []
    specs = (*layout(OLD, R50).tensors, TensorSpec(key, (), "float32"))
    assert fits(config_of(SELF_FIRST), Schema(specs).names, families["maskformer"])


def test_text_from_the_config_is_made_safe(families: Families) -> None:
    verdict = check(config_of(("self_attn\x1b[2J", "norm")), families)
    assert "\x1b" not in "".join(verdict.details)
