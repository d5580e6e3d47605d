"""After a migration each parameter has the state and the settings it had: by name, by value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.equal import same
from toy_trainings import (
    FAMILIES,
    Grouping,
    Groups,
    Model,
    assert_followed,
    assert_torch_gives_it_to_the_right_ones,
    by_layers,
    content_of,
    group_each,
    make_model,
    migrated,
    one_group,
    step,
)

pytestmark = pytest.mark.mm

Kind = Callable[[Groups], Any]
GROUPINGS = (one_group, group_each, by_layers)


def adamw(groups: Groups) -> Any:
    import torch

    return torch.optim.AdamW(groups, lr=1e-4)


def momentum(groups: Groups) -> Any:
    import torch

    return torch.optim.SGD(groups, lr=1e-2, momentum=0.9)


def amsgrad(groups: Groups) -> Any:
    import torch

    return torch.optim.Adam(groups, lr=1e-4, amsgrad=True)


def plain_sgd(groups: Groups) -> Any:
    """It has no state at all, or none for a parameter."""
    import torch

    return torch.optim.SGD(groups, lr=1e-2)


def rmsprop(groups: Groups) -> Any:
    import torch

    return torch.optim.RMSprop(groups, lr=1e-2, momentum=0.5, centered=True)


KINDS = (adamw, momentum, amsgrad, rmsprop)


def new_names(model: Model, grouping: Grouping) -> list[str]:
    """In the order of the new indices: by groups, and in each group in the model's."""
    groups = grouping(model.parameters)
    names = {id(tensor): name for name, tensor in model.parameters.items()}
    if grouping is group_each:
        return model.after(model.names)
    order = {name: number for number, name in enumerate(model.after(model.names))}
    members = [[model.new(names[id(t)]) for t in group["params"]] for group in groups]
    return [name for group in members for name in sorted(group, key=order.__getitem__)]


def old_indices(model: Model, grouping: Grouping) -> list[str]:
    names = {id(tensor): name for name, tensor in model.parameters.items()}
    return [names[id(t)] for group in grouping(model.parameters) for t in group["params"]]


def trained(kind: Kind, grouping: Grouping, model: Model) -> Any:
    optimizer = kind(grouping(model.parameters))
    step(optimizer, model.parameters)
    return optimizer.state_dict()


@pytest.mark.parametrize("grouping", GROUPINGS, ids=lambda grouping: grouping.__name__)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("family", FAMILIES)
def test_state_and_settings_follow(family: str, kind: Kind, grouping: Grouping, tmp_path: Path) -> None:
    model = make_model(family)
    before = trained(kind, grouping, model)
    report, content = migrated(tmp_path, content_of(model, before))
    assert report.verdicts[0].status.value == "pass"
    old, new = old_indices(model, grouping), new_names(model, grouping)
    assert_followed(model, before, content["optimizer"], old, new)
    assert_torch_gives_it_to_the_right_ones(kind, before, content["optimizer"], old, new, model)
    # Only what the refactoring put in another order changes places at all.
    moved = [model.new(name) for name in old] != new
    assert moved == (family == "mask2former")
    for group in (*before["param_groups"], *content["optimizer"]["param_groups"]):
        group.pop("param_names", None)
    assert same(before, content["optimizer"]) == (not moved)
    assert len(content["optimizer"]["state"]) == len(model.names)


def test_names_in_the_groups_are_the_new_ones(tmp_path: Path) -> None:
    model = make_model()
    before = trained(adamw, by_layers, model)
    _, content = migrated(tmp_path, content_of(model, before))
    groups = content["optimizer"]["param_groups"]
    listed = [name for group in groups for name in group["param_names"]]
    assert listed == new_names(model, by_layers)
    assert [g["group_name"] for g in groups] == [g["group_name"] for g in before["param_groups"]]


def test_without_state_the_groups_alone_follow(tmp_path: Path) -> None:
    model = make_model()
    before = trained(plain_sgd, one_group, model)
    _, content = migrated(tmp_path, content_of(model, before))
    old, new = model.names, model.after(model.names)
    assert_followed(model, before, content["optimizer"], old, new)


def test_untrained_parameters_in_one_group_stay_without_state(tmp_path: Path) -> None:
    """mmengine puts frozen ones into the group where there is only one."""
    model = make_model()
    untrained = [name for name in model.names if ".layers.1.attentions.0." in name]
    optimizer = adamw(one_group(model.parameters))
    step(optimizer, model.parameters, untrained)
    before = optimizer.state_dict()
    assert len(before["state"]) == len(model.names) - 4
    _, content = migrated(tmp_path, content_of(model, before))
    after, new = content["optimizer"], model.after(model.names)
    assert_followed(model, before, after, model.names, new)
    without = {new[index] for index in range(len(new)) if index not in after["state"]}
    assert without == {model.new(name) for name in untrained}


def test_what_is_saved_beside_the_state_stays(tmp_path: Path) -> None:
    """AmpOptimWrapper's scale of the loss."""
    model = make_model()
    scaler = {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 3}
    before = trained(adamw, group_each, model)
    _, content = migrated(tmp_path, content_of(model, before | {"loss_scaler": scaler}))
    assert content["optimizer"].pop("loss_scaler") == scaler
    assert_followed(model, before, content["optimizer"], model.names, model.after(model.names))
