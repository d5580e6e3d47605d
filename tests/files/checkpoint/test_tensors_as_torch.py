"""P23, P24: what is read of a tensor is what torch says of it, in every container."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from support.opened import opened

from mm_ckpt_migrate.convert.write.to_safetensors import gather
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint

torch = pytest.importorskip("torch")

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
BASE = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
SHAPES: dict[str, Any] = {
    "whole": BASE,
    "scalar": torch.tensor(2.5),
    "scalar_of_a_view": BASE[1, 2, 3],
    "one_element": torch.ones(1, 1),
    "empty": torch.zeros(0),
    "empty_in_the_middle": torch.zeros(3, 0, 2),
    "row": BASE[1],
    "column": BASE[:, :, 2],
    "transposed": BASE.permute(2, 0, 1),
    "every_other": BASE[:, ::2],
    "last_element": BASE.flatten()[59:],
    "empty_at_the_end": BASE.flatten()[60:],
    "expanded": torch.ones(1, 3).expand(4, 3),
    "as_strided": BASE.as_strided((2, 2), (7, 3), 5),
    "odd_strides_of_ones": BASE.as_strided((1, 3, 1), (99, 1, 77)),
    "channels_last": torch.zeros(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "parameter": torch.nn.Parameter(BASE.clone()),
    "frozen_parameter": torch.nn.Parameter(BASE.clone(), requires_grad=False),
    "needs_a_gradient": BASE.clone().requires_grad_(),
}


def saved(entries: dict[str, Any], *, legacy: bool = False) -> bytes:
    out = io.BytesIO()
    torch.save({"state_dict": entries}, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def content(value: Any) -> bytes:
    plain = value.detach().clone(memory_format=torch.contiguous_format)
    return bytes(plain.untyped_storage())[: plain.numel() * plain.element_size()]


def check(data: bytes, entries: dict[str, Any]) -> Checkpoint:
    checkpoint = opened(data)
    assert checkpoint.schema.names == tuple(entries)
    for name, value in entries.items():
        found = checkpoint.tensors[name]
        assert found.spec.shape == tuple(value.shape)
        assert found.spec.dtype == str(value.dtype).removeprefix("torch.")
        assert found.stride == value.stride()
        assert found.offset == value.storage_offset()
        assert found.contiguous == value.is_contiguous()
        extent = checkpoint.extents[found.storage]
        storage = data[extent.offset : extent.offset + extent.size]
        assert gathered(storage, found) == content(value)
    return checkpoint


def gathered(storage: bytes, found: Any) -> bytes:
    if not found.spec.shape:
        return storage[found.byte_offset : found.byte_offset + found.nbytes]
    return gather(storage, found)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_strides(name: str, legacy: bool) -> None:
    entries = {name: SHAPES[name]}
    check(saved(entries, legacy=legacy), entries)


@pytest.mark.parametrize("dtype", DTYPES)
def test_p23_element_types(dtype: str) -> None:
    entries = {
        "w": torch.tensor([0, 1, 1, 0]).to(getattr(torch, dtype)),
        "part": torch.tensor([0, 1, 1, 0]).to(getattr(torch, dtype))[1:3],
        "none": torch.zeros(0, dtype=getattr(torch, dtype)),
    }
    check(saved(entries), entries)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool", "complex64"])
def test_p23_element_types_in_legacy_files(dtype: str) -> None:
    entries = {"w": torch.tensor([0, 1, 1, 0]).to(getattr(torch, dtype))}
    check(saved(entries, legacy=True), entries)


def test_a_whole_model_with_its_metadata() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    state_dict = model.state_dict()
    checkpoint = check(saved(state_dict), dict(state_dict))
    assert checkpoint.schema.modules == {"": 1, "0": 1, "1": 2}
    assert checkpoint.schema.ties == ()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_s10_ties_are_names_of_one_tensor(legacy: bool) -> None:
    one, two = torch.ones(4), torch.ones(4)
    entries = {
        "a": one,
        "b": two,
        "c": one,
        "view": one[1:],
        "same_view": one[1:],
        "d": one,
        "none": torch.zeros(0),
        "none_too": torch.zeros(0),
    }
    checkpoint = check(saved(entries, legacy=legacy), entries)
    assert checkpoint.schema.ties == (("a", "c", "d"), ("view", "same_view"))


def with_attribute() -> Any:
    parameter = torch.nn.Parameter(BASE.clone())
    parameter.note = "kept by torch"
    return parameter


REFUSED: dict[str, Callable[[], Any]] = {
    "p21_meta": lambda: torch.empty(3, device="meta"),
    "p22_sparse": lambda: torch.eye(3).to_sparse(),
    "p22_compressed": lambda: torch.eye(3).to_sparse_csr(),
    "p23_quantised": lambda: torch.quantize_per_tensor(BASE, 0.1, 0, torch.qint8),
    "p23_quantised_per_channel": lambda: torch.quantize_per_channel(
        BASE, torch.ones(3), torch.zeros(3, dtype=torch.int), 0, torch.qint8
    ),
    "p23_conjugate": lambda: torch.tensor([1 + 2j]).conj(),
    "p23_negative": lambda: torch.tensor([1 + 2j]).conj().imag,
    "p23_half_complex": lambda: torch.zeros(2, dtype=torch.complex32),
    "p24_parameter_with_attribute": with_attribute,
    "p24_nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "not_a_tensor": lambda: [1, 2],
    "none": lambda: None,
    "number": lambda: 1.5,
    "size": lambda: torch.Size([1]),
    "storage": lambda: torch.ones(2).untyped_storage(),
    "dict_of_tensors": lambda: {"inner": BASE},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", REFUSED)
def test_odd_tensor_in_a_state_dict(case: str) -> None:
    data = saved({"fine": BASE, "odd.weight": REFUSED[case]()})
    with pytest.raises(CheckpointError, match=r"odd\.weight|storage"):
        opened(data)


class Mine(torch.Tensor):  # type: ignore[misc,name-defined]
    """A subclass, which torch rebuilds by calling it."""


def test_p24_tensor_subclass() -> None:
    data = saved({"fine": BASE, "odd.weight": BASE.as_subclass(Mine)})
    with pytest.raises(CheckpointError, match=r"odd\.weight.*_rebuild_from_type_v2"):
        opened(data)
