"""Several optimizers, tied parameters, schedulers, and mmengine's `base_param_settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.equal import same
from support.training import by_name, is_parameter
from toy_trainings import (
    Model,
    assert_followed,
    content_of,
    group_each,
    make_model,
    migrated,
    one_group,
    step,
)

pytestmark = pytest.mark.mm

CONFIG = "optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.002, weight_decay=0.01))\n"


def adamw(groups: Any) -> Any:
    import torch

    optimizer = torch.optim.AdamW(groups)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
        group["lr"] *= 0.5
    return optimizer


def scheduler(optimizer: dict[str, Any], **more: Any) -> dict[str, Any]:
    """As mmengine's are saved: values for the groups, and settings."""
    rates = [group["initial_lr"] for group in optimizer["param_groups"]]
    last = [group["lr"] for group in optimizer["param_groups"]]
    return {"power": 0.9, "base_values": rates, "last_step": 2, "_last_value": last, **more}


def trained(model: Model, names: list[str] | None = None, grouping: Any = group_each) -> Any:
    parameters = {n: model.parameters[n] for n in (model.names if names is None else names)}
    optimizer = adamw(grouping(parameters))
    step(optimizer, parameters)
    return optimizer.state_dict()


# --- several optimizers -------------------------------------------------------------------------


@pytest.mark.parametrize("grouping", [one_group, group_each])
def test_two_optimizers_by_name(grouping: Any, tmp_path: Path) -> None:
    model = make_model()
    parts = {
        part: [name for name in model.names if name.startswith(f"{part}.")]
        for part in ("decode_head", "backbone")
    }
    before = {part: trained(model, names, grouping) for part, names in parts.items()}
    steering = {part: [scheduler(state)] for part, state in before.items()}
    report, content = migrated(tmp_path, content_of(model, before, param_schedulers=steering))
    assert report.verdicts[0].status.value == "pass"
    assert list(content["optimizer"]) == list(content["param_schedulers"]) == list(before)
    for part, names in parts.items():
        new = model.after(names)
        after = content["optimizer"][part]
        assert_followed(model, before[part], after, names, new)
        lists = content["param_schedulers"][part][0]
        rates = [group["initial_lr"] for group in after["param_groups"]]
        assert lists["base_values"] == rates
    assert same(before["backbone"], content["optimizer"]["backbone"])
    assert not same(before["decode_head"], content["optimizer"]["decode_head"])


# --- tied parameters ----------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["maskformer", "mask2former"])
@pytest.mark.parametrize("parts", [("in_proj_weight",), ("out_proj.weight", "out_proj.bias")])
def test_tied_parameters_count_once(family: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    """torch meets a tied parameter where its first name stands, in the new model as in the old."""
    model = make_model(family)
    layer = "decode_head.transformer_decoder.layers.0.attentions"
    later = {f"{layer}.1.attn.{part}": f"{layer}.0.attn.{part}" for part in parts}
    for name, first in later.items():
        model.state_dict[name] = model.state_dict[first]
        del model.parameters[name]
    before = trained(model, grouping=one_group)
    _, content = migrated(tmp_path, content_of(model, before))
    places: dict[int, str] = {}
    for name, tensor in content["state_dict"].items():
        if is_parameter(name):
            places.setdefault(tensor.data_ptr(), name)
    new = list(places.values())
    assert len(new) == len(model.names)
    found = by_name(content["optimizer"], new)
    for name, (settings, state) in by_name(before, model.names).items():
        place = content["state_dict"][model.new(name)].data_ptr()
        assert same(found[places[place]], (settings, state)), name


# --- schedulers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 1], ids=["", "with base_param_settings"])
def test_values_for_the_groups_follow_them(more: int, tmp_path: Path) -> None:
    import torch

    model = make_model()
    before = trained(model)
    count = len(model.names)
    lists = {
        name: [float(number) for number in range(start, start + count + more)]
        for name, start in (("base_values", 0), ("_last_value", 1000), ("min_values", 2000))
    }
    if more:
        before["base_param_settings"] = {"params": torch.tensor([0.0]), "lr": 0.25}
    steering = [{"power": 0.9, **lists}, {"begin": 5}]
    content = content_of(model, before, param_schedulers=steering)
    _, found = migrated(tmp_path, content)
    order = {model.new(name): number for number, name in enumerate(model.names)}
    sources = [order[name] for name in model.after(model.names)]
    first, second = found["param_schedulers"]
    assert second == {"begin": 5}
    assert list(first) == list(steering[0])
    for name, values in lists.items():
        assert first[name] == [values[source] for source in sources] + values[count:]
    if more:
        settings = found["optimizer"]["base_param_settings"]
        assert same(settings, before["base_param_settings"])


def test_with_one_group_schedulers_stay_as_they_are(tmp_path: Path) -> None:
    model = make_model()
    before = trained(model, grouping=one_group)
    steering = [scheduler(before, min_values=[0.0])]
    _, content = migrated(tmp_path, content_of(model, before, param_schedulers=steering))
    assert same(content["param_schedulers"], steering)
    assert "base_param_settings" not in content["optimizer"]


@pytest.mark.parametrize("count", [1, None], ids=["one group", "one each"])
def test_schedulers_of_an_optimizer_that_was_not_saved(count: int | None, tmp_path: Path) -> None:
    """One value for each parameter is moved, but only where it is known that none is frozen."""
    model = make_model()
    rates = [float(number) for number in range(count or len(model.names))]
    content = content_of(model, {}, param_schedulers=[{"base_values": rates}])
    del content["optimizer"]
    report, found = migrated(tmp_path, content)
    if count == 1:
        assert found["param_schedulers"] == [{"base_values": rates}]
        assert not [n for n in report.notices if "left out" in n]
    else:
        assert "param_schedulers" not in found
        assert "without a target" in "".join(report.notices)


# --- base_param_settings ------------------------------------------------------------------------


def with_config(content: dict[str, Any], config: str = CONFIG) -> dict[str, Any]:
    return content | {"meta": {"iter": 2, "cfg": config}}


def test_base_param_settings_are_made_from_the_group_with_the_configs_settings(tmp_path: Path) -> None:
    """mmengine 0.10 has them beside several groups, and one more value in each scheduler."""
    import torch

    model = make_model()
    before = trained(model)
    wanted = [
        number
        for number, group in enumerate(before["param_groups"])
        if (group["initial_lr"], group["weight_decay"]) == (0.002, 0.01)
    ]
    assert wanted
    source = before["param_groups"][wanted[0]]
    steering = [scheduler(before)]
    content = with_config(content_of(model, before, param_schedulers=steering))
    _, found = migrated(tmp_path, content)
    settings = found["optimizer"]["base_param_settings"]
    assert torch.equal(settings.pop("params"), torch.tensor([0.0]))
    assert settings == {key: value for key, value in source.items() if key != "params"}
    rates = found["param_schedulers"][0]
    assert len(rates["base_values"]) == len(model.names) + 1
    assert (rates["base_values"][-1], rates["_last_value"][-1]) == (0.002, source["lr"])
    assert_followed(model, before, found["optimizer"], model.names, model.after(model.names))


@pytest.mark.parametrize(
    "config", ["", "optim_wrapper = 3", CONFIG.replace("0.002", "0.7"), CONFIG.replace("01", "5")]
)
def test_without_such_a_group_none_are_made(config: str, tmp_path: Path) -> None:
    model = make_model()
    before = trained(model)
    for group in before["param_groups"]:
        assert group["weight_decay"] != 0.05
    content = with_config(content_of(model, before, param_schedulers=[scheduler(before)]), config)
    _, found = migrated(tmp_path, content)
    assert "base_param_settings" not in found["optimizer"]
    assert len(found["param_schedulers"][0]["base_values"]) == len(model.names)


def test_a_group_with_a_multiplier_is_nobodys_base(tmp_path: Path) -> None:
    model = make_model()
    before = trained(model)
    for group in before["param_groups"]:
        group["lr_mult"] = 1.0
    content = with_config(content_of(model, before, param_schedulers=[scheduler(before)]))
    _, found = migrated(tmp_path, content)
    assert "base_param_settings" not in found["optimizer"]
