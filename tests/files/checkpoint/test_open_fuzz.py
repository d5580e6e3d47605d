"""X3: random damage to the object of a file whose checksums are right: read, or CheckpointError."""

from __future__ import annotations

import sys

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.legacy import build_legacy
from support.opened import opened
from support.streams import ORDERED_DICT, Storage, call, mapping, plain, stream, tensor, text
from support.zips import TWO_FLOATS, torch_zip

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint

METADATA = mapping({"": mapping({"version": plain(1)}), "a": mapping({"version": b"N"})})
WEIGHTS = mapping(
    {
        "a.weight": tensor(),
        "a.bias": call("torch._utils._rebuild_parameter", tensor(shape=(1,)), b"\x88", b"}"),
        "b": tensor(Storage("1", 3, "torch.ByteStorage"), shape=(3,)),
        "c": tensor(
            Storage("2", 4, "torch.storage.UntypedStorage"),
            shape=(),
            stride=(),
            offset=0,
            rebuild="torch._utils._rebuild_tensor_v3",
            more=b"ctorch\nuint16\n",
        ),
    },
    ORDERED_DICT,
)
ROOT = mapping(
    {
        "meta": mapping({"cfg": text("x"), "mmseg_version": text("1"), "mm_ckpt_migrate": b"}"}),
        "state_dict": WEIGHTS + mapping({"_metadata": METADATA}) + b"b",
        "ema_state_dict": mapping({"steps": tensor(shape=(), stride=()), "module.b": tensor()}),
    }
)
STREAM = stream(ROOT)
STORAGES = {"0": TWO_FLOATS, "1": b"abc", "2": b"\0" * 4}
LEGACY_STORAGES = {"0": (2, TWO_FLOATS), "1": (3, b"abc"), "2": (4, b"\0" * 4)}
damage = st.lists(
    st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 3), st.binary(max_size=4)),
    min_size=1,
    max_size=3,
)


def damaged(edits: list[tuple[int, int, bytes]]) -> bytes:
    data = bytearray(STREAM)
    for at, removed, put in edits:
        data[at : at + removed] = put
    return bytes(data)


def test_whole() -> None:
    checkpoint = opened(torch_zip(STREAM, STORAGES))
    assert checkpoint.schema.names == ("a.weight", "a.bias", "b", "c")
    assert checkpoint.tensors["c"].spec.dtype == "uint16"
    assert opened(build_legacy(STREAM, storages=LEGACY_STORAGES)).schema == checkpoint.schema


def outcome(data: bytes) -> Checkpoint | str:
    """What was read, or why not; any other error is not caught."""
    try:
        return opened(data)
    except CheckpointError as error:
        return error.reason


def check(found: Checkpoint | str) -> None:
    """Reasons can be printed, and whatever was read lies inside the file's storages."""
    if isinstance(found, str):
        assert found.isprintable()
        return
    for tensor_ in found.tensors.values():
        assert tensor_.byte_offset <= found.extents[tensor_.storage].size
    for name in (*found.schema.names, *found.versions, *found.versions.values()):
        assert name.isprintable()


@settings(max_examples=250, deadline=None, derandomize=True)
@given(damage)
@example([(STREAM.index(b"version"), 7, b"VERSION")])
def test_damaged_object(edits: list[tuple[int, int, bytes]]) -> None:
    before = set(sys.modules)
    check(outcome(torch_zip(damaged(edits), STORAGES)))
    assert set(sys.modules) == before


@settings(max_examples=300, deadline=None, derandomize=True)
@given(damage)
def test_damaged_object_of_a_legacy_file(edits: list[tuple[int, int, bytes]]) -> None:
    check(outcome(build_legacy(damaged(edits), storages=LEGACY_STORAGES)))
