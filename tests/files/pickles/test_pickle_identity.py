"""A stream that CPython's pickler writes is read into nodes and written back byte for byte."""

from __future__ import annotations

import argparse
import datetime
import io
import math
import pathlib
import pickle
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import pytest

from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import Call, List, Persistent, Text, walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

Dump = Callable[[object], bytes]


class Slotted:
    """Pickled by NEWOBJ and BUILD with a tuple of states."""

    __slots__ = ("left", "right")


class Plain:
    """Pickled by NEWOBJ and BUILD with its `__dict__`."""


class Reduced:
    """Pickled by REDUCE, APPENDS, SETITEMS and BUILD, one after the other."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Reduced, (), {"state": 1}, iter([1, 2]), iter([("key", "value")]))


def slotted() -> Slotted:
    made = Slotted()
    made.left, made.right = [1], (2, 3)
    return made


def with_attributes() -> OrderedDict[str, int]:
    made = OrderedDict(a=1, b=2)
    made._metadata = OrderedDict([("", {"version": 1}), ("head", {})])
    return made


def shared_list() -> list[Any]:
    one = ["shared"]
    return [one, one, {"again": one, "text": one[0]}]


def list_in_itself() -> list[Any]:
    made: list[Any] = [1]
    made.append(made)
    return made


def dict_in_itself() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["self"] = {"of": made}
    return made


def object_in_itself() -> Plain:
    made = Plain()
    made.me = [made]
    return made


OBJECTS: dict[str, Any] = {
    "none": None,
    "booleans": [True, False],
    "small_integers": [0, 1, 255, 256, 65535, 65536, -1, -32769],
    "edges_of_32_bits": [2**31 - 1, 2**31, -(2**31), -(2**31) - 1],
    "long_integers": [2**63, -(2**63), 2**200, -(2**2039), 2**2050, -(2**2060)],
    "floats": [0.0, -0.0, 1e-320, math.inf, -math.inf, math.nan, 0.1],
    "texts": ["", "a", "ä", "𝒳", "\0", "\n", "x" * 300, "\ud800", "a\udfffb"],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((), ((),))],
    "one_entry": [{"a": 1}, [1], {}, []],
    "dict_of_1001": {str(i): i for i in range(1001)},
    "dict_of_2500": {i: str(i) for i in range(2500)},
    "list_of_1001": list(range(1001)),
    "list_of_2000_strings": [str(i) for i in range(2000)],
    "shared_list": shared_list(),
    "list_in_itself": list_in_itself(),
    "dict_in_itself": dict_in_itself(),
    "object_in_itself": object_in_itself(),
    "ordered_dict_with_attributes": with_attributes(),
    "slots": slotted(),
    "reduced": [Reduced(), Reduced()],
    "bytes": [b"", b"\x00\xff", bytearray(b"abc")],
    "sets": [{1}, frozenset({2}), set()],
    "collections": [defaultdict(list, a=[1]), deque([1, 2], maxlen=3), Counter("aab")],
    "dates": [datetime.datetime(2023, 1, 31, 12), datetime.timedelta(1)],
    "paths_and_namespaces": [pathlib.PurePosixPath("a/b"), argparse.Namespace(lr=0.1)],
    "classes_and_functions": [int, OrderedDict, math.sqrt, Plain],
    "complex_and_slices": [1 + 2j, range(3), slice(1, 2)],
}


def dump_in_c(value: object) -> bytes:
    return pickle.dumps(value, protocol=2)


def dump_in_python(value: object) -> bytes:
    return pickle._dumps(value, protocol=2)  # type: ignore[attr-defined]


both_picklers = pytest.mark.parametrize("dump", [dump_in_c, dump_in_python], ids=["c", "python"])


@both_picklers
@pytest.mark.parametrize("name", OBJECTS)
def test_same_bytes(name: str, dump: Dump) -> None:
    stream = dump(OBJECTS[name])
    assert emit(parse_whole(stream)) == stream


@both_picklers
def test_same_bytes_with_more_than_256_memo_numbers(dump: Dump) -> None:
    words = [f"word {i}" for i in range(70_000)]
    stream = dump([words, list(reversed(words))])
    assert emit(parse_whole(stream)) == stream


def test_same_bytes_with_persistent_ids() -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> tuple[Any, ...] | None:
            return ("storage", int, str(len(obj)), "cpu", 4) if isinstance(obj, bytes) else None

    out = io.BytesIO()
    Pickler(out, protocol=2).dump({"a": b"1", "b": [b"22", b"1"]})
    root = parse_whole(out.getvalue())
    assert emit(root) == out.getvalue()
    assert sum(isinstance(node, Persistent) for node in walk(root)) == 3


@both_picklers
def test_same_bytes_for_numpy(dump: Dump) -> None:
    np = pytest.importorskip("numpy")
    values = [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.eye(3)),
        np.array([]),
        np.float64(0.5),
        np.int64(-3),
        np.bool_(True),
        np.str_("text"),
        np.array(["a", "bc"]),
        np.array([None, {}], dtype=object),
        np.dtype("<f4"),
        np.dtype([("a", "i4"), ("b", "O")]),
        np.random.RandomState(0),
        np.random.default_rng(0),
    ]
    stream = dump(values)
    assert emit(parse_whole(stream)) == stream


@both_picklers
def test_same_bytes_for_a_history_buffer(dump: Dump) -> None:
    logging = pytest.importorskip("mmengine.logging")
    buffer = logging.HistoryBuffer([0.5, 0.25], [1, 2])
    stream = dump({"train/loss": buffer, "train/lr": logging.HistoryBuffer([1e-4], [1])})
    root = parse_whole(stream)
    assert emit(root) == stream
    paths = [node.callee.path for node in walk(root) if isinstance(node, Call)]
    assert "__builtin__.getattr" in paths


def test_sharing_is_identity_of_nodes() -> None:
    root = parse_whole(dump_in_c(shared_list()))
    lists = [node for node in walk(root) if isinstance(node, List)]
    texts = [node for node in walk(root) if isinstance(node, Text) and node.value == "shared"]
    assert len(lists) == 2
    assert len(texts) == 1


def test_an_edited_node_changes_the_stream() -> None:
    stream = dump_in_c({"a": "b"})
    root = parse_whole(stream)
    text = next(node for node in walk(root) if isinstance(node, Text) and node.value == "b")
    text.value = "c"
    assert emit(root) != stream
    assert pickle.loads(emit(root)) == {"a": "c"}
