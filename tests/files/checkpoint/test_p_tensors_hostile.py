"""P5, P15 to P21: tensors and storages that are not what they say."""

from __future__ import annotations

import io
from typing import Any

import pytest
from support.opened import opened_stream
from support.streams import (
    ORDERED_DICT,
    Storage,
    call,
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

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint


def opened(value: bytes, storages: dict[str, bytes] | None = None) -> Checkpoint:
    return opened_stream(mapping({"state_dict": mapping({"w": value})}), storages)


def storage(**fields: Any) -> bytes:
    return tensor(Storage(**fields))


HUGE = 1 << 62
CASES: dict[str, bytes] = {
    "p01_os_system": system_call(),
    "p01_os_system_as_hook": call(
        "torch._utils._rebuild_tensor_v2",
        Storage().bytes(),
        plain(0),
        numbers((2,)),
        numbers((1,)),
        b"\x89",
        system_call(),
    ),
    "p05_build_on_a_tensor": tensor() + mapping({"a": b"N"}) + b"b",
    "p05_build_with_other_storage": tensor() + b"(" + Storage().bytes() + plain(0) + b")" + b")" + b"tb",
    "p05_items_put_into_a_tensor": tensor() + plain(0) + plain(1.5) + b"s",
    "p05_build_on_a_parameter": call("torch._utils._rebuild_parameter", tensor(), b"\x88", ORDERED_DICT)
    + b"}b",
    "p05_build_on_a_parameters_tensor": call(
        "torch._utils._rebuild_parameter", tensor() + b"}b", b"\x88", ORDERED_DICT
    ),
    "needs_a_gradient_of_a_number": call(
        "torch._utils._rebuild_tensor_v2",
        Storage().bytes(),
        plain(0),
        numbers((2,)),
        numbers((1,)),
        plain(1),
        ORDERED_DICT,
    ),
    "p15_bytearray": call("__builtin__.bytearray", plain(3 * 10**9)),
    "p15_float_tensor": call("torch.FloatTensor", plain(5 * 10**8)),
    "p15_new_tensor": call("torch.Tensor", plain(5 * 10**8), opcode=b"\x81"),
    "p15_bare_storage": Storage().bytes(),
    "p16_more_than_the_record": storage(numel=3),
    "p16_less_than_the_record": tensor(Storage(numel=1), shape=(1,)),
    "p16_2_to_62": storage(numel=HUGE),
    "p16_negative": storage(numel=-2),
    "p16_bool": storage(numel=True),
    "p16_float": storage(numel=2.0),
    "p16_text": storage(numel="2"),
    "p17_shape_beyond_the_storage": tensor(shape=(3,)),
    "p17_offset_beyond_the_storage": tensor(offset=1),
    "p17_offset_of_an_empty_tensor": tensor(offset=3, shape=(0,)),
    "p17_offset_negative": tensor(offset=-1, shape=(1,)),
    "p17_stride_beyond_the_storage": tensor(stride=(2,)),
    "p17_stride_negative": tensor(offset=1, stride=(-1,)),
    "p17_size_negative": tensor(shape=(-2,)),
    "p17_product_overflows": tensor(shape=(HUGE, 4), stride=(1, 1)),
    "p17_sizes_cancel_out": tensor(shape=(1 << 40, 1 << 40, 0), stride=(HUGE, 1, 1)),
    "p17_more_strides_than_sizes": tensor(stride=(1, 1)),
    "p17_fewer_strides_than_sizes": tensor(shape=(1, 2)),
    "p17_thousand_dimensions": tensor(shape=(1,) * 1000, stride=(1,) * 1000),
    "p17_bool_as_size": tensor(shape=(True,)),
    "p17_float_as_offset": tensor(offset=0.0),
    "p17_shape_is_a_list": call(
        "torch._utils._rebuild_tensor_v2", Storage().bytes(), plain(0), b"]", b")", b"\x89", ORDERED_DICT
    ),
    "p20_leading_zero": storage(key="00"),
    "p20_plus": storage(key="+0"),
    "p20_path": storage(key="../0"),
    "p20_empty": storage(key=""),
    "p20_space": storage(key=" 0"),
    "p20_other_digits": storage(key="\N{ARABIC-INDIC DIGIT ZERO}"),
    "p20_newline": storage(key="0\n"),
    "p21_location_unknown": storage(location="abacus"),
    "p21_location_empty": storage(location=""),
    "p21_location_megabyte": storage(location="cpu" * 350_000),
    "p21_location_escape": storage(location="cpu\x1b[2J"),
    "p21_location_newline": storage(location="cpu\n"),
    "storage_of_unknown_type": storage(kind="torch.EvilStorage"),
    "storage_of_another_module": storage(kind="canary.FloatStorage"),
    "storage_of_another_tag": storage(tag="module"),
    "storage_with_too_many_fields": storage(more=b"NN"),
    "storage_is_text": call(
        "torch._utils._rebuild_tensor_v2", text("0"), plain(0), b")", b")", b"\x89", ORDERED_DICT
    ),
    "v3_of_unknown_type": tensor(
        Storage(kind="torch.UntypedStorage", numel=8),
        rebuild="torch._utils._rebuild_tensor_v3",
        more=name("torch.evil"),
    ),
    "v3_of_another_modules_type": tensor(
        Storage(kind="torch.UntypedStorage", numel=8),
        rebuild="torch._utils._rebuild_tensor_v3",
        more=name("canary.float32"),
    ),
    "v3_beyond_the_storage": tensor(
        Storage(kind="torch.UntypedStorage", numel=8),
        shape=(3,),
        rebuild="torch._utils._rebuild_tensor_v3",
        more=name("torch.float32"),
    ),
    "v3_without_a_type": tensor(
        Storage(kind="torch.UntypedStorage", numel=8), rebuild="torch._utils._rebuild_tensor_v3"
    ),
    "too_few_arguments": call("torch._utils._rebuild_tensor_v2", Storage().bytes()),
    "no_arguments": call("torch._utils._rebuild_tensor_v2"),
    "parameter_of_nothing": call("torch._utils._rebuild_parameter"),
    "parameter_of_text": call("torch._utils._rebuild_parameter", text("a"), b"\x88", b"}"),
    "a_function_alike": tensor(rebuild="torch._utils._rebuild_tensor_v9"),
    "a_function_of_another_module": tensor(rebuild="canary._rebuild_tensor_v2"),
}
# Where a name of no genuine checkpoint stands where nobody looks, it is listed, and refused later.
LISTED = {"p01_os_system_as_hook"}


@pytest.mark.parametrize("case", sorted(set(CASES) - LISTED))
def test_refused(case: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        opened(CASES[case])
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 500


@pytest.mark.parametrize("case", sorted(LISTED))
def test_listed(case: str) -> None:
    tree = opened(CASES[case]).tree
    assert tree is not None
    assert tree.foreign == ("os.system",)


def test_p19_one_storage_described_in_two_ways() -> None:
    for other in (Storage(kind="torch.IntStorage"), Storage(location="cuda:0"), Storage(numel=1)):
        body = mapping({"state_dict": mapping({"a": tensor(), "b": tensor(other, shape=(1,))})})
        with pytest.raises(CheckpointError, match="in two ways"):
            opened_stream(body)


def test_p19_torch_keeps_the_first_type_without_a_word() -> None:
    torch = pytest.importorskip("torch")
    second = tensor(Storage(kind="torch.IntStorage"))
    data = torch_zip(stream(mapping({"a": tensor(), "b": second})))
    assert torch.load(io.BytesIO(data))["b"].dtype == torch.float32


def test_p16_storage_that_is_spoken_of_outside_the_state_dict() -> None:
    body = mapping({"meta": mapping({"x": tensor(Storage("7"))}), "state_dict": mapping({"w": tensor()})})
    with pytest.raises(CheckpointError, match="storage 7 is missing"):
        opened_stream(body)


@pytest.mark.parametrize(
    "value",
    [
        tensor(shape=(3,)),
        tensor(offset=1),
        tensor(stride=(2,)),
        tensor(shape=(True,)),
        call("torch._utils._rebuild_tensor_v2", Storage().bytes(), plain(0), numbers((2,))),
        call("torch._utils._rebuild_tensor_v2", b"N", b"N", b"N", b"N", b"N", b"N"),
    ],
    ids=["shape", "offset", "stride", "bool", "too_few", "nothing"],
)
def test_p17_tensors_beside_the_state_dict(value: bytes) -> None:
    body = mapping({"optimizer": mapping({"x": value}), "state_dict": mapping({"w": tensor()})})
    with pytest.raises(CheckpointError, match="a tensor beside the state dict's"):
        opened_stream(body)


def test_p18_billions_of_elements_in_two_floats() -> None:
    """Only sizes and strides are kept, as they stand."""
    found = opened(tensor(shape=(1 << 40,), stride=(0,))).tensors["w"]
    assert found.spec.shape == (1 << 40,)
    assert not found.contiguous


LOCATIONS = ["cpu", "cuda", "cuda:0", "cuda:15", "npu:3", "mps", "meta", "privateuseone"]


@pytest.mark.parametrize("location", LOCATIONS)
def test_p21_known_locations(location: str) -> None:
    assert opened(storage(location=location)).schema.names == ("w",)


def test_the_good_tensor() -> None:
    found = opened(tensor(), {"0": TWO_FLOATS}).tensors["w"]
    assert (found.spec.shape, found.stride, found.offset, found.storage) == ((2,), (1,), 0, "0")
