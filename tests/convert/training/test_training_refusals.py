"""Where it cannot be known which parameter a state belongs to, none gets any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.equal import same
from toy_trainings import Model, by_layers, content_of, group_each, make_model, migrated, one_group, step

from mm_ckpt_migrate.convert.options import Purpose
from mm_ckpt_migrate.errors import CheckpointError, PlanError

pytestmark = pytest.mark.mm

Change = Callable[[dict[str, Any]], Any]


def trained(model: Model, grouping: Any, untrained: tuple[str, ...] = ()) -> Any:
    import torch

    optimizer = torch.optim.AdamW(grouping(model.parameters), lr=1e-4)
    step(optimizer, model.parameters, untrained)
    return optimizer.state_dict()


def swap_indices(state: dict[str, Any]) -> None:
    params = state["param_groups"][0]["params"]
    params[0], params[1] = params[1], params[0]


def skip_an_index(state: dict[str, Any]) -> None:
    params = state["param_groups"][0]["params"]
    params[-1] += 1


def other_shape(state: dict[str, Any]) -> None:
    state["state"][3]["exp_avg"] = state["state"][3]["exp_avg"][:1]


def one_too_few(state: dict[str, Any]) -> None:
    last = state["param_groups"][0]["params"].pop()
    del state["state"][last]


def one_too_many(state: dict[str, Any]) -> None:
    params = state["param_groups"][0]["params"]
    params.append(len(params))


def homeless(state: dict[str, Any]) -> None:
    state["state"][len(state["state"])] = state["state"][0]


def no_params(state: dict[str, Any]) -> None:
    del state["param_groups"][0]["params"]


def no_groups(state: dict[str, Any]) -> None:
    del state["param_groups"]


def no_state(state: dict[str, Any]) -> None:
    del state["state"]


def named_indices(state: dict[str, Any]) -> None:
    group = state["param_groups"][0]
    group["params"] = [str(index) for index in group["params"]]


def true_for_one(state: dict[str, Any]) -> None:
    state["param_groups"][0]["params"][1] = True


def empty(state: dict[str, Any]) -> None:
    state.clear()


CHANGES: list[tuple[Change, str]] = [
    (swap_indices, "not numbered as torch numbers them"),
    (skip_an_index, "not numbered as torch numbers them"),
    (other_shape, "the exp_avg of backbone.conv2.weight has another shape"),
    (one_too_few, "parameters, and the model"),
    (one_too_many, "parameters, and the model"),
    (homeless, "state for a parameter that is in no group"),
    (no_params, "a param group has no params"),
    (no_groups, "it holds no param_groups"),
    (no_state, "no state"),
    (named_indices, "a parameter's index is no number"),
    (true_for_one, "a parameter's index is no number"),
    (empty, "it holds no param_groups"),
]


@pytest.mark.parametrize(("change", "reason"), CHANGES, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("family", ["maskformer", "mask2former"])
def test_what_no_optimizer_wrote(family: str, change: Change, reason: str, tmp_path: Path) -> None:
    model = make_model(family)
    state = trained(model, one_group)
    change(state)
    refused(content_of(model, state), reason, tmp_path)


def refused(content: dict[str, Any], reason: str, folder: Path) -> None:
    """Left out, with a reason and nothing else of the file; an error where it is asked for."""
    content["param_schedulers"] = content.get("param_schedulers", [])
    report, found = migrated(folder, content)
    said = [notice for notice in report.notices if "left out" in notice]
    assert len(said) == 1
    assert said[0].startswith("optimizer and param_schedulers left out: ")
    assert reason in said[0]
    assert not {"optimizer", "param_schedulers"} & set(found)
    assert found["meta"]["mm_ckpt_migrate"]["dropped"] == ["optimizer", "param_schedulers"]
    assert report.verdicts[0].status.value == "pass"
    with pytest.raises(PlanError, match="cannot be known") as caught:
        migrated(folder, content, purpose=Purpose.RESUME)
    assert reason in caught.value.message
    assert "--for inference" in caught.value.hint
    assert not (folder / "new.pth").exists()


def test_a_whole_one_is_not_refused(tmp_path: Path) -> None:
    model = make_model()
    for grouping in (one_group, group_each, by_layers):
        content = content_of(model, trained(model, grouping), param_schedulers=[])
        report, found = migrated(tmp_path, content, purpose=Purpose.RESUME)
        assert "optimizer" in found
        assert not [notice for notice in report.notices if "left out" in notice]


# --- groups -------------------------------------------------------------------------------------


def interleaved(parameters: dict[str, Any]) -> Any:
    """Old and new order put these two groups in either order: cross first, or self first."""
    layer = "decode_head.transformer_decoder.layers.0.attentions."
    names = list(parameters)
    cross, own = ([n for n in names if n.startswith(f"{layer}{number}.")] for number in (0, 1))
    name = cross[0]
    before = names[: names.index(name)]
    rest = names[names.index(name) + 8 :]
    return [{"params": [parameters[n] for n in part]} for part in (before, cross, own, rest)]


def test_groups_that_the_new_order_would_exchange(tmp_path: Path) -> None:
    model = make_model()
    state = trained(model, interleaved)
    refused(content_of(model, state), "its param groups in another order", tmp_path)


def test_the_same_groups_of_a_model_whose_order_stays(tmp_path: Path) -> None:
    model = make_model("maskformer")
    state = trained(model, interleaved)
    _, found = migrated(tmp_path, content_of(model, state))
    assert same(found["optimizer"], state)


def test_a_group_in_an_order_of_its_own(tmp_path: Path) -> None:
    """It names its parameters, so they are known; their new order is not."""
    model = make_model()
    parameters = {name: model.parameters[name] for name in reversed(model.names)}
    state = trained(model, lambda _: by_layers(parameters))
    refused(content_of(model, state), "not have its parameters in the model's order", tmp_path)


@pytest.mark.parametrize("grouping", [group_each, by_layers])
def test_untrained_groups_without_a_target(grouping: Any, tmp_path: Path) -> None:
    """Whether the current release makes groups for them hangs on the model."""
    model = make_model()
    state = trained(model, grouping, ("backbone.conv1.weight", "backbone.bn1.weight"))
    refused(content_of(model, state), "2 of its parameters were never trained", tmp_path)


# --- schedulers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, -1, 2])
def test_schedulers_with_another_number_of_values(count: int, tmp_path: Path) -> None:
    model = make_model()
    number = len(model.names) + count if count in (-1, 2) else count
    state = trained(model, group_each)
    steering = [{"base_values": [0.1] * len(model.names)}, {"_last_value": [0.1] * number}]
    content = content_of(model, state, param_schedulers=steering)
    refused(content, f"a scheduler has {number} values for {len(model.names)}", tmp_path)


@pytest.mark.parametrize("steering", [{}, {"other": []}, [1], [[]], "text", {"": 3}])
def test_what_no_scheduler_wrote(steering: Any, tmp_path: Path) -> None:
    model = make_model()
    content = content_of(model, trained(model, one_group), param_schedulers=steering)
    refused(content, "param_schedulers is no list of schedulers", tmp_path)


# --- what was asked for -------------------------------------------------------------------------


@pytest.mark.parametrize("sections", [{}, {"param_schedulers": []}])
def test_no_optimizer_to_resume_from(sections: dict[str, Any], tmp_path: Path) -> None:
    content = content_of(make_model(), {}, **sections)
    del content["optimizer"]
    with pytest.raises(CheckpointError, match="it holds no optimizer"):
        migrated(tmp_path, content, purpose=Purpose.RESUME)
    assert not (tmp_path / "new.pth").exists()


@pytest.mark.parametrize("optimizer", [None, [], "text", 3])
def test_an_optimizer_that_is_none(optimizer: Any, tmp_path: Path) -> None:
    content = {**content_of(make_model(), {}), "optimizer": optimizer}
    refused(content, "it is no dict", tmp_path)
