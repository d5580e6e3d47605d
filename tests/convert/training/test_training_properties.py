"""Whatever the permutation and the grouping: each name keeps what it had."""

from __future__ import annotations

import pickle
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_ckpt_migrate.convert.training.follow import Follower, follow
from mm_ckpt_migrate.convert.training.optimizer import plan_optimizer, read_optimizers
from mm_ckpt_migrate.convert.training.parameters import Parameters, UnknownOrderError
from mm_ckpt_migrate.files.pickles.copies import Copies
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.parse import parse_whole

# A parameter has nothing but its name here, which state and settings repeat.
Groups = list[list[int]]


@st.composite
def permutations(draw: st.DrawFn) -> Parameters:
    count = draw(st.integers(1, 30))
    order = draw(st.permutations(range(count)))
    old = tuple(f"old{number}" for number in range(count))
    table = {name: f"new{number}" for number, name in enumerate(old)}
    rank = {f"new{number}": place for number, place in enumerate(order)}
    frozen = draw(st.none() | st.frozensets(st.sampled_from(sorted(table.values()))))
    return Parameters(old=old, table=table, rank=rank, shapes=dict.fromkeys(old, ()), frozen=frozen)


def optimizer_of(
    parameters: Parameters, groups: list[list[str]], untrained: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """What torch would save; groups hold old names."""
    order = list(chain.from_iterable(groups))
    place = {name: index for index, name in enumerate(order)}
    return {
        "state": {
            place[name]: {"owner": name} for name in parameters.old if name in place and name not in untrained
        },
        "param_groups": [{"owners": group, "params": [place[name] for name in group]} for group in groups],
        "extra": {"kept": True},
    }


def followed(parameters: Parameters, saved: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The edited optimizer, and the new names in the order of its indices."""
    root = parse_whole(pickle.dumps(saved, protocol=2))
    (optimizer,) = read_optimizers(root)
    move = plan_optimizer(optimizer, parameters)
    before, copies = emit(root), Copies(root, sealed=lambda node: False)
    assert follow((Follower(optimizer, (), move, None),), 0, copies) == {}
    assert emit(root) == before
    return pickle.loads(emit(copies.root)), list(move.names)


def assert_right(parameters: Parameters, found: dict[str, Any], names: list[str]) -> None:
    back = {new: old for old, new in parameters.table.items()}
    flat = list(chain.from_iterable(group["params"] for group in found["param_groups"]))
    assert flat == list(range(len(names)))
    assert list(found["state"]) == sorted(found["state"])
    for index, state in found["state"].items():
        assert state["owner"] == back[names[index]]
    for group in found["param_groups"]:
        members = [back[names[index]] for index in group["params"]]
        assert sorted(members) == sorted(group["owners"])
        ranks = [parameters.rank[names[index]] for index in group["params"]]
        assert ranks == sorted(ranks)
    assert found["extra"] == {"kept": True}


@given(permutations())
def test_all_in_one_group(parameters: Parameters) -> None:
    found, names = followed(parameters, optimizer_of(parameters, [list(parameters.old)]))
    assert_right(parameters, found, names)
    assert names == sorted(parameters.rank, key=parameters.rank.__getitem__)


@given(permutations())
def test_one_group_each(parameters: Parameters) -> None:
    frozen = parameters.frozen or frozenset()
    saved = optimizer_of(parameters, [[name] for name in parameters.old])
    found, names = followed(parameters, saved)
    assert_right(parameters, found, names)
    order = sorted(parameters.rank, key=parameters.rank.__getitem__)
    # A single group is that of all parameters, frozen or not.
    gone = frozen if len(parameters.old) > 1 else frozenset()
    assert names == [name for name in order if name not in gone]
    assert len(found["param_groups"]) == len(names)


@given(permutations(), st.data())
def test_some_untrained(parameters: Parameters, data: st.DataObject) -> None:
    """Those in groups of their own stay or go by what the target says, never by a guess."""
    untrained = data.draw(st.frozensets(st.sampled_from(parameters.old)))
    saved = optimizer_of(parameters, [[name] for name in parameters.old], untrained)
    if parameters.frozen is None and untrained and len(parameters.old) > 1:
        with pytest.raises(UnknownOrderError, match=f"{len(untrained)} of its parameters were"):
            followed(parameters, saved)
        return
    found, names = followed(parameters, saved)
    assert_right(parameters, found, names)
    back = {new: old for old, new in parameters.table.items()}
    with_state = {names[index] for index in found["state"]}
    assert with_state == {name for name in names if back[name] not in untrained}


@given(permutations(), st.data())
def test_groups_of_several_stand_as_both_orders_have_them_or_are_refused(
    parameters: Parameters, data: st.DataObject
) -> None:
    count = data.draw(st.integers(2, 4))
    owner = [data.draw(st.integers(0, count - 1)) for _ in parameters.old]
    members = [
        [name for name, number in zip(parameters.old, owner, strict=True) if number == group]
        for group in range(count)
    ]
    groups = [group for group in members if group]
    listed = optimizer_of(parameters, groups)
    for group in listed["param_groups"]:
        group["param_names"] = list(group["owners"])
    try:
        found, names = followed(parameters, listed)
    except UnknownOrderError:
        first = [parameters.old.index(group[0]) for group in groups]
        assert any(len(group) > 1 for group in groups) or first != sorted(first)
        return
    assert_right(parameters, found, names)
    assert [n for g in found["param_groups"] for n in g["param_names"]] == names
    kept = [g for g in groups if not {parameters.table[n] for n in g} <= (parameters.frozen or set())]
    if len(groups) == 1:
        kept = groups
    if any(len(group) > 1 for group in groups):
        assert [group["owners"] for group in found["param_groups"]] == kept
