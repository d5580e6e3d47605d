"""S1 to S10: safetensors headers that lie, and files as the safetensors library writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.files import in_memory, write
from support.layout import rendered

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.archive.safetensors import compose_safetensors, read_safetensors
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

DATA = bytes(range(12))


def entry(begin: Any = 0, end: Any = 8, shape: Any = (2,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def build(header: Any, data: bytes = DATA, *, size: int | None = None) -> bytes:
    """The file; `header` may be JSON text or bytes instead of a table."""
    raw = header if isinstance(header, (str, bytes)) else json.dumps(header)
    raw = raw.encode() if isinstance(raw, str) else raw
    return (len(raw) if size is None else size).to_bytes(8, "little") + raw + data


GOOD = {"a": entry(), "b": entry(8, 12, (4,), "U8")}
TEXT = json.dumps(GOOD)


def one(**changes: Any) -> bytes:
    return build({"a": {**entry(), **changes}, "b": GOOD["b"]})


CASES: dict[str, Callable[[], bytes]] = {
    "s1_length_0": lambda: build("{", size=0),
    "s1_length_1e8_and_1": lambda: build(TEXT, size=100_000_001),
    "s1_length_2_to_63": lambda: build(TEXT, size=1 << 63),
    "s1_length_beyond_the_file_by_1": lambda: build(TEXT, b"", size=len(TEXT) + 1),
    "s1_length_beyond_the_file": lambda: build(TEXT, size=len(TEXT) + 13),
    "s2_not_utf_8": lambda: build(TEXT.replace("a", "\xff", 1).encode("latin-1")),
    "s2_byte_order_mark": lambda: build("\ufeff" + TEXT),
    "s2_list": lambda: build("[" + TEXT + "]"),
    "s2_space_first": lambda: build(" " + TEXT),
    "s2_two_objects": lambda: build(TEXT + "{}"),
    "s2_cut_json": lambda: build(TEXT[:-1]),
    "s3_name_twice": lambda: build(TEXT.replace('"b"', '"a"')),
    "s3_empty_tensor_twice": lambda: build(
        TEXT[:-1] + ',"e":{"dtype":"F32","shape":[0],"data_offsets":[12,12]}' * 2 + "}"
    ),
    "s3_metadata_twice": lambda: build('{"__metadata__":{},"__metadata__":{},' + TEXT[1:]),
    "s3_key_in_metadata_twice": lambda: build('{"__metadata__":{"a":"1","a":"2"},' + TEXT[1:]),
    "s3_field_twice": lambda: build(TEXT.replace('"dtype"', '"dtype": "F32", "dtype"', 1)),
    "s4_overlap": lambda: build({"a": entry(), "b": entry(4, 12)}),
    "s4_same_bytes": lambda: build({"a": entry(), "b": entry(), "c": GOOD["b"]}),
    "s4_hole": lambda: build({"a": entry(), "b": entry(9, 12, (3,), "U8")}),
    "s4_hole_at_the_start": lambda: build({"b": GOOD["b"]}),
    "s4_bytes_after_the_last": lambda: build(GOOD, DATA + b"\0"),
    "s4_short_data": lambda: build(GOOD, DATA[:-1]),
    "s4_no_tensors_but_data": lambda: build({}),
    "s4_shape_too_large": lambda: one(shape=[3]),
    "s4_shape_too_small": lambda: one(shape=[1]),
    "s4_begin_behind_end": lambda: one(data_offsets=[8, 0]),
    "s5_float": lambda: one(shape=[2.0]),
    "s5_exponent": lambda: build(TEXT.replace("[2]", "[2e0]")),
    "s5_bool": lambda: one(shape=[True, 2]),
    "s5_negative": lambda: one(shape=[-2]),
    "s5_negative_zero": lambda: build(
        TEXT[:-1] + ',"e":{"dtype":"F32","shape":[-0],"data_offsets":[12,12]}}'
    ),
    "s5_two_negatives": lambda: one(shape=[-1, -2]),
    "s5_2_to_60": lambda: build({"e": entry(0, 0, [1 << 60, 0]), **GOOD}),
    "s5_2_to_64": lambda: one(shape=[1 << 64, 0], data_offsets=[0, 0]),
    "s5_thousands_of_digits": lambda: build(TEXT.replace("[2]", f"[{'9' * 5000}]")),
    "s5_nan": lambda: build(TEXT.replace("[2]", "[NaN]")),
    "s5_infinity": lambda: build(TEXT.replace("[2]", "[-Infinity]")),
    "s5_text": lambda: one(shape=["2"]),
    "s5_null": lambda: one(shape=None),
    "s5_offsets_are_text": lambda: one(data_offsets="08"),
    "s5_offset_is_a_bool": lambda: one(data_offsets=[False, 8]),
    "s5_offsets_are_a_number": lambda: one(data_offsets=8),
    "s5_three_offsets": lambda: one(data_offsets=[0, 8, 8]),
    "s6_nested_5000": lambda: build('{"a":' + "[" * 5000 + "]" * 5000 + "}"),
    "s6_nested_100000": lambda: build('{"a":' * 100_000 + "1" + "}" * 100_000),
    "s7_thousand_dimensions": lambda: one(shape=[1] * 1000 + [2]),
    "s8_unknown_type": lambda: one(dtype="F4"),
    "s8_type_is_a_number": lambda: one(dtype=32),
    "s8_type_is_a_list": lambda: one(dtype=["F32"]),
    "s9_metadata_of_numbers": lambda: build({"__metadata__": {"a": 1}, **GOOD}),
    "s9_metadata_is_nested": lambda: build({"__metadata__": {"a": {"b": "c"}}, **GOOD}),
    "s9_metadata_is_a_list": lambda: build({"__metadata__": ["a"], **GOOD}),
    "entry_is_text": lambda: build({"a": "F32", "b": GOOD["b"]}),
    "entry_is_a_number": lambda: build({"a": 5, "b": GOOD["b"]}),
    "entry_is_null": lambda: build({"a": None, "b": GOOD["b"]}),
    "entry_lacks_a_field": lambda: build({"a": {"dtype": "F32", "shape": [2]}, "b": GOOD["b"]}),
    "entry_has_a_field_too_many": lambda: one(more=1),
    "p12_empty_name": lambda: build({"": entry(), "b": GOOD["b"]}),
    "p12_escape_code": lambda: build({"\x1b[2J": entry(), "b": GOOD["b"]}),
    "p12_newline": lambda: build({"a\nb": entry(), "b": GOOD["b"]}),
    "p12_name_too_long": lambda: build({"k" * 1025: entry(), "b": GOOD["b"]}),
    "p13_lone_surrogate_in_a_name": lambda: build(TEXT.replace('"a"', r'"\ud800"')),
    "p13_lone_surrogate_in_metadata": lambda: build(r'{"__metadata__":{"k":"\udfff"},' + TEXT[1:]),
    "p12_odd_name_tied": lambda: build({"__metadata__": {"tied": json.dumps({"\x1b[2J": "a"})}, **GOOD}),
}


def opened(data: bytes, folder: Path) -> Checkpoint:
    with Source(write(folder, data, "old.safetensors")) as source:
        return open_checkpoint(source)


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        opened(CASES[case](), tmp_path)
    assert caught.value.reason.isprintable()


def test_the_unchanged_file_is_read(tmp_path: Path) -> None:
    checkpoint = opened(build(GOOD), tmp_path)
    assert checkpoint.schema.names == ("a", "b")
    assert checkpoint.tensors["a"].contiguous


@pytest.mark.parametrize("case", ["s1_length_1e8_and_1", "s7_thousand_dimensions"])
def test_limits_are_told_from_damage(case: str, tmp_path: Path) -> None:
    with pytest.raises(LimitError):
        opened(CASES[case](), tmp_path)


def test_s7_a_million_empty_tensors(tmp_path: Path) -> None:
    empty = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    names = (f'"{i}":{empty}' for i in range(200_001))
    with pytest.raises(LimitError, match="more than 200000 tensors"):
        opened(build("{" + ",".join(names) + "}", b""), tmp_path)


def test_s3_the_library_takes_a_name_twice(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    pytest.importorskip("torch")
    path = write(tmp_path, CASES["s3_empty_tensor_twice"]())
    with safetensors.safe_open(path, "pt") as file:
        assert set(file.keys()) == {"a", "b", "e"}


def test_x1_every_length() -> None:
    whole = build(GOOD)
    with in_memory(whole) as fd:
        for size in reversed(range(len(whole))):
            os.ftruncate(fd, size)
            with pytest.raises(CheckpointError), Source(Path("old"), fd) as source:
                open_checkpoint(source)


def test_x2_every_bit_flipped_raises_nothing_else() -> None:
    whole = build({"__metadata__": {"k": "v"}, **GOOD})
    refused = 0
    with in_memory(whole) as fd:
        for offset, byte in enumerate(whole):
            for bit in range(8):
                os.pwrite(fd, bytes((byte ^ 1 << bit,)), offset)
                with Source(Path("old"), fd) as source:
                    try:
                        open_checkpoint(source)
                    except CheckpointError:
                        refused += 1
            os.pwrite(fd, bytes((byte,)), offset)
    assert refused > 7 * len(whole)


DTYPES = (
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
    "complex64",
    "float8_e4m3fn",
    "float8_e5m2",
)


@pytest.mark.parametrize("metadata", [{"format": "pt"}, {"m": "ü"}, {"z": "1", "a": "ü", "m": ""}])
def test_same_bytes_as_the_library(metadata: dict[str, str], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    tensors = {
        f"{dtype}.{name}": torch.zeros(shape, dtype=getattr(torch, dtype))
        for dtype in DTYPES
        for name, shape in (("w", (3, 5)), ("scalar", ()), ("none", (0, 2)))
    }
    data = library.save(tensors, metadata=metadata)
    with Source(write(tmp_path, data)) as source:
        found = read_safetensors(source)
        image = compose_safetensors(found.entries, found.metadata or {})
    if len(metadata) == 1:  # the library writes its metadata in no particular order
        assert rendered(image, data) == data
    written = write(tmp_path, rendered(image, data))
    assert len(written.read_bytes()) == len(data)
    loaded = library.load_file(written)
    assert {k: (v.shape, v.dtype) for k, v in loaded.items()} == {
        k: (v.shape, v.dtype) for k, v in tensors.items()
    }
    with pytest.importorskip("safetensors").safe_open(written, "pt") as file:
        assert file.metadata() == metadata


def test_s8_bytes_are_never_interpreted(tmp_path: Path) -> None:
    header = {"a": entry(0, 12, (12,), "BOOL")}
    with Source(write(tmp_path, build(header))) as source:
        found = read_safetensors(source)
        assert rendered(compose_safetensors(found.entries, {}), build(header)).endswith(DATA)


@pytest.mark.parametrize(
    "case", ["s1_length_0", "s1_length_beyond_the_file", "s1_length_beyond_the_file_by_1"]
)
def test_s1_says_what_is_wrong(case: str, tmp_path: Path) -> None:
    with (
        Source(write(tmp_path, CASES[case]())) as source,
        pytest.raises(CheckpointError, match="does not fit into the file"),
    ):
        read_safetensors(source)


@pytest.mark.parametrize(
    ("literal", "words"),
    [("NaN", "NaN is not a number"), ("2.0", "2.0 is not a number"), ("-2", "-2 is below zero")],
)
def test_s5_numbers_are_refused_where_they_are_read(literal: str, words: str, tmp_path: Path) -> None:
    """Not only where a shape is looked at."""
    with (
        Source(write(tmp_path, build(TEXT.replace("[2]", f"[{literal}]")))) as source,
        pytest.raises(CheckpointError, match=words),
    ):
        read_safetensors(source)


def test_s5_the_longest_dimension(tmp_path: Path) -> None:
    shape = [(1 << 60) - 1, 0]
    made = build({"e": entry(0, 0, shape), **GOOD})
    with Source(write(tmp_path, made)) as source:
        (empty, _), *_ = read_safetensors(source).entries
    assert empty.shape == tuple(shape)
