"""numpy's scalars and arrays become exactly what numpy's own `item()` and `tolist()` give."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simplified import load, said, simplified, simplified_stream, stays
from support.streams import call, mapping, name, numbers, plain, stream, text
from support.zips import torch_zip

from mm_ckpt_migrate.files.checkpoint.plain_numpy import MAX_LISTED
from mm_ckpt_migrate.files.checkpoint.simplify import simplify
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.parse import parse_whole

np = pytest.importorskip("numpy")
pytest.importorskip("torch")

KINDS = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]
DTYPES = [order + kind for kind in KINDS for order in "<>"]
BOTH = pytest.mark.parametrize("older_numpy", [False, True], ids=["_core", "core"])


def same(found: object, expected: object) -> bool:
    """Types, signs of zero and NaN included."""
    return repr(found) == repr(expected)


@BOTH
@given(dtype=st.sampled_from(DTYPES), data=st.binary(min_size=8, max_size=8))
def test_a_scalar_is_its_item(older_numpy: bool, dtype: str, data: bytes) -> None:
    scalar = np.frombuffer(data, dtype)[0]
    assert same(simplified(scalar, older_numpy=older_numpy), scalar.item())


def big_endian_scalar(kind: str, data: bytes) -> bytes:
    """numpy itself always swaps a scalar's bytes; a file from another machine holds them thus."""
    return stream(mapping({"v": scalar_of(dtype_of(kind, ">"), data.decode("latin1"))}))


@given(kind=st.sampled_from(KINDS), data=st.binary(min_size=8, max_size=8))
def test_a_scalar_of_another_byte_order(kind: str, data: bytes) -> None:
    array = np.frombuffer(data, f">{kind}")
    made, _ = simplified_stream(big_endian_scalar(kind, data[: array.itemsize]))
    assert same(load(torch_zip(made, {}))["v"], array[0].item())


@BOTH
@given(dtype=st.sampled_from(DTYPES), data=st.binary(max_size=64))
def test_a_short_array_is_its_list(older_numpy: bool, dtype: str, data: bytes) -> None:
    array = np.frombuffer(data[: len(data) & ~7], dtype)
    assert same(simplified(array, older_numpy=older_numpy), array.tolist())


@given(dtype=st.sampled_from(DTYPES), data=st.binary(min_size=8, max_size=8))
def test_an_array_of_no_dimension_is_its_number(dtype: str, data: bytes) -> None:
    array = np.frombuffer(data, dtype)[:1].reshape(())
    assert same(simplified(array), array.tolist())


SHAPES = st.lists(st.integers(0, 4), min_size=2, max_size=4)


@BOTH
@given(dtype=st.sampled_from(DTYPES), shape=SHAPES, order=st.sampled_from("CF"))
def test_a_small_table_is_its_nested_list(
    older_numpy: bool, dtype: str, shape: list[int], order: str
) -> None:
    array = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape).copy(order=order)
    assert same(simplified(array, older_numpy=older_numpy), array.tolist())


@given(
    texts=st.lists(st.text(st.characters(), max_size=3), min_size=1, max_size=6), order=st.sampled_from("<>")
)
def test_an_array_of_strings_is_their_list(texts: list[str], order: str) -> None:
    array = np.array(texts).astype(f"{order}U3")
    assert same(simplified(array), array.tolist())
    assert same(simplified(array.reshape(-1, 1)), array.reshape(-1, 1).tolist())


@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.sampled_from([(101, 100), (10_001, 1), (2, 2, 2500), (1, 2, 1, 2, 1)]),
    order=st.sampled_from("CF"),
)
def test_a_large_matrix_keeps_its_bytes(dtype: str, shape: tuple[int, ...], order: str) -> None:
    array = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape).copy(order=order)
    found = simplified(array)
    assert set(found) == {"dtype", "shape", "fortran_order", "data"}
    assert same_array(found, array)


@pytest.mark.parametrize("classes", [2500, 2501])
def test_where_palettes_end(classes: int) -> None:
    palette = np.random.default_rng(0).integers(0, 255, (classes, 3), np.uint8)
    found = simplified(palette)
    assert found == palette.tolist() if classes == 2500 else same_array(found, palette)


def same_array(found: dict[str, Any], array: Any) -> bool:
    order = "F" if found["fortran_order"] else "C"
    made = np.frombuffer(found["data"], found["dtype"]).reshape(found["shape"], order=order)
    return made.dtype == array.dtype and made.shape == array.shape and bool((made == array).all())


@pytest.mark.parametrize("length", [MAX_LISTED, MAX_LISTED + 1])
def test_where_lists_end(length: int) -> None:
    array = np.arange(length) / 3
    found = simplified(array)
    assert found == array.tolist() if length == MAX_LISTED else same_array(found, array)


@BOTH
@given(value=st.text(st.characters(), max_size=6))
def test_a_string_scalar_is_a_str(older_numpy: bool, value: str) -> None:
    assert same(simplified(np.str_(value), older_numpy=older_numpy), np.str_(value).item())


def test_half_a_surrogate_pair() -> None:
    assert simplified(np.str_("\ud800a")) == "\ud800a"


def test_numbers_as_keys_and_deep_inside() -> None:
    value = {np.int64(3): [(np.float32(0.1), {"x": np.bool_(True)})]}
    found = simplified(value)
    assert same(found, {3: [(float(np.float32(0.1)), {"x": True})]})


def test_one_array_in_two_places_stays_one() -> None:
    array, matrix = np.arange(3), np.eye(2)
    found = simplified({"a": array, "b": [array], "c": matrix, "d": (matrix,)})
    assert found["a"] is found["b"][0]
    assert found["c"] is found["d"][0]
    assert found["a"] == [0, 1, 2]


def test_one_dtype_serves_many() -> None:
    values = [np.float64(i) for i in range(300)] + [np.float32(0.5), np.arange(2.0)]
    assert simplified(values) == [*map(float, range(300)), 0.5, [0.0, 1.0]]


def test_empty_bytes_inside() -> None:
    """Python pickles them as a call of `bytes`, which torch refuses."""
    assert simplified({"a": b"", "b": b"x"}) == {"a": b"", "b": b"x"}
    assert said({"a": b""}) == ()


def test_report() -> None:
    value = {"v": np.float64(1), "w": {"a": np.str_("b")}, "x": np.eye(100), "y": [np.ones(1)]}
    assert said(value) == (
        "1 numpy scalar became a plain number: v",
        "1 numpy string became a plain string: w.a",
        "1 numpy array became a plain list: y.0",
        "1 large numpy array became a dict of dtype, shape and bytes: x",
    )
    many = {str(i): {"a": np.float64(i)} for i in range(5)}
    assert said(many) == ("5 numpy scalars became plain numbers: 0.a; 1.a; 2.a; and 2 places more",)
    assert said({"k\x1b[2J\n": np.float64(1)}) == ("1 numpy scalar became a plain number: k\\x1b[2J\\n",)


def test_a_long_log_takes_no_memory() -> None:
    stream = pickle.dumps({"v": np.arange(2_000_000.0), "w": np.zeros((1000, 1000))}, protocol=2)
    root = parse_whole(stream)
    tracemalloc.start()
    report = simplify(root)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(report) == 1
    assert peak < 100_000
    assert same_array(load(torch_zip(emit(root), {}))["v"], np.arange(2_000_000.0))


SCALAR = "numpy.core.multiarray.scalar"
RECONSTRUCT = "numpy.core.multiarray._reconstruct"
STATE = (3, "<", None, None, None, -1, -1, 0)


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def dtype_of(
    kind: str = "f8",
    order: str = "<",
    state: tuple[Any, ...] | None = None,
    flags: bytes = b"\x89\x88",
    made_by: str = "numpy.dtype",
) -> bytes:
    state = (3, order, *STATE[2:]) if state is None else state
    return call(made_by, text(kind), flags) + numbers(state) + b"b"


def encoded(data: str = "\0" * 8, codec: str = "latin1") -> bytes:
    return call("_codecs.encode", text(data), text(codec))


def scalar_of(dtype: bytes, data: str = "\0" * 8) -> bytes:
    return call(SCALAR, dtype, encoded(data))


def array_of(
    shape: bytes = numbers([2]),
    dtype: bytes = dtype_of(),
    data: bytes = encoded("\0" * 16),
    version: bytes = plain(1),
    fortran: bytes = b"\x89",
    more: bytes = b"",
    kind: str = "numpy.ndarray",
) -> bytes:
    made = call(RECONSTRUCT, name(kind), numbers([0]), encoded("b"))
    return made + tuple_of(version, shape, dtype, fortran, data, more) + b"b"


CHANGES: dict[str, bytes] = {
    "scalar": scalar_of(dtype_of()),
    "newer": call("numpy._core.multiarray.scalar", dtype_of(), encoded()),
    "flags_as_numbers": scalar_of(dtype_of(flags=plain(0) + plain(1))),
    "text_for_bytes": call(SCALAR, dtype_of(), text("\0" * 8)),
    "array": array_of(),
    "array_with_text_for_bytes": array_of(data=text("\0" * 16)),
    "matrix_with_text_for_bytes": array_of(numbers([1, 2]), data=text("\0" * 16)),
    "array_with_number_for_bool": array_of(fortran=plain(0)),
}


@pytest.mark.parametrize("case", CHANGES)
def test_other_spellings(case: str) -> None:
    made, report = simplified_stream(stream(mapping({"v": CHANGES[case]})))
    found = load(torch_zip(made, {}))["v"]
    assert len(report) == 1
    assert found in (0.0, [0.0, 0.0], [[0.0, 0.0]])


STAYS: dict[str, bytes] = {
    "too_short": scalar_of(dtype_of(), "\0" * 7),
    "too_long": scalar_of(dtype_of(), "\0" * 9),
    "no_bytes": scalar_of(dtype_of(), ""),
    "not_latin1": scalar_of(dtype_of(), "Ā" * 8),
    "other_codec": call(SCALAR, dtype_of(), encoded(codec="utf-8")),
    "number_for_bytes": call(SCALAR, dtype_of(), plain(8)),
    "one_argument": call(SCALAR, dtype_of()),
    "three_arguments": call(SCALAR, dtype_of(), encoded(), b"N"),
    "no_arguments": name(SCALAR) + b")R",
    "by_newobj": call(SCALAR, dtype_of(), encoded(), opcode=b"\x81"),
    "changed_afterwards": scalar_of(dtype_of()) + b"}b",
    "another_callable": call("numpy.core.multiarray.scalar2", dtype_of(), encoded()),
    "no_dtype": call(SCALAR, text("f8"), encoded()),
    "dtype_without_state": call(SCALAR, call("numpy.dtype", text("f8"), b"\x89", b"\x88"), encoded()),
    "dtype_by_another_name": scalar_of(dtype_of(made_by="numpy.dtypes")),
    "aligned": scalar_of(dtype_of(flags=b"\x88\x88")),
    "other_version": scalar_of(dtype_of(state=(2, *STATE[1:]))),
    "metadata": scalar_of(dtype_of(state=(4, *STATE[1:], 0))),
    "short_state": scalar_of(dtype_of(state=STATE[:7])),
    "fields": scalar_of(dtype_of(state=(3, "<", None, "a", None, -1, -1, 0))),
    "sized": scalar_of(dtype_of(state=(3, "<", None, None, None, 8, 8, 0))),
    "native_order": scalar_of(dtype_of(order="=")),
    "no_order": scalar_of(dtype_of(order="|")),
    "order_is_a_number": scalar_of(dtype_of(state=(3, 1, *STATE[2:]))),
    "long_double": scalar_of(dtype_of("f16"), "\0" * 16),
    "complex": scalar_of(dtype_of("c8")),
    "date": scalar_of(dtype_of("M8")),
    "object": scalar_of(dtype_of("O8")),
    "void": scalar_of(dtype_of("V8")),
    "bytes": scalar_of(dtype_of("S8")),
    "odd_name": scalar_of(dtype_of("")),
    "text_of_odd_size": scalar_of(dtype_of("U2", state=(3, "<", None, None, None, 4, 4, 8))),
    "text_of_no_size": scalar_of(dtype_of("U", state=(3, "<", None, None, None, 8, 4, 8))),
    "text_of_no_character": scalar_of(dtype_of("U2", state=(3, "<", None, None, None, 8, 4, 8)), "ÿ" * 8),
    "array_too_short": array_of(numbers([3])),
    "array_too_long": array_of(numbers([1])),
    "matrix_too_short": array_of(numbers([2, 2])),
    "array_not_latin1": array_of(data=encoded("Ā" * 16)),
    "array_of_negative_size": array_of(numbers([-2])),
    "array_of_immense_size": array_of(numbers([2**62, 2**62])),
    "array_of_bools_of_size": array_of(numbers([True, True]), data=encoded()),
    "array_of_many_dimensions": array_of(numbers([1] * 65), data=encoded()),
    "shape_is_no_tuple": array_of(plain(2)),
    "shape_of_texts": array_of(numbers(["2"])),
    "array_of_other_version": array_of(version=plain(2)),
    "array_of_odd_order": array_of(fortran=plain(2)),
    "array_of_order_none": array_of(fortran=b"N"),
    "array_of_more": array_of(more=b"N"),
    "array_of_objects": array_of(dtype=dtype_of("O8"), data=b"]"),
    "array_of_texts_of_no_size": array_of(
        dtype=dtype_of("U0", state=(3, "<", None, None, None, 0, 4, 8)), data=encoded("")
    ),
    "array_of_what_is_no_text": array_of(
        dtype=dtype_of("U2", state=(3, "<", None, None, None, 8, 4, 8)), data=encoded("ÿ" * 16)
    ),
    "long_array_of_texts": array_of(
        numbers([1001]), dtype_of("U1", state=(3, "<", None, None, None, 4, 4, 8)), encoded("\0" * 4004)
    ),
    "array_of_a_subclass": array_of(kind="numpy.matrix"),
    "array_without_state": array_of()[: array_of().index(b"(K\x01(")],
    "array_with_a_dict_for_state": array_of()[: array_of().index(b"(K\x01(")] + b"}b",
    "inside_a_call": call("builtins.set", b"](" + scalar_of(dtype_of()) + b"e"),
    "inside_the_state_of_a_call": call("argparse.Namespace") + mapping({"a": array_of()}) + b"b",
    "inside_a_key": b"}" + tuple_of(scalar_of(dtype_of())) + b"K\x01s",
    "a_dtype_alone": dtype_of(),
    "a_function_alone": name(SCALAR),
}


@pytest.mark.parametrize("case", STAYS)
def test_what_is_not_as_numpy_pickles_it_stays(case: str) -> None:
    assert stays(stream(mapping({"v": STAYS[case]})))


@pytest.mark.parametrize(
    "value",
    [
        np.longdouble(1),
        np.complex64(1j),
        np.datetime64("2020-01-01"),
        np.timedelta64(1, "s"),
        np.bytes_(b"a"),
        np.zeros(2, [("a", "f8"), ("b", "i4")]),
        np.zeros(1, [("a", "f8")])[0],
        np.array([None, 1], object),
        np.array([b"a"]),
        np.zeros(2, "c16"),
        np.dtype("f8"),
        np.float64,
        np.array([1, 2]).view(np.recarray),
        np.ma.masked_array([1], [True]),
        np.zeros(2, np.dtype("f8", metadata={"a": 1})),
    ],
    ids=repr,
)
def test_what_has_no_plain_form_stays(value: Any) -> None:
    assert stays(pickle.dumps({"v": value}, protocol=2))


def test_what_something_fixed_shares_stays_in_both_places() -> None:
    array = np.arange(3)
    fixed = np.array([None, array], object)
    assert stays(pickle.dumps({"v": array, "w": fixed}, protocol=2))
    assert stays(pickle.dumps({"w": fixed, "v": array}, protocol=2))


PLAIN: list[Any] = [
    "numpy.core.multiarray scalar",
    {"dtype": "<f8", "data": b"123"},
    [1, 2.5, None, True, 2**70],
    ((), [], {}),
    {1: {2: {"a": {3}}}},
    1j,
    bytearray(b"ab"),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_stay(value: Any) -> None:
    assert stays(pickle.dumps({"v": value}, protocol=2))
    assert simplified(value) == value


@pytest.mark.parametrize("value", [1.0, np.float64(1), [np.float64(1)]], ids=repr)
def test_a_root_that_is_no_mapping_stays(value: Any) -> None:
    assert stays(pickle.dumps(value, protocol=2))
