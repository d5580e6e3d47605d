"""Given both layouts and nothing else, the families' own rules are found again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from layout_pairs import MODELS, family_of, layouts_of, loaded, plan_of, renamed

from mm_ckpt_migrate.derive.assignment import Assignment, Level
from mm_ckpt_migrate.derive.match import assign
from mm_ckpt_migrate.derive.propose import derive
from mm_ckpt_migrate.mapping.plan import compare_layouts, make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.detect import Layout, detect
from mm_ckpt_migrate.mapping.rules.order import reorder
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.schema import Schema

# Those whose decoder has two attentions of one kind.
EXCHANGEABLE = [m for m in MODELS if family_of(m) in ("detr", "maskformer", "mask2former")]
TOLD_APART = [model for model in MODELS if model not in EXCHANGEABLE]


def tied_keys(assignment: Assignment) -> set[str]:
    tied = tuple(f"{path}." for tie in assignment.open_ties for path in tie.olds)
    return {pair.old for pair in assignment.pairs if pair.old.startswith(tied)}


def stated(rules: RuleSet, head: str) -> Any:
    """An old config that says no more than the `operation_order` of a family's layers."""
    config: dict[str, Any] = {}
    for role in rules.roles:
        *path, last = ("model", *role.config.fill({"head": head}).split("."))
        place = config
        for name in path:
            place = place.setdefault(name, {})
        place[last] = {"operation_order": role.operation_order}
    return config


def head_of(model: str) -> str:
    return "panoptic_head" if model.endswith(("mmdet", "mmdet_swin")) else "decode_head"


@pytest.mark.parametrize("model", MODELS)
def test_all_but_the_undecided_is_as_in_the_familys_own_rules(
    model: str, families: dict[str, RuleSet]
) -> None:
    layouts = layouts_of(model)
    found = derive(layouts, "fork")
    right = make_plan(layouts.old, families[family_of(model)]).targets
    plan = plan_of(found, layouts.old)
    assert not compare_layouts(migrated_schema(plan, layouts.old), layouts.new)
    differing = {name for name in right if plan.targets[name] != right[name]}
    assert differing <= tied_keys(found.assignment)


@pytest.mark.parametrize("model", TOLD_APART)
def test_what_shapes_and_names_tell_apart_is_decided(model: str) -> None:
    found = derive(layouts_of(model), "fork")
    assert not found.assignment.ties
    assert "UNDECIDED" not in found.text


@pytest.mark.parametrize("model", EXCHANGEABLE)
def test_the_attentions_of_a_decoder_are_undecided(model: str, families: dict[str, RuleSet]) -> None:
    layouts = layouts_of(model)
    found = derive(layouts, "fork")
    right = make_plan(layouts.old, families[family_of(model)]).targets
    ties = found.assignment.open_ties
    assert len(ties) == len({name.partition("attentions.1.")[0] for name in right if "attentions.1." in name})
    for tie in ties:
        assert [path[-len("attentions.0") :] for path in tie.olds] == ["attentions.0", "attentions.1"]
        inside = next(n for n in right if n.startswith(f"{tie.olds[0]}.")).removeprefix(tie.olds[0])
        assert {right[old + inside] for old in tie.olds} == {new + inside for new in tie.news}
    assert "UNDECIDED" in found.text
    assert all(
        p.level is Level.UNDECIDED for p in found.assignment.pairs if p.old in tied_keys(found.assignment)
    )


@pytest.mark.parametrize("model", EXCHANGEABLE)
def test_the_operation_order_decides_them(model: str, families: dict[str, RuleSet]) -> None:
    layouts = layouts_of(model)
    rules = families[family_of(model)]
    found = derive(layouts, "fork", stated(rules, head_of(model)))
    assert not found.assignment.open_ties
    assert plan_of(found, layouts.old).targets == make_plan(layouts.old, rules).targets
    roles = {role.config.text: role.operation_order for role in loaded(found).roles}
    decoder = rules.roles[0 if family_of(model) != "detr" else 1]
    assert roles == {decoder.config.fill({"head": head_of(model)}): decoder.operation_order}


@pytest.mark.parametrize("model", EXCHANGEABLE)
def test_an_order_that_names_no_two_attentions_decides_nothing(
    model: str, families: dict[str, RuleSet]
) -> None:
    config = stated(families[family_of(model)], head_of(model))
    role = families[family_of(model)].roles[0 if family_of(model) != "detr" else 1]
    *path, last = ("model", *role.config.fill({"head": head_of(model)}).split("."))
    place = config
    for name in path:
        place = place[name]
    place[last] = {"operation_order": ("self_attn", "norm", "self_attn", "norm", "ffn")}
    assert derive(layouts_of(model), "fork", config).assignment.open_ties


@pytest.mark.parametrize("model", MODELS)
def test_the_new_order_of_the_modules_is_found(model: str) -> None:
    layouts = layouts_of(model)
    found = derive(layouts, "fork")
    made = plan_of(found, layouts.old).targets.values()
    assert reorder(made, loaded(found).order) == layouts.new.names


@pytest.mark.parametrize("model", MODELS)
def test_the_control_loads_strictly_and_is_another_mapping(model: str) -> None:
    layouts = layouts_of(model)
    rules = loaded(derive(layouts, "fork"))
    wrong = make_plan(layouts.old, rules.with_control())
    assert wrong.targets != make_plan(layouts.old, rules).targets
    assert not compare_layouts(migrated_schema(wrong, layouts.old), layouts.new)


@pytest.mark.parametrize("model", MODELS)
def test_the_layouts_are_recognised(model: str) -> None:
    layouts = layouts_of(model)
    rules = loaded(derive(layouts, "fork"))
    assert [found.layout for found in detect(layouts.old.names, [rules])] == [Layout.OLD]
    assert [found.layout for found in detect(layouts.new.names, [rules])] == [Layout.NEW]


@pytest.mark.parametrize(("model", "count"), [("detr", 9), ("mask2former_mmseg", 5), ("rpn", 1)])
def test_the_rules_are_as_few_as_a_person_would_write(model: str, count: int) -> None:
    found = derive(layouts_of(model), "fork")
    assert len(found.rules) == count


def test_repeated_layers_share_a_rule() -> None:
    found = derive(layouts_of("detr"), "fork")
    assert ("bbox_head.transformer.decoder.layers.{i}.ffns.0.**", "decoder.layers.{i}.ffn.**") in [
        (rule.source, rule.target) for rule in found.rules
    ]


def garbled(name: str) -> str:
    """Another name for every module, from which nothing can be learnt; numbers stay."""
    *path, leaf = name.split(".")
    words = [hashlib.md5(part.encode()).hexdigest() for part in path]
    return ".".join(
        [p if p.isdecimal() else f"m{word}" for p, word in zip(path, words, strict=True)] + [leaf]
    )


@pytest.mark.parametrize("model", MODELS)
def test_under_names_that_tell_nothing_whatever_is_wrong_is_undecided(model: str) -> None:
    """In another order, too: shapes and structure alone are right, or say that they do not know."""
    old = layouts_of(model).old
    new = Schema(tuple(sorted(renamed(old, garbled).tensors, key=lambda spec: spec.name)))
    found = assign(old, new)
    assert found.covers
    wrong = [pair for pair in found.pairs if pair.new != garbled(pair.old)]
    assert {pair.level for pair in wrong} <= {Level.UNDECIDED}
    assert any(pair.level is Level.CERTAIN for pair in found.pairs)
