"""Random values and random damage: equal bytes, or PickleError; and nothing is ever imported."""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.streams import call, mapping, name, stream, system_call, text

from mm_ckpt_migrate.files.pickles.build import from_plain, to_plain
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.errors import PickleError
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**40), 2**40), st.floats(), st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(st.text() | st.integers(), inner),
        st.dictionaries(st.text(), inner).map(OrderedDict),
        inner.map(lambda shared: [shared, (shared,), {"again": shared}]),
    ),
    max_leaves=30,
)
texts_only = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(values)
def test_random_values_give_equal_bytes(value: Any) -> None:
    for raw in (pickle.dumps(value, 2), pickle._dumps(value, 2)):  # type: ignore[attr-defined]
        assert emit(parse_whole(raw)) == raw


@settings(max_examples=150, deadline=None, derandomize=True)
@given(texts_only)
def test_random_plain_values_there_and_back(value: Any) -> None:
    raw = emit(from_plain(value))
    assert repr(pickle.loads(raw)) == repr(value)
    assert repr(to_plain(parse_whole(raw), depth=100)) == repr(value)


SEEDS = [
    pickle.dumps({"a": [1, 2.5, "text", None], "b": (1, 2, 3, 4), "c": OrderedDict(d=2**70)}, 2),
    pickle.dumps([OrderedDict(a=1)] * 3 + [list(range(300))], 2),
    stream(mapping({"canary": name("canary_module.canary"), "x": system_call()})),
    stream(call("canary_module.Class", text("a"), opcode=b"\x81") + b"}b"),
]
edits = st.tuples(
    st.sampled_from(["set", "insert", "delete", "copy"]), st.floats(0, 1), st.binary(max_size=6)
)


def damaged(raw: bytes, damage: list[tuple[str, float, bytes]]) -> bytes:
    data = bytearray(raw)
    for kind, where, raw in damage:
        at = int(where * len(data))
        if kind == "set":
            data[at : at + len(raw)] = raw
        elif kind == "insert":
            data[at:at] = raw
        elif kind == "delete":
            del data[at : at + 1 + len(raw)]
        else:
            data[at:at] = data[at // 2 : at // 2 + 8]
    return bytes(data)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(SEEDS), st.lists(edits, min_size=1, max_size=3))
def test_random_damage(raw: bytes, damage: list[tuple[str, float, bytes]]) -> None:
    before = set(sys.modules)
    try:
        root = parse_whole(damaged(raw, damage))
    except PickleError:
        pass
    else:
        again = emit(root)
        assert emit(parse_whole(again)) == again
        assert len(walk(parse_whole(again))) == len(walk(root))
    assert set(sys.modules) == before


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=40))
def test_random_bytes(data: bytes) -> None:
    for raw in (data, b"\x80\x02" + data + b"."):
        try:
            root = parse_whole(raw)
        except PickleError:
            continue
        assert emit(parse_whole(emit(root))) == emit(root)
