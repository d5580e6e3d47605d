"""E8, E9: what a harmless name may be called with, and what may be put into what it makes."""

from __future__ import annotations

import argparse
import datetime
import pathlib
import pickle
import time
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import pytest
from support.opened import opened_stream
from support.streams import ORDERED_DICT, Storage, call, mapping, name, numbers, plain, stream, tensor, text

from mm_ckpt_migrate.files.checkpoint.policy import foreign_globals
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

HUGE = plain(2_500_000_000)
RANGE = call("__builtin__.xrange", plain(0), HUGE, plain(1))
SHORT = call("__builtin__.xrange", plain(0), plain(9), plain(1))
REBUILD = name("torch._utils._rebuild_tensor_v2")
RAW = call("_codecs.encode", text("b"), text("latin1"))
U1 = numbers([3, text("|"), b"N", b"N", b"N", -1, -1, 0])
BUFFER = "mmengine.logging.history_buffer.HistoryBuffer"
MEAN = call("builtins.getattr", name(BUFFER), text("mean"))


def dtype(spelled: str = "u1", state: bytes = U1) -> bytes:
    return call("numpy.dtype", text(spelled), b"\x89", b"\x88") + state + b"b"


def array(shape: bytes = numbers([1]), data: bytes = RAW, kind: bytes = dtype(), first: Any = 0) -> bytes:
    made = call("numpy.core.multiarray._reconstruct", name("numpy.ndarray"), numbers([first]), RAW)
    return made + numbers([1, shape, kind, b"\x89", data]) + b"b"


def generator(constructor: str) -> bytes:
    return call("numpy.random._pickle.__generator_ctor", text("PCG64"), name(constructor))


def foreign(value: bytes) -> tuple[str, ...]:
    body = mapping({"state_dict": mapping({"w": tensor()}), "message_hub": value})
    tree = opened_stream(body).tree
    assert tree is not None
    return tree.foreign


ODD_CALLS = {
    "list": call("__builtin__.list", SHORT),
    "tuple": call("builtins.tuple", b"]"),
    "str": call("builtins.str", text("a")),
    "dict": call("builtins.dict", b"}"),
    "int": call("builtins.int", text("9" * 5000)),
    "deque_of_a_range": call("collections.deque", SHORT),
    "set_of_a_range": call("builtins.set", SHORT),
    "bytes_of_a_size": call("builtins.bytes", HUGE),
    "bytearray_of_a_list": call("builtins.bytearray", b"]"),
    "counter_of_a_range": call("collections.Counter", SHORT),
    "size_of_a_range": call("torch.Size", SHORT),
    "long_range": RANGE,
    "endless_range": call("builtins.range", plain(0), plain(1), plain(0)),
    "rebuild_of_bytearray": call(
        "torch._tensor._rebuild_from_type_v2",
        name("builtins.bytearray"),
        name("torch.Tensor"),
        HUGE + b"\x85",
        b"}",
    ),
    "rebuild_with_odd_arguments": call(
        "torch._tensor._rebuild_from_type_v2", REBUILD, name("torch.Tensor"), HUGE + b"\x85", b"}"
    ),
    "rebuild_of_a_list": call(
        "torch._tensor._rebuild_from_type_v2", REBUILD, name("builtins.list"), b")", b"}"
    ),
    "parameter_of_a_class": call(
        "torch._utils._rebuild_parameter", name("builtins.list"), b"\x88", ORDERED_DICT
    ),
    "generator_of_a_list": generator("builtins.list"),
    "generator_of_a_call": call("numpy.random._pickle.__generator_ctor", SHORT, name("builtins.list")),
    "factory_that_is_handed_on": call("collections.defaultdict", name("torch.Tensor")),
    "factory_that_is_a_call": call("collections.defaultdict", MEAN),
    "array_that_is_made_large": array(first=10**10),
    "array_of_more_than_its_bytes": array(numbers([10**10])),
    "array_of_nothing": array(
        numbers([10**10]), text(""), dtype("V0", numbers([3, text("|"), b"N", b"N", b"N", 0, 1, 0]))
    ),
    "array_below_zero": array(numbers([-1])),
    "array_of_a_range": array(data=SHORT),
    "array_of_a_class": call(
        "numpy.core.multiarray._reconstruct", name("builtins.bytearray"), numbers([0]), RAW
    ),
    "scalar_without_its_bytes": call("numpy.core.multiarray.scalar", dtype("V9" * 1)),
    "scalar_of_too_few": call("numpy.core.multiarray.scalar", dtype("f8"), RAW),
    "encoded_slowly": call("_codecs.encode", text("a"), text("punycode")),
    "dates_of_a_class": call("datetime.datetime", name("builtins.list")),
    "path_of_a_class": call("pathlib.PosixPath", name("builtins.list")),
    "hooks": call(
        "torch._utils._rebuild_parameter",
        tensor(),
        b"\x88",
        mapping({"a": name("builtins.list")}, ORDERED_DICT),
    ),
    "new_instead_of_called": call("collections.OrderedDict", opcode=b"\x81"),
    "called_instead_of_new": call(BUFFER),
    "quantized_beyond_its_storage": call(
        "torch._utils._rebuild_qtensor",
        tensor().split(b"QK")[0].partition(b"(")[2] + b"Q",
        plain(0),
        numbers([10**9]),
        numbers([0]),
        name("torch.per_tensor_affine") + b"\x85",
        b"\x89",
        ORDERED_DICT,
    ),
}


MANY = numbers([1 << 46])[:-1] + plain(1 << 46) * 120_000 + b"t"


def qtensor(storage: Storage, shape: bytes) -> bytes:
    scheme = b"(" + name("torch.per_tensor_affine") + plain(0.5) + plain(1) + b"t"
    return call(
        "torch._utils._rebuild_qtensor",
        storage.bytes(),
        plain(0),
        shape,
        numbers([1]),
        scheme,
        b"\x89",
        ORDERED_DICT,
    )


@pytest.mark.parametrize("value", [array(MANY), qtensor(Storage(), MANY)], ids=["array", "tensor"])
def test_r3_more_dimensions_than_can_be(value: bytes) -> None:
    """Their product takes a minute to compute, from a file of a megabyte."""
    start = time.process_time()
    assert foreign(value)
    assert time.process_time() - start < 10


@pytest.mark.parametrize("storage", [Storage("x"), Storage(numel=2.5), Storage(tag="module")])
def test_e08_quantized_of_what_is_no_storage(storage: Storage) -> None:
    nodes = walk(parse_whole(stream(qtensor(storage, numbers([2])))))
    assert foreign_globals(nodes) == ["torch._utils._rebuild_qtensor called in an odd way"]


@pytest.mark.parametrize("case", ODD_CALLS)
def test_e08_calls_that_no_genuine_file_makes(case: str) -> None:
    assert any(said.endswith("in an odd way") for said in foreign(ODD_CALLS[case]))


MADE = {
    "a_method": MEAN,
    "a_scalar": call("numpy.core.multiarray.scalar", dtype(), RAW),
    "a_range": SHORT,
    "a_path": call("pathlib.PosixPath", text("a")),
    "bytes": RAW,
    "a_set": call("builtins.set", b"]"),
    "a_date": call("datetime.date", RAW),
    "a_size": call("torch.Size", numbers([1])),
    "a_device": call("torch.device", text("cpu")),
    "a_counter": call("collections.Counter", b"}"),
}
CHANGES = {
    "state": mapping({"x": b"N"}) + b"b",
    "slots": b"N" + mapping({"__defaults__": b"N"}) + b"\x86b",
    "item": text("k") + b"Ns",
    "items": b"(" + text("k") + b"Nu",
    "element": b"Na",
    "elements": b"(NNe",
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("made", MADE)
def test_e09_what_takes_no_state(made: str, change: str) -> None:
    assert foreign(MADE[made]) == ()
    (said,) = foreign(MADE[made] + CHANGES[change])
    assert said.endswith("changed in an odd way")


STATES = {
    "dtype_of_a_class": dtype(
        state=numbers([3, name("builtins.list"), *b"NNN"[0:0], b"N", b"N", b"N", -1, -1, 0])
    ),
    "dtype_of_few": dtype(state=numbers([3, text("<")])),
    "dtype_of_a_dict": dtype(state=b"}"),
    "dtype_twice_as_large": dtype(state=numbers([3, text("<"), b"N", b"N", b"N", 1 << 40, -1, 0])),
    "history_that_calls": call(BUFFER, opcode=b"\x81")
    + mapping({"_statistics_methods": mapping({"mean": name("builtins.bytearray")})})
    + b"b",
    "attribute_that_is_a_class": call(BUFFER, opcode=b"\x81")
    + mapping({"mean": name("builtins.bytearray")})
    + b"b",
    "element_of_a_dict": ORDERED_DICT + b"Na",
    "state_of_an_ordered_dict": ORDERED_DICT + b"N}\x86b",
}


@pytest.mark.parametrize("case", STATES)
def test_e09_states_that_no_genuine_file_has(case: str) -> None:
    assert any(said.endswith("changed in an odd way") for said in foreign(STATES[case]))


GENUINE: list[Any] = [
    deque([1, 2], maxlen=3),
    deque(),
    Counter("aab"),
    defaultdict(list, {1: []}),
    defaultdict(None),
    OrderedDict(a=1),
    {1, 2},
    frozenset("a"),
    range(3),
    range(0, -9, -2),
    slice(1),
    1j,
    b"",
    b"a",
    bytearray(b"a"),
    bytearray(),
    datetime.datetime(2020, 1, 1),
    datetime.date(2020, 1, 1),
    datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    datetime.timedelta(1, 2, 3),
    datetime.time(3),
    pathlib.PurePosixPath("/a/b"),
    argparse.Namespace(a=[1]),
]


@pytest.mark.parametrize("value", GENUINE, ids=repr)
def test_e08_what_python_pickles(value: Any) -> None:
    assert foreign_globals(walk(parse_whole(pickle.dumps(value, protocol=2)))) == []


def test_e08_what_numpy_pickles() -> None:
    np = pytest.importorskip("numpy")
    values = [
        np.float64(1),
        np.datetime64("2020-01-01"),
        np.str_("ab"),
        np.bool_(1),
        np.bytes_(b"a"),
        np.ones((2, 3)),
        np.array(["a"]),
        np.array([None, 1]),
        np.zeros(0),
        np.array(5),
        np.zeros(2, [("a", "f4"), ("b", "i4", (2,))]),
        np.asfortranarray(np.ones((2, 3))),
        np.dtype(">f4"),
        np.dtype("M8[s]"),
        np.random.RandomState(0),
        np.array(["2020"], "M8[D]"),
        np.zeros((0, 3)),
        np.complex64(1),
    ]
    for value in values:
        raw = pickle.dumps([value], protocol=2)
        assert foreign_globals(walk(parse_whole(raw))) == []
        assert foreign_globals(walk(parse_whole(raw.replace(b"numpy._core.", b"numpy.core.")))) == []


def test_e08_what_torch_saves() -> None:
    torch = pytest.importorskip("torch")
    from support.opened import opened
    from support.torch_saved import saved

    marked, parameter = torch.ones(2), torch.nn.Parameter(torch.ones(2))
    marked.mark = parameter.mark = 1
    values = [
        marked,
        parameter,
        torch.nn.Parameter(torch.ones(1)),
        torch.ones(2, device="meta"),
        torch.ones(2, dtype=torch.complex64).conj(),
        torch.ones(1).to(torch.uint16),
        torch.sparse_coo_tensor([[0]], [1.0], (2,)),
        torch.Size([1, 2]),
        torch.device("cuda:0"),
        torch.float32,
        torch.strided,
        torch.nn.parameter.Buffer(torch.ones(1)),
    ]
    tree = opened(saved({"state_dict": {"w": torch.ones(1)}, "more": values})).tree
    assert tree is not None
    assert tree.foreign == ()
