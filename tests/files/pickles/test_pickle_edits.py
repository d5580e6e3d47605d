"""Nodes made by hand are pickled as CPython would, and CPython reads them as what was meant."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any

import pytest

from mm_ckpt_migrate.files.pickles.build import (
    attributes,
    find,
    from_plain,
    is_mapping,
    mapping_of,
    pairs,
    set_pairs,
    text_at,
    text_of,
    to_plain,
)
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node
from mm_ckpt_migrate.files.pickles.parse import parse_whole

VALUES: dict[str, Any] = {
    "scalars": [None, True, False, 0, -1, 2**31, 2**70, 1.5],
    "texts": ["", "ä", "long" * 100],
    "nested": {"a": {"b": [{"c": []}, {}]}},
    "many_entries": {f"k{i}": i for i in range(2345)},
    "many_items": list(range(1001)),
    "one": [[1], {"a": 1}],
}


@pytest.mark.parametrize("name", VALUES)
def test_plain_values_there_and_back(name: str) -> None:
    stream = emit(from_plain(VALUES[name]))
    assert pickle.loads(stream) == VALUES[name]
    assert to_plain(parse_whole(stream)) == VALUES[name]


def test_plain_values_are_spelled_as_cpython_does() -> None:
    value = {"a": [1, 2.5, None], "b": {"c": "d"}, "e": list(range(1500))}
    assert emit(from_plain(value)) == pickle._dumps(value, protocol=2)  # type: ignore[attr-defined]


def parsed(value: object) -> Node:
    return parse_whole(pickle.dumps(value, protocol=2))


def state_dict() -> OrderedDict[str, Any]:
    made: OrderedDict[str, Any] = OrderedDict((f"k{i}", [i]) for i in range(1234))
    made._metadata = OrderedDict([("", {"version": 1})])
    return made


def test_replacing_the_entries_keeps_the_attributes() -> None:
    root = parsed(state_dict())
    assert isinstance(root, Mutable)
    renamed = [(text_of(f"new.{i}"), value) for i, (_, value) in enumerate(pairs(root))]
    set_pairs(root, reversed(renamed))
    made = pickle.loads(emit(root))
    assert type(made) is OrderedDict
    assert list(made) == [f"new.{i}" for i in reversed(range(1234))]
    assert made["new.7"] == [7]
    assert made._metadata == {"": {"version": 1}}


def test_reordering_keeps_what_is_shared() -> None:
    one = [1]
    root = parsed({"a": one, "b": [one], "c": "a"})
    assert isinstance(root, Mutable)
    set_pairs(root, reversed(pairs(root)))
    made = pickle.loads(emit(root))
    assert made == {"c": "a", "b": [[1]], "a": [1]}
    assert made["b"][0] is made["a"]


def test_emptied_mapping() -> None:
    root = parsed({"a": 1})
    assert isinstance(root, Mutable)
    set_pairs(root, [])
    assert emit(root) == pickle.dumps({}, protocol=2)


def test_find_follows_mappings_only() -> None:
    root = parsed({"a": OrderedDict(b="c"), "list": ["a"], 1: {"b": "no"}})
    assert text_at(root, "a", "b") == "c"
    assert find(root, "list", "a") is None
    assert find(root, "absent", "b") is None
    assert text_at(root, "a") is None
    assert attributes(root) is None


@pytest.mark.parametrize("value", [[1], (1,), OrderedDict, pickle.PickleError("no"), {1}])
def test_other_objects_are_no_mappings(value: object) -> None:
    assert not is_mapping(parsed(value))


def test_mapping_of_nodes() -> None:
    root = mapping_of({"a": from_plain([1]), "b": parsed((None, True))})
    assert pickle.loads(emit(root)) == {"a": [1], "b": (None, True)}
