"""DETR's three generations of names: its `_metadata`, the way back, and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from generations import CONFIGS, LAYER, first_generation
from layouts.tables import DET2, DET_OLD, layout

from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.plan import (
    ModuleMove,
    Plan,
    averaged_table,
    compose,
    fit_modules,
    invert,
    make_plan,
    migrated_schema,
    plan_from_json,
)
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


# --- `_metadata` --------------------------------------------------------------------------------


def test_new_containers_appear(first: Schema, plan: Plan) -> None:
    modules = migrated_schema(plan, first).modules
    assert modules is not None
    made = [move for move in plan.modules if move.source is None]
    assert made == [ModuleMove(None, path, 1) for path in ("neck", "neck.convs", "neck.convs.0")]
    assert {"neck.convs.0.conv", "encoder.layers", "decoder.post_norm", ""} <= set(modules)
    assert modules["positional_encoding"] is None
    gone = {move.source for move in plan.modules if move.target is None}
    assert gone == {"bbox_head.transformer"}
    assert not [path for path in modules if "transformer" in path or "attentions" in path]


def test_containers_that_the_second_generation_alone_had_do_not(plan: Plan) -> None:
    """Its lists come with the first step and go with the second."""
    assert not [m for m in plan.modules if (m.target or "").endswith((".attentions", ".ffns"))]


def test_every_ancestor_of_a_key_has_an_entry(first: Schema, plan: Plan) -> None:
    new = migrated_schema(plan, first)
    assert new.modules is not None
    above = {n[:end] for n in new.names for end in range(len(n)) if n[end] == "."}
    assert above <= set(new.modules)


def test_the_version_of_the_head_changes(first: Schema, plan: Plan) -> None:
    move = next(move for move in plan.modules if move.source == "bbox_head")
    assert move == ModuleMove("bbox_head", "bbox_head", 2, changed_from=1)
    assert move.inverse() == ModuleMove("bbox_head", "bbox_head", 1, changed_from=2)
    others = [m for m in plan.modules if m.changed_from is not None and m is not move]
    assert others == []
    modules = migrated_schema(plan, first).modules
    assert modules is not None
    assert modules["bbox_head"] == 2


def test_a_version_that_changes_in_both_steps_keeps_its_first(first: Schema) -> None:
    def only(*modules: ModuleMove) -> Plan:
        return Plan(
            family="f",
            released_from="1",
            released_to="2",
            rules_digest="0",
            rules=(),
            moves=(),
            modules=modules,
        )

    first_step = only(ModuleMove("a", "b", 2, 1), ModuleMove("x", "y", 4), ModuleMove("p", "q", 1))
    second = only(ModuleMove("b", "c", 3, 2), ModuleMove("y", "z", 5, 4), ModuleMove("q", "r", 1))
    assert compose(first_step, second).modules == (
        ModuleMove("a", "c", 3, 1),
        ModuleMove("x", "z", 5, 4),
        ModuleMove("p", "r", 1),
    )


def test_what_the_first_step_drops_stays_dropped(toy: Callable[..., RuleSet], schema: MakeSchema) -> None:
    rules = toy('{from: "b.{i}", drop: true}')
    other = replace(toy('{from: "a.{i}.new.**", to: "a.{i}.newer.**"}'), family="other")
    other = replace(other, rules=other.rules[1:])
    old = schema(["a.0.old.w", "b.x", "c"])
    plan = make_plan(old, replace(rules, following=other))
    assert plan.table == {"a.0.old.w": "a.0.newer.w", "b.x": None, "c": "c"}
    with pytest.raises(PlanError, match=r"'b\.x' was dropped"):
        invert(plan)


def test_without_metadata_nothing_is_invented(r50: Schema, families: Families) -> None:
    """As in a file of mmcv 1.2, which saved none."""
    plan = make_plan(Schema(r50.tensors), families["detr_g1"])
    assert plan.modules == ()
    assert migrated_schema(plan, Schema(r50.tensors)).modules is None


# --- the way back, and JSON ---------------------------------------------------------------------


def test_the_inverse_gives_names_modules_and_versions_back(first: Schema, plan: Plan) -> None:
    back = migrated_schema(invert(plan), migrated_schema(plan, first))
    assert back == first
    assert list(back.modules or ()) == list(first.modules or ())
    assert invert(invert(plan)) == plan


def test_fitted_to_the_target_too(families: Families) -> None:
    """A path that the target has not is brought back all the same."""
    first = first_generation(layout(DET_OLD, f"detr/{CONFIGS[0]}.py"))
    plan = make_plan(first, families["detr_g1"])
    new = migrated_schema(plan, first)
    kept = {path: v for path, v in (new.modules or {}).items() if path != "positional_encoding"}
    fitted = fit_modules(plan, Schema(new.tensors, kept))
    there = migrated_schema(fitted, first)
    assert there.modules == kept
    assert migrated_schema(invert(fitted), there).modules == first.modules


def test_a_chain_survives_json(plan: Plan) -> None:
    again = plan_from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.digest == plan.digest
    back = invert(plan)
    assert plan_from_json(json.loads(json.dumps(back.to_json()))) == back


@pytest.mark.parametrize("version", ["1", True, 1.5, [], {}])
def test_a_former_version_that_is_no_number(version: object, plan: Plan) -> None:
    data = plan.to_json() | {"modules": [["a", "b", 2, version]]}
    with pytest.raises(PlanError, match="a module's version is no number"):
        plan_from_json(data)


def test_more_than_a_former_version(plan: Plan) -> None:
    with pytest.raises(PlanError):
        plan_from_json(plan.to_json() | {"modules": [["a", "b", 2, 1, 0]]})


def test_averaged_weights_go_the_same_way(plan: Plan) -> None:
    moves = averaged_table(plan)
    assert moves["steps"] == "steps"
    assert moves[f"module.{LAYER}.multihead_attn.attn.in_proj_bias"] == (
        "module.decoder.layers.5.cross_attn.attn.in_proj_bias"
    )
    assert len(moves) == len(plan.moves) + 1
