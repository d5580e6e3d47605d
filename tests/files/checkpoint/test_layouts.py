"""Where the state dict lies in a file, and files that hold none: P2, P10, P25, P26, P28."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
from support.opened import opened, opened_stream
from support.streams import ORDERED_DICT, Storage, call, items, mapping, plain, tensor, text
from support.zips import TWO_FLOATS

from mm_ckpt_migrate.errors import CheckpointError, LimitError
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint

WEIGHTS = mapping({"a": tensor(), "b": tensor()}, ORDERED_DICT)
OTHER = mapping({"c": tensor()})
ONE = {"0": TWO_FLOATS}


def path_of(body: bytes) -> tuple[str, ...]:
    checkpoint = opened_stream(body)
    assert checkpoint.tree is not None
    return checkpoint.tree.path


LAYOUTS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "flat": (WEIGHTS, ()),
    "flat_in_a_plain_dict": (OTHER, ()),
    "mmengine": (mapping({"meta": b"}", "state_dict": WEIGHTS}), ("state_dict",)),
    "model": (mapping({"epoch": plain(1), "model": WEIGHTS}), ("model",)),
    "net": (mapping({"net": WEIGHTS, "acc": plain(0.5)}), ("net",)),
    "state_dict_before_model": (mapping({"model": OTHER, "state_dict": WEIGHTS}), ("state_dict",)),
    "state_dict_beside_a_tensor": (mapping({"best_score": tensor(), "state_dict": WEIGHTS}), ("state_dict",)),
    "state_dict_beside_other_tensors": (mapping({"rng": OTHER, "state_dict": WEIGHTS}), ("state_dict",)),
    "integer_keys_at_the_root": (
        b"}" + items([(plain(1), b"N"), (text("state_dict"), WEIGHTS)]),
        ("state_dict",),
    ),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_found(case: str) -> None:
    body, path = LAYOUTS[case]
    assert path_of(body) == path


PAIR = plain(1) + plain(2) + b"\x86"
NONE: dict[str, tuple[bytes, str]] = {
    "p25_whole_module": (
        call("mmseg.models.EncoderDecoder", opcode=b"\x81") + mapping({"a": tensor()}) + b"b",
        "a pickled mmseg.models.EncoderDecoder object",
    ),
    "p25_module_under_a_name": (
        mapping({"net": call("torch.nn.modules.linear.Linear", opcode=b"\x81") + b"}b", "w": tensor()}),
        "not a dense tensor",
    ),
    "p01_call_as_root": (call("os.system", text("ls")), "a pickled os.system object"),
    "list": (b"]" + tensor() + b"a", "does not hold a dict"),
    "tensor": (tensor(), "object"),
    "class": (b"cos\nsystem\n", "does not hold a dict"),
    "number": (plain(1), "does not hold a dict"),
    "filled_ordered_dict": (call("collections.OrderedDict", b"]"), "OrderedDict"),
    "two_state_dicts": (mapping({"student": WEIGHTS, "teacher": OTHER}), "student, teacher"),
    "no_tensors": (mapping({"state_dict": b"}", "epoch": plain(1)}), "not a dense tensor"),
    "p10_state_dict_twice": (
        b"}" + items([(text("state_dict"), WEIGHTS), (text("state_dict"), OTHER)]),
        "twice",
    ),
    "p10_meta_twice": (
        b"}" + items([(text("meta"), b"}"), (text("state_dict"), WEIGHTS), (text("meta"), b"}")]),
        "twice",
    ),
    "p10_number_twice_in_the_optimizer": (
        mapping({"state_dict": WEIGHTS, "optimizer": b"}" + items([(plain(0), b"N"), (plain(0), b"N")])}),
        "twice",
    ),
    "p10_key_twice": (
        mapping({"state_dict": b"}" + items([(text("a"), tensor()), (text("a"), tensor())])}),
        "'a' stands in one dict twice",
    ),
    "p10_key_twice_in_another_guise": (
        b"}" + items([(text("state_dict"), WEIGHTS), (call("builtins.str", text("state_dict")), OTHER)]),
        "may be equal",
    ),
    "p10_tuple_twice": (
        mapping({"state_dict": WEIGHTS, "meta": b"}" + items([(PAIR, b"N"), (PAIR, b"N")])}),
        "twice",
    ),
    "dict_as_key": (mapping({"state_dict": WEIGHTS, "meta": b"}" + items([(b"}", b"N")])}), "as a key"),
    "p12_number_as_key": (mapping({"state_dict": b"}" + items([(plain(1), tensor())])}), "not a string"),
    "p12_number_as_key_of_the_averaged_model": (
        mapping({"state_dict": WEIGHTS, "ema_state_dict": b"}" + items([(plain(1), tensor())])}),
        "not a string",
    ),
}


@pytest.mark.parametrize("case", NONE)
def test_refused(case: str) -> None:
    body, reason = NONE[case]
    storages = {} if b"storage" not in body else ONE
    with pytest.raises(CheckpointError) as caught:
        opened_stream(body, storages)
    assert reason in caught.value.reason


@pytest.mark.timeout(30)
def test_p28_bomb_in_meta() -> None:
    """A list of lists of lists: 10^21 elements by every path, and eight nodes."""
    value: Any = None
    for _ in range(7):
        value = [value] * 1000
    bomb = pickle.dumps(value, 2)[2:-1]
    with pytest.raises(LimitError):
        opened_stream(mapping({"meta": mapping({"epoch": bomb}), "state_dict": WEIGHTS}))


def saved(value: Any, **kwargs: Any) -> bytes:
    torch = pytest.importorskip("torch")
    out = io.BytesIO()
    torch.save(value, out, **kwargs)
    return out.getvalue()


def test_p25_torchs_own_module() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(CheckpointError, match="Linear object") as caught:
        opened(saved(torch.nn.Linear(2, 2)))
    assert "state_dict()" in caught.value.hint


def test_l6_torchs_own_module_with_its_source_text() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(CheckpointError):
        opened(saved(torch.nn.Linear(2, 2), _use_new_zipfile_serialization=False))


@pytest.mark.filterwarnings("ignore")
def test_p26_torchs_own_torchscript(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "script.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    with pytest.raises(CheckpointError, match="TorchScript"):
        opened(path.read_bytes())


def training_file() -> Checkpoint:
    meta = {
        "cfg": text("model = dict()"),
        "mmengine_version": text("0.7.4"),
        "epoch": plain(3),
        "mmseg_version": text("1.0.0rc4"),
        "\x1b[2J_version": text("\x1b[2J"),
    }
    ema = mapping({"steps": tensor(), "module.a": tensor()})
    metadata = mapping({"": mapping({"version": plain(1)}), "a": b"}"}, ORDERED_DICT)
    weights = WEIGHTS + mapping({"_metadata": metadata}) + b"b"
    return opened_stream(mapping({"meta": mapping(meta), "state_dict": weights, "ema_state_dict": ema}))


def test_what_a_training_file_says_of_itself() -> None:
    checkpoint = training_file()
    assert checkpoint.config == "model = dict()"
    assert checkpoint.sections == ("meta", "state_dict", "ema_state_dict")
    assert checkpoint.schema.modules == {"": 1, "a": None}
    assert checkpoint.schema.ties == (("a", "b"),)
    assert checkpoint.stamp is None
    assert checkpoint.tree is not None
    assert checkpoint.tree.ema is not None
    assert checkpoint.tree.foreign == ()
    assert checkpoint.versions["mmseg"] == "1.0.0rc4"


def test_p12_versions_are_safe_to_print() -> None:
    for name, version in training_file().versions.items():
        assert name.isprintable()
        assert version.isprintable()


def test_config_of_mmcv_1() -> None:
    meta = mapping({"config": text("x = 1"), "mmcv_version": text("1.7.0")})
    assert opened_stream(mapping({"meta": meta, "state_dict": WEIGHTS})).config == "x = 1"


def test_more_tensors_than_any_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_ckpt_migrate.files.checkpoint.open.MAX_TENSORS", 1)
    with pytest.raises(LimitError, match="more than 1 tensors"):
        opened_stream(WEIGHTS)


def test_numbers_of_storages_are_those_of_the_file() -> None:
    body = mapping({"x": tensor(Storage("3")), "y": tensor(Storage("11"))})
    checkpoint = opened_stream(body, {"11": TWO_FLOATS, "3": TWO_FLOATS})
    assert set(checkpoint.extents) == {"3", "11"}
    assert checkpoint.tensors["y"].storage == "11"


def test_a_long_list_in_meta() -> None:
    """Whoever wrote it: what a file says of itself is found beside it."""
    losses = b"](" + b"".join(struct.pack(">cd", b"G", n / 2) for n in range(150_000)) + b"e"
    meta = mapping({"losses": losses, "mmseg_version": text("0.30.0")})
    checkpoint = opened_stream(mapping({"meta": meta, "state_dict": WEIGHTS}))
    assert checkpoint.versions == {"mmseg": "0.30.0"}
