"""The check of what was written: a fault in the editing must not get through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_trainings import content_of, group_each, make_model, migrated, one_group, step

from mm_ckpt_migrate.convert import contents
from mm_ckpt_migrate.convert.decide import training_and_configs
from mm_ckpt_migrate.convert.training import follow as following
from mm_ckpt_migrate.convert.training.follow import Follower
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.pickles.build import (
    elements,
    find,
    from_plain,
    list_of,
    pairs,
    set_pairs,
    set_values,
)
from mm_ckpt_migrate.files.pickles.copies import Copies
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node

pytestmark = pytest.mark.mm

Fault = Callable[[Follower], None]


def section(follower: Follower, name: str) -> Mutable:
    found = find(follower.optimizer.node, name)
    assert isinstance(found, Mutable)
    return found


def groups_of(follower: Follower) -> list[Node]:
    return list(elements(section(follower, "param_groups")))


def exchange_states(follower: Follower) -> None:
    """Of two tensors of the same shape: torch would load them without a word."""
    state = section(follower, "state")
    entries = pairs(state)
    entries[8], entries[12] = (entries[8][0], entries[12][1]), (entries[12][0], entries[8][1])
    set_pairs(state, entries)


def drop_a_state(follower: Follower) -> None:
    state = section(follower, "state")
    set_pairs(state, pairs(state)[:-1])


def drop_a_moment(follower: Follower) -> None:
    state = pairs(section(follower, "state"))[5][1]
    assert isinstance(state, Mutable)
    set_pairs(state, pairs(state)[:-1])


def add_a_state(follower: Follower) -> None:
    state = section(follower, "state")
    entries = pairs(state)
    set_pairs(state, [*entries, (from_plain(len(entries)), entries[0][1])])


def change_a_rate(follower: Follower) -> None:
    group = groups_of(follower)[0]
    assert isinstance(group, Mutable)
    set_values(group, {"lr": from_plain(0.5)})


def drop_a_setting(follower: Follower) -> None:
    group = groups_of(follower)[0]
    assert isinstance(group, Mutable)
    set_pairs(group, [entry for entry in pairs(group) if entry[1] is not find(group, "eps")])


def exchange_settings(follower: Follower) -> None:
    groups = groups_of(follower)
    first, second = (find(group, "lr") for group in groups[:2])
    for group, rate in zip(groups, (second, first), strict=False):
        assert isinstance(group, Mutable)
        assert rate is not None
        set_values(group, {"lr": rate})


def exchange_groups(follower: Follower) -> None:
    groups = groups_of(follower)
    for group, index in zip((groups[1], groups[0]), (0, 1), strict=True):
        assert isinstance(group, Mutable)
        set_values(group, {"params": list_of([from_plain(index)])})
    order = [groups[1], groups[0], *groups[2:]]
    set_values(follower.optimizer.node, {"param_groups": list_of(order)})


def drop_a_group(follower: Follower) -> None:
    set_values(follower.optimizer.node, {"param_groups": list_of(groups_of(follower)[:-1])})


def move_a_parameter(follower: Follower) -> None:
    """From one group into the next."""
    groups = groups_of(follower)
    for group, indices in zip(groups, ([0, 1], []), strict=False):
        assert isinstance(group, Mutable)
        set_values(group, {"params": list_of([from_plain(index) for index in indices])})


def renumber(follower: Follower) -> None:
    group = groups_of(follower)[0]
    assert isinstance(group, Mutable)
    set_values(group, {"params": list_of([from_plain(7)])})


def exchange_rates_of_a_scheduler(follower: Follower) -> None:
    scheduler = follower.schedulers[0]
    values = elements(find(scheduler, "base_values") or list_of([]))
    set_values(scheduler, {"base_values": list_of([values[1], values[0], *values[2:]])})


def drop_a_rate_of_a_scheduler(follower: Follower) -> None:
    scheduler = follower.schedulers[0]
    values = elements(find(scheduler, "_last_value") or list_of([]))
    set_values(scheduler, {"_last_value": list_of(values[:-1])})


def lose_what_is_beside(follower: Follower) -> None:
    node = follower.optimizer.node
    set_pairs(node, [e for e in pairs(node) if e[1] is not find(node, "loss_scaler")])


def change_what_is_beside(follower: Follower) -> None:
    settings = section(follower, "base_param_settings")
    set_values(settings, {"lr": from_plain(0.5)})


def change_a_schedule(follower: Follower) -> None:
    set_values(follower.schedulers[0], {"last_step": from_plain(7)})


def lose_it_all(follower: Follower) -> None:
    set_pairs(follower.optimizer.node, [])


def nothing(follower: Follower) -> None:
    pass


FAULTS = (
    exchange_states,
    drop_a_state,
    drop_a_moment,
    add_a_state,
    change_a_rate,
    drop_a_setting,
    exchange_settings,
    exchange_groups,
    drop_a_group,
    move_a_parameter,
    renumber,
    exchange_rates_of_a_scheduler,
    drop_a_rate_of_a_scheduler,
    lose_it_all,
    lose_what_is_beside,
    change_what_is_beside,
    change_a_schedule,
)


def training(grouping: Any = group_each) -> dict[str, Any]:
    import torch

    model = make_model()
    optimizer = torch.optim.AdamW(grouping(model.parameters))
    step(optimizer, model.parameters)
    state = optimizer.state_dict()
    state["loss_scaler"] = {"scale": 65536.0}
    state["base_param_settings"] = {"params": torch.tensor([0.0]), "lr": 0.25}
    rates = [group["lr"] for group in state["param_groups"]]
    steering = [{"base_values": rates, "last_step": 2, "_last_value": list(rates)}]
    return content_of(model, state, param_schedulers=steering)


def strike(patch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Have the fault happen after the right edits."""

    def wrong(followers: tuple[Follower, ...], free_key: int, copies: Copies) -> dict[str, bytes]:
        storages = following.follow(followers, free_key, copies)
        for follower in followers:
            optimizer = replace(follower.optimizer, node=copies.of(follower.optimizer.node))
            schedulers = tuple(map(copies.of, follower.schedulers))
            fault(replace(follower, optimizer=optimizer, schedulers=schedulers))
        return storages

    patch.setattr(contents, "follow", wrong)


def test_without_a_fault_the_file_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strike(monkeypatch, nothing)
    report, found = migrated(tmp_path, training())
    assert report.exit_code == ExitCode.OK
    assert found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_seen_and_no_file_appears(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strike(monkeypatch, fault)
    report, _ = migrated(tmp_path, training())
    assert report.exit_code == ExitCode.INTEGRITY_FAILED
    assert report.destination is None
    assert report.verdicts[0].details
    assert [path.name for path in tmp_path.iterdir()] == ["old.pth"]


@pytest.mark.parametrize("grouping", [one_group, group_each])
def test_a_plan_that_leaves_the_state_where_it_was_is_seen(
    grouping: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain rename's mistake: the written model goes through its parameters otherwise."""
    from dataclasses import replace

    real = training_and_configs.match_parameters

    def unmoved(*args: Any) -> Any:
        found = real(*args)
        rank = {found.table[name]: number for number, name in enumerate(found.old)}
        return replace(found, rank=rank)

    monkeypatch.setattr(training_and_configs, "match_parameters", unmoved)
    report, _ = migrated(tmp_path, training(grouping))
    assert report.exit_code == ExitCode.INTEGRITY_FAILED
    assert report.verdicts[0].details == ("optimizer: the order of its parameters is not the model's",)
    assert not (tmp_path / "new.pth").exists()


@pytest.mark.parametrize("name", ["optimizer", "param_schedulers"])
def test_a_section_that_is_lost_is_seen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = contents.additions

    def losing(tree: Any, planned: contents.Contents) -> Any:
        root = tree.root
        set_pairs(root, [e for e in pairs(root) if getattr(e[0], "value", "") != name])
        return real(tree, planned)

    monkeypatch.setattr(contents, "additions", losing)
    report, _ = migrated(tmp_path, training())
    assert report.exit_code == ExitCode.INTEGRITY_FAILED
    assert report.destination is None
