"""Reading nodes as dicts and lists, and writing values back: what is there, and what is not."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from datetime import timedelta

import pytest
from support.streams import Storage, mapping, plain, stream, tensor, text

from mm_ckpt_migrate.files.pickles import build
from mm_ckpt_migrate.files.pickles.build import (
    attributes,
    elements,
    from_plain,
    named_pairs,
    pairs,
    set_pairs,
    set_values,
    text_of,
    text_value,
    to_plain,
)
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleError, PickleLimitError
from mm_ckpt_migrate.files.pickles.hashed import check_keys_once
from mm_ckpt_migrate.files.pickles.nodes import Mutable, Node, Scalar, Tuple, children, walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole


def parsed(value: object) -> Mutable:
    root = parse_whole(pickle.dumps(value, protocol=2))
    assert isinstance(root, Mutable)
    return root


def test_values_are_put_in_place_or_at_the_end() -> None:
    root = parsed({"a": 1, 2: "kept", "b": 3})
    set_values(root, {"b": from_plain([4]), "c": from_plain("new")})
    assert list(pickle.loads(emit(root)).items()) == [("a", 1), (2, "kept"), ("b", [4]), ("c", "new")]


def test_a_value_under_an_empty_name() -> None:
    """Keys that are no strings are not taken for it."""
    root = parsed({1: "number", "": "old"})
    set_values(root, {"": from_plain("new")})
    assert pickle.loads(emit(root))[""] == "new"


@pytest.mark.parametrize("value", [{"a": 1, "b": {"a": 2}}, {1: 1, "1": 2}, OrderedDict(a=1), {}, [1, 1]])
def test_keys_that_stand_once(value: object) -> None:
    check_keys_once(parsed(value))


@pytest.mark.parametrize("made_by", [b"}", b"ccollections\nOrderedDict\n)R"])
@pytest.mark.parametrize("key", [text("again"), plain(7)])
def test_a_key_that_stands_twice(made_by: bytes, key: bytes) -> None:
    root = parse_whole(stream(made_by + b"(" + (key + plain(1)) * 2 + b"u"))
    assert isinstance(root, Mutable)
    with pytest.raises(PickleError, match=r"'(again|7)' stands in one dict twice"):
        check_keys_once(root)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (text("a") + b"N" + text("a") + b"N", "'a' stands in the state dict twice"),
        (plain(1) + b"N", "not a string"),
        (text("a\n") + b"N", "the key"),
    ],
)
def test_names_that_no_state_dict_has(entries: bytes, reason: str) -> None:
    with pytest.raises(PickleError, match=reason):
        named_pairs(parse_whole(stream(b"}(" + entries + b"u")))


def test_names_in_their_order() -> None:
    found = named_pairs(parsed({"b": 1, "a": 2}))
    assert [(key.value, to_plain(value)) for key, value in found] == [("b", 1), ("a", 2)]


def test_elements_of_lists_and_tuples_alone() -> None:
    root = parsed([[1, 2], (3,), {"a": 4}])
    of_list, of_tuple, of_dict = (elements(one) for one in elements(root))
    assert [to_plain(one) for one in of_list] == [1, 2]
    assert [to_plain(one) for one in of_tuple] == [3]
    assert of_dict == []


def test_attributes_are_what_build_gives() -> None:
    made: OrderedDict[str, int] = OrderedDict(a=1)
    assert attributes(parsed(made)) is None
    made.extra = 5  # type: ignore[attr-defined]
    assert to_plain(attributes(parsed(made))) == {"extra": 5}
    assert attributes(text_of("a")) is None


def test_only_a_string_has_a_text() -> None:
    assert (text_value(text_of("a")), text_value(from_plain(1))) == ("a", None)


def test_plain_values_end_at_a_depth_and_at_what_is_not_plain() -> None:
    assert to_plain(parsed([[[1]]]), depth=2) == [[None]]
    assert to_plain(parsed([1]), depth=1) == [None]
    assert to_plain(parsed({"a": OrderedDict, 3: 4, "b": (1, "x")})) == {"a": None, "b": [1, "x"]}
    assert to_plain(None) is None


def test_what_is_shared_is_counted_each_time() -> None:
    shared: list[object] = list(range(1000))
    assert len(str(to_plain(parsed([shared] * 49)))) > 49_000
    with pytest.raises(PickleLimitError, match="100000 parts"):
        to_plain(parsed([shared] * 50))


def test_the_most_parts_of_a_plain_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list and its three numbers, and the numbers once more when they come up."""
    monkeypatch.setattr(build, "_MAX_PLAIN_NODES", 7)
    assert to_plain(parsed([1, 2, 3])) == [1, 2, 3]
    monkeypatch.setattr(build, "_MAX_PLAIN_NODES", 6)
    with pytest.raises(PickleLimitError, match="6 parts"):
        to_plain(parsed([1, 2, 3]))


def test_a_tree_that_is_too_deep_to_write() -> None:
    node: Node = Scalar(None, b"N")
    for _ in range(5000):
        node = Tuple([node])
    with pytest.raises(PickleLimitError, match="too long a chain"):
        emit(node)


def test_a_label_stands_for_a_persistent_id() -> None:
    root = parse_whole(stream(mapping({"w": tensor(Storage("7"))})))
    labelled = emit(root, label=lambda _: text("bytes"))
    assert Storage("7").bytes() in emit(root)
    assert labelled == emit(root).replace(Storage("7").bytes(), text("bytes") + b"Q")


def test_every_node_is_met_once_in_the_order_of_the_stream() -> None:
    shared = ["s"]
    root = parsed([shared, (1, shared), OrderedDict(a=2)])
    values = [to_plain(node) for node in walk(root) if not children(node)]
    assert values[:2] == ["s", 1]
    assert values[-2:] == ["a", 2]
    assert len({id(node) for node in walk(root)}) == len(walk(root))


def test_pairs_of_several_batches() -> None:
    value = {f"k{i}": i for i in range(2001)}
    assert [(text_value(k), to_plain(v)) for k, v in pairs(parsed(value))] == list(value.items())


def test_a_tuple_as_a_key_is_looked_into() -> None:
    """Equal ones are one key, of whatever they are made."""
    check_keys_once(parsed({(1, "a"): 1, (1, "b"): 2, (1, ("a",)): 3, (): 4}))
    pair = b"K\x01" + text("a") + b"\x86"
    root = parse_whole(stream(b"}(" + (pair + b"N") * 2 + b"u"))
    assert isinstance(root, Mutable)
    with pytest.raises(PickleError, match=r"'\(\.\.\.\)' stands in one dict twice"):
        check_keys_once(root)


def test_keys_that_calls_make() -> None:
    """Among each other they are as different as they were when they were written."""
    made = {timedelta(1): 1, timedelta(2): 2}
    check_keys_once(parsed(made))
    with pytest.raises(PickleError, match="may be equal to them"):
        check_keys_once(parsed({**made, "a": 3}))


def test_one_tuple_under_two_keys_is_looked_into_once() -> None:
    shared = (1, 2)
    check_keys_once(parsed({(shared, 1): 1, (shared, 2): 2}))


@pytest.mark.parametrize("start", [b"\x00\x02", b"\x81\x02", b"\x80\x01", b"\x80\x03", b"\x80\x04"])
def test_a_stream_that_starts_in_another_way(start: bytes) -> None:
    with pytest.raises(PickleError, match="protocol"):
        parse_whole(start + b"N.")


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, 1001, 2500])
def test_new_entries_are_batched_as_cpython_does(size: int) -> None:
    root = parsed(OrderedDict(old=1))
    set_pairs(root, [(text_of(str(n)), from_plain(n)) for n in range(size)])
    assert emit(root) == pickle.dumps(OrderedDict((str(n), n) for n in range(size)), protocol=2)
