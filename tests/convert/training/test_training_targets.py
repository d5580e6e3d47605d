"""With a target model: it says what is frozen, and in which order its parameters stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.training import is_parameter
from toy_trainings import (
    Model,
    assert_followed,
    by_layers,
    content_of,
    group_each,
    make_model,
    one_group,
    planned,
    step,
)

from mm_ckpt_migrate.convert.training.parameters import UnknownOrderError
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet

pytestmark = pytest.mark.mm

FROZEN = ("backbone.conv1.weight", "backbone.bn1.weight", "backbone.bn1.bias")


def trained(model: Model, grouping: Any, untrained: Sequence[str] = (), **only: Any) -> Any:
    import torch

    parameters = only.get("parameters", model.parameters)
    optimizer = torch.optim.AdamW(grouping(parameters))
    step(optimizer, parameters, untrained)
    return optimizer.state_dict()


@pytest.fixture
def rules(families: dict[str, RuleSet]) -> RuleSet:
    return families["mask2former"]


@pytest.mark.parametrize("untrained", [(), FROZEN])
def test_groups_of_frozen_parameters_go(untrained: Sequence[str], rules: RuleSet, tmp_path: Path) -> None:
    """Also those that were trained: the current release has no groups to load them into."""
    model = make_model()
    content = content_of(model, trained(model, group_each, untrained))
    move = planned(tmp_path, content, rules, model, FROZEN)
    assert list(move.names) == [n for n in model.after(model.names) if n not in FROZEN]
    assert move.left_out == FROZEN
    assert len(move.groups) == len(model.names) - len(FROZEN) == move.groups_before - len(FROZEN)


@pytest.mark.parametrize("frozen", [(), FROZEN[:1]])
def test_untrained_groups_that_the_target_trains_stay(
    frozen: Sequence[str], rules: RuleSet, tmp_path: Path
) -> None:
    """mmdet's Swin is frozen only when training starts, after the groups are made."""
    model = make_model()
    content = content_of(model, trained(model, group_each, FROZEN))
    move = planned(tmp_path, content, rules, model, frozen)
    assert list(move.names) == [n for n in model.after(model.names) if n not in frozen]


def test_in_one_group_frozen_parameters_stay(rules: RuleSet, tmp_path: Path) -> None:
    model = make_model()
    content = content_of(model, trained(model, one_group, FROZEN))
    move = planned(tmp_path, content, rules, model, FROZEN)
    assert list(move.names) == model.after(model.names)
    assert move.left_out == ()


@pytest.mark.parametrize("grouping", [group_each, one_group, by_layers])
def test_an_optimizer_that_never_had_the_frozen_ones(grouping: Any, rules: RuleSet, tmp_path: Path) -> None:
    """As mmengine makes it since 0.10.4: its indices count the others alone."""
    model = make_model()
    others = {name: p for name, p in model.parameters.items() if name not in FROZEN}
    content = content_of(model, trained(model, grouping, parameters=others))
    move = planned(tmp_path, content, rules, model, FROZEN)
    assert sorted(move.names) == sorted(n for n in model.after(model.names) if n not in FROZEN)
    assert [model.new(name) for name in move.sources] == list(move.names)


def test_without_the_right_frozen_ones_it_is_refused(rules: RuleSet, tmp_path: Path) -> None:
    model = make_model()
    others = {name: p for name, p in model.parameters.items() if name not in FROZEN}
    content = content_of(model, trained(model, group_each, parameters=others))
    for frozen in ((), FROZEN[:2], (*FROZEN, "decode_head.cls_embed.weight")):
        with pytest.raises(UnknownOrderError, match="parameters, and the model"):
            planned(tmp_path, content, rules, model, frozen)


def test_the_wrong_frozen_ones_show_by_their_shapes(rules: RuleSet, tmp_path: Path) -> None:
    """As many, but others: every index between them would be a neighbour's."""
    model = make_model()
    others = {name: p for name, p in model.parameters.items() if name != FROZEN[0]}
    content = content_of(model, trained(model, group_each, parameters=others))
    with pytest.raises(UnknownOrderError, match="has another shape"):
        planned(tmp_path, content, rules, model, ("decode_head.cls_embed.weight",))


def test_ties_of_the_target_count_once(rules: RuleSet, tmp_path: Path) -> None:
    """The file may hold tied tensors as copies; the model knows better."""
    model = make_model()
    layer = "decode_head.transformer_decoder.layers.0"
    pair = [f"{layer}.attentions.{number}.attn.in_proj_weight" for number in (0, 1)]
    later = pair[1]
    del model.parameters[later]
    content = content_of(model, trained(model, one_group))
    tie = (f"{layer}.self_attn.attn.in_proj_weight", f"{layer}.cross_attn.attn.in_proj_weight")
    move = planned(tmp_path, content, rules, model, ties=(tie,))
    names = [n for n in model.after(model.state_dict) if is_parameter(n) and n != tie[1]]
    assert list(move.names) == names
    # The old model met it as its first attention, the new one meets it as its self-attention.
    assert move.sources[names.index(tie[0])] == pair[0]


def test_the_whole_file_with_a_model_that_is_built(tmp_path: Path) -> None:
    """The golden training: 40 of its 180 parameters are frozen in the model of its config."""
    import torch
    from golden_cases import CASES, load, run
    from support.training import new_name, new_order

    case = CASES["mask2former_r18"]
    run(case, tmp_path / "new.pth")
    old, new = load(case.old), load(tmp_path / "new.pth")
    names = [name for name in old["state_dict"] if is_parameter(name)]
    frozen = [n for i, n in enumerate(names) if i not in old["optimizer"]["state"]]
    assert len(frozen) == 40
    kept = [name for name in names if name not in frozen]
    model = Model(case.family, old["state_dict"], dict.fromkeys(names))
    after = new_order(kept, case.family)
    assert_followed(model, old["optimizer"], new["optimizer"], names, after)
    assert len(new["optimizer"]["param_groups"]) == len(new["optimizer"]["state"]) == 140
    order = {new_name(name, case.family): number for number, name in enumerate(names)}
    before = old["param_schedulers"][0]["base_values"]
    rates = new["param_schedulers"][0]["base_values"]
    assert rates[:-1] == [before[order[name]] for name in after]
    assert torch.equal(new["optimizer"]["base_param_settings"]["params"], torch.zeros(1))
