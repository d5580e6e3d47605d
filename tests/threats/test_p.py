"""P: what hostile pickles leave open in the other rooms' tests, through a whole conversion."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from program import convert
from support.files import write
from support.streams import (
    Storage,
    call,
    items,
    mapping,
    name,
    numbers,
    plain,
    stream,
    system_call,
    tensor,
    text,
)
from support.zips import TWO_FLOATS, torch_zip
from toys import KEYS, NEW_KEYS, toy, toy_stream

from mm_ckpt_migrate.errors import ExitCode

TWO_STORAGES = {"0": TWO_FLOATS, "1": TWO_FLOATS}


def pickle_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def migrated(folder: Path, data: bytes, *options: str) -> Path:
    done = convert(write(folder, data), *options)
    assert done.code == ExitCode.OK, done.err
    return folder / "new.pth"


def loaded(path: Path, **options: Any) -> Any:
    torch = pytest.importorskip("torch")
    return torch.load(path, **options)


@pytest.mark.parametrize("section", ["optimizer", "message_hub", "meta", "param_schedulers"])
def test_p2_a_call_beside_the_weights(section: str, tmp_path: Path) -> None:
    """Refused; on request carried byte for byte, and never called either way."""
    data = toy(**{section: mapping({"x": system_call()})})
    done = convert(write(tmp_path, data))
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert "os.system" in done.err
    new = migrated(tmp_path, data, "--keep-opaque")
    # A training's state follows its parameters, and here none can be told: it stays behind.
    assert (system_call() in pickle_of(new)) == (section in ("message_hub", "meta"))


@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_p4_names_of_numpy_stay_on_request(module: str, tmp_path: Path) -> None:
    dtype = call("numpy.dtype", text("f8"), b"\x89", b"\x88")
    scalar = call(
        f"{module}.multiarray.scalar", dtype, call("_codecs.encode", text("\0" * 8), text("latin1"))
    )
    new = migrated(tmp_path, toy(message_hub=mapping({"eta": scalar})), "--keep-as-is")
    assert name(f"{module}.multiarray.scalar") in pickle_of(new)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_p6_torchs_own_files_of_other_protocols(protocol: int, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    out = io.BytesIO()
    torch.save({key: torch.zeros(2) for key in KEYS}, out, pickle_protocol=protocol)
    done = convert(write(tmp_path, out.getvalue()))
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert f"protocol {protocol}" in done.err


def test_p9_a_second_pickle_in_the_file(tmp_path: Path) -> None:
    """torch takes it without a word."""
    data = torch_zip(toy_stream() + stream(b"N"))
    done = convert(write(tmp_path, data))
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert "bytes after the pickle's end" in done.err
    assert list(loaded(tmp_path / "old.pth")["state_dict"]) == list(KEYS)


@pytest.mark.parametrize("pair", [(1, True), (0, 0.0), ("a", "a")])
def test_p10_keys_that_are_one_to_python(pair: tuple[Any, Any], tmp_path: Path) -> None:
    twice = b"}" + items([(plain(pair[0]), b"N"), (plain(pair[1]), b"N")])
    done = convert(write(tmp_path, toy(meta=mapping({"deep": b"]" + twice + b"a"}))))
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert f"'{pair[0]}' stands in one dict twice" in done.err


def test_p10_tuples_that_are_one_to_python(tmp_path: Path) -> None:
    once = [b"K\x01K\x02\x86", b"K\x01\x85K\x02\x86", b"K\x01K\x03\x86", b")", b"K\x01"]
    twice = [*once, b"\x88\x85K\x02\x86"]  # as True is 1
    for keys, code in ((once, ExitCode.OK), (twice, ExitCode.BAD_CHECKPOINT)):
        meta = b"}" + items([(key, b"N") for key in keys])
        assert convert(write(tmp_path, toy(meta=mapping({"x": meta}))), "--force").code == code


@pytest.mark.timeout(60)
def test_p28_a_key_of_a_billion_billion_paths(tmp_path: Path) -> None:
    """A tuple that holds one tuple twice, which holds one tuple twice, and so on."""
    key = b"N\x85q\x00"
    key += b"".join(b"h" + bytes((n,)) + b"\x86q" + bytes((n + 1,)) for n in range(60))
    done = convert(write(tmp_path, toy(meta=b"}" + key + b"Ns")))
    assert done.code in (ExitCode.OK, ExitCode.BAD_CHECKPOINT)


ALIKE = ("backbone.w", "backbone.W", "backbone.w ", "backbone.\uff57")


def test_p11_lookalikes_are_named_and_stay(tmp_path: Path) -> None:
    done = convert(write(tmp_path, toy(dict.fromkeys(ALIKE, tensor()))))
    assert done.code == ExitCode.OK
    assert done.out.count("look alike, and stay two") == len(ALIKE) - 1
    assert set(ALIKE) < set(loaded(tmp_path / "new.pth")["state_dict"])


def test_p11_nothing_is_said_where_nothing_looks_alike(tmp_path: Path) -> None:
    assert "alike" not in convert(write(tmp_path, toy())).out


def test_p13_half_a_surrogate_pair_beside_the_weights(tmp_path: Path) -> None:
    odd = text(b"\xed\xa0\x80")
    new = migrated(tmp_path, toy(meta=mapping({"x": odd})))
    assert odd in pickle_of(new)


def test_p18_a_view_of_a_trillion_elements_stays_a_view(tmp_path: Path) -> None:
    view = tensor(Storage("1"), shape=(1 << 40,), stride=(0,))
    new = migrated(tmp_path, toy({"backbone.w": view}, TWO_STORAGES))
    assert new.stat().st_size < 10_000
    assert loaded(new)["state_dict"]["backbone.w"].stride() == (0,)


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 26,), (1 << 13, 1 << 13)])
def test_p18_and_is_never_laid_out_as_a_tensor(shape: tuple[int, ...], tmp_path: Path) -> None:
    view = tensor(Storage("1"), shape=shape, stride=(0,) * len(shape))
    old = write(tmp_path, toy({"backbone.w": view}, TWO_STORAGES))
    begun = time.process_time()
    done = convert(old, "--format", "safetensors")
    assert time.process_time() - begun < 5
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert "its views would take" in done.err


def test_p18_nor_are_many_small_ones(tmp_path: Path) -> None:
    views = {f"backbone.{i}": tensor(Storage("1"), shape=((1 << 22) + i,), stride=(0,)) for i in range(5)}
    done = convert(write(tmp_path, toy(views, TWO_STORAGES)), "--format", "safetensors")
    assert done.code == ExitCode.BAD_CHECKPOINT


@pytest.mark.parametrize("location", ["cpu", "cuda:3", "npu", "meta"])
def test_p21_the_location_stays_and_meta_is_told_of(location: str, tmp_path: Path) -> None:
    there = {"backbone.w": tensor(Storage("1", location=location))}
    done = convert(write(tmp_path, toy(there, TWO_STORAGES)))
    assert done.code == ExitCode.OK
    assert ("saved from the device meta: 1" in done.out) == (location == "meta")
    assert text(location) in pickle_of(tmp_path / "new.pth")


def sparse(index: int) -> tuple[bytes, dict[str, bytes]]:
    """One value at `index` of a vector of four, and the storages of both."""
    layout = call("torch.serialization._get_layout", text("torch.sparse_coo"))
    indices = tensor(Storage("1", 1, "torch.LongStorage"), shape=(1, 1), stride=(1, 1))
    values = tensor(Storage("2", 1), shape=(1,))
    parts = b"(" + indices + values + numbers((4,)) + b"\x89t"
    storages = {"0": TWO_FLOATS, "1": index.to_bytes(8, "little"), "2": b"\0\0\x80?"}
    return call("torch._utils._rebuild_sparse_tensor", layout, parts), storages


@pytest.mark.parametrize("index", [3, 10**12])
def test_p22_a_sparse_tensor_beside_the_weights_stays_as_it_is(index: int, tmp_path: Path) -> None:
    """Whether its indices are in range is for whoever loads it; nothing is made dense."""
    value, storages = sparse(index)
    old = toy(None, storages, message_hub=mapping({"x": value}))
    new = migrated(tmp_path, old)
    with zipfile.ZipFile(new) as archive:
        found = {archive.read(n) for n in archive.namelist() if "/data/" in n}
    assert set(storages.values()) == found
    assert new.stat().st_size < len(old) + 8000


@pytest.mark.parametrize("index", [3, 10**12])
def test_p22_among_the_weights_it_is_refused(index: int, tmp_path: Path) -> None:
    value, storages = sparse(index)
    done = convert(write(tmp_path, toy({"backbone.w": value}, storages)))
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert "not a dense tensor" in done.err


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
    "complex128",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
)


def torch_toy(folder: Path, more: dict[str, Any], **sections: Any) -> Path:
    """A toy that torch itself writes."""
    torch = pytest.importorskip("torch")
    state = {key: torch.ones(2) for key in KEYS} | more
    torch.save({"state_dict": state, **sections}, folder / "old.pth")
    return folder / "old.pth"


def test_p23_every_element_type_keeps_its_bits(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    bits = torch.arange(256, dtype=torch.uint8).repeat(2)
    more = {f"backbone.{d}": bits.clone().view(getattr(torch, d)) for d in DTYPES if d != "bool"}
    more["backbone.bool"] = (bits % 2).view(torch.bool)
    assert convert(torch_toy(tmp_path, more)).code == ExitCode.OK
    state = loaded(tmp_path / "new.pth")["state_dict"]
    for key, value in more.items():
        assert state[key].dtype == value.dtype
        assert torch.equal(state[key].view(torch.uint8), value.view(torch.uint8))


def test_p24_a_parameter_stays_one(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    more = {"backbone.w": torch.nn.Parameter(torch.ones(3), requires_grad=False)}
    assert convert(torch_toy(tmp_path, more)).code == ExitCode.OK
    found = loaded(tmp_path / "new.pth")["state_dict"]["backbone.w"]
    assert type(found) is torch.nn.Parameter
    assert not found.requires_grad


@pytest.mark.parametrize("kind", ["torch.distributed.tensor.DTensor", "torch.nested._internal.NestedTensor"])
def test_p24_subclasses_are_named_and_refused(kind: str, tmp_path: Path) -> None:
    value = call(
        "torch._tensor._rebuild_from_type_v2", name("torch._utils._rebuild_tensor_v2"), name(kind), b")", b"}"
    )
    done = convert(write(tmp_path, toy({"backbone.w": value})))
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert "backbone.w" in done.err


def test_p27_what_is_shared_stays_shared(tmp_path: Path) -> None:
    """A dict under two names, and a list that holds itself."""
    loop = b"]q\x01h\x01a"
    meta = b"}(" + text("x") + b"}q\x00" + text("y") + b"h\x00" + text("z") + loop + b"u"
    new = migrated(tmp_path, toy(meta=meta))
    found = loaded(new)["meta"]
    assert found["x"] is found["y"]
    assert found["z"] is found["z"][0]


def test_the_toy_is_migrated(tmp_path: Path) -> None:
    """So that what is refused above is refused for what was changed."""
    assert list(loaded(migrated(tmp_path, toy()))["state_dict"]) == list(NEW_KEYS)
