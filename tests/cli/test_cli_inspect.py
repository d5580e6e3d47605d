"""`inspect` on what people have: files of this family, of other projects, and odd ones."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
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
)
from support.zips import torch_zip

Cli = Callable[..., Any]


@pytest.fixture
def inspect(cli: Cli, tmp_path: Path) -> Callable[..., Any]:
    """Write a file and inspect it; gives the JSON."""

    def run(data: bytes, file: str = "some.pth") -> Any:
        path = tmp_path / file
        path.write_bytes(data)
        done = cli("inspect", path, "--json")
        assert done.code == 0, done.out
        assert cli("inspect", path).code == 0
        return done.json

    return run


def flat(*keys: str, made_by: bytes = b"}") -> bytes:
    return mapping(dict.fromkeys(keys, tensor()), made_by)


TIMM = ["cls_token", "pos_embed", "blocks.0.attn.qkv.weight", "head.weight"]


@pytest.mark.parametrize(
    ("body", "sections", "tensors"),
    [
        (flat(*TIMM), TIMM, 4),
        (flat(*TIMM, made_by=ORDERED_DICT), TIMM, 4),
        (mapping({"model": flat(*TIMM)}), ["model"], 4),
        (
            mapping({"model": flat(*TIMM), "optimizer": plain({}), "epoch": plain(3)}),
            ["model", "optimizer", "epoch"],
            4,
        ),
        (mapping({"net": flat("a.w")}), ["net"], 1),
        (
            mapping({"state_dict": flat("model.a.w"), "pytorch-lightning_version": plain("2.0")}),
            ["state_dict", "pytorch-lightning_version"],
            1,
        ),
    ],
    ids=["timm", "ordered", "model", "training", "odd name", "lightning"],
)
def test_checkpoints_of_other_projects(
    body: bytes, sections: list[str], tensors: int, inspect: Callable[..., Any]
) -> None:
    found = inspect(torch_zip(stream(body)))
    assert found["sections"] == sections
    assert (found["tensors"], found["family"], found["fault"]) == (tensors, None, None)
    assert found["advice"].startswith("No family of the rules has these keys")
    assert found["format"] == "zip"


@pytest.mark.parametrize(
    ("keys", "family"),
    [
        (["model.pixel_level_module.decoder.mask_projection.weight"], "Hugging Face"),
        (["sem_seg_head.predictor.query_feat.weight"], "detectron2"),
        (["bbox_head.transformer.encoder.layers.0.attentions.0.w"], "DETR"),
        (["pts_bbox_head.transformer.encoder.layers.0.attentions.1.w"], "BEVFormer"),
    ],
)
def test_lookalikes_are_named(keys: list[str], family: str, inspect: Callable[..., Any]) -> None:
    found = inspect(torch_zip(stream(mapping({"model": flat(*keys)}))))
    assert family in found["family"]
    assert found["layout"] is None


def test_a_pickled_module_is_said_to_be_one(inspect: Callable[..., Any], tmp_path: Path) -> None:
    module = name("torch.nn.modules.linear.Linear") + b")\x81" + mapping({"weight": tensor()}) + b"b"
    found = inspect(torch_zip(stream(module)))
    assert found["fault"] == "it holds a pickled torch.nn.modules.linear.Linear object"
    assert found["foreign"] == ["torch.nn.modules.linear.Linear"]
    assert found["weights_only"] is False
    assert "no state dict" in found["advice"]


def test_what_a_hostile_file_would_run_is_named_and_not_run(
    inspect: Callable[..., Any], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    body = mapping({"state_dict": flat("a.w"), "hook": system_call(f"touch {ran}")})
    found = inspect(torch_zip(stream(body)))
    assert found["foreign"] == found["refused_globals"] == ["os.system"]
    assert not ran.exists()


def test_safetensors(inspect: Callable[..., Any]) -> None:
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "sem_seg_head.a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        }
    ).encode()
    found = inspect(struct.pack("<Q", len(header)) + header + bytes(8), "some.safetensors")
    assert (found["format"], found["tensors"], found["dtypes"]) == ("safetensors", 1, {"float32": 1})
    assert "detectron2" in found["family"]
    assert found["weights_only"] is True


@pytest.mark.parametrize("case", ["maskformer_swin", "mask2former_swin"])
def test_a_published_file_and_its_name(case: str, golden: dict[str, Any], cli: Cli) -> None:
    found = cli("inspect", golden[case].old, "--json").json
    assert found["name_hash"] is True
    assert (found["format"], found["sha256"]) == ("legacy", golden[case].sha256)
    assert "(as the file's name says)" in cli("inspect", golden[case].old).out


def test_a_name_that_lies(inspect: Callable[..., Any]) -> None:
    data = torch_zip(stream(flat("a.w")))
    right = hashlib.sha256(data).hexdigest()[:8]
    assert inspect(data, f"model_20230101_000000-{right}.pth")["name_hash"] is True
    assert inspect(data, "model_20230101_000000-00000000.pth")["name_hash"] is False
    assert inspect(data, "model.pth")["name_hash"] is None


def test_a_genuine_training_checkpoint(golden: dict[str, Any], cli: Cli, tmp_path: Path) -> None:
    case = golden["mask2former_r18"]
    found = cli("inspect", case.old, "--json").json
    assert (found["family"], found["layout"], found["tensors"]) == ("mask2former", "old", 240)
    assert found["has_optimizer"]
    assert found["has_ema"]
    assert found["has_config"]
    assert found["has_metadata"]
    assert found["versions"] == {"mmengine": "0.7.4"}
    assert "HistoryBuffer" in str(found["refused_globals"])
    assert (found["foreign"], found["fault"], found["stamp"]) == ([], None, None)
    new = tmp_path / "new.pth"
    cli("convert", "auto", "-", case.old, new, "--no-build")
    after = cli("inspect", new, "--json").json
    # Which of its param groups stay is not known without a target.
    assert (after["layout"], after["has_optimizer"], after["has_ema"]) == ("new", False, True)
    assert (after["weights_only"], after["refused_globals"]) == (True, [])
    assert after["stamp"]["source_sha256"] == case.sha256
    assert "plan" not in after["stamp"]
    # Nor does it show the whole text of the old config.
    assert "operation_order" not in json.dumps(after["stamp"])
    assert "operation_order" not in cli("inspect", new).out


def test_a_migrated_training_checkpoint(golden: dict[str, Any], cli: Cli, tmp_path: Path) -> None:
    new = tmp_path / "new.pth"
    cli("convert", "auto", "-", golden["maskformer_r18_encoder"].old, new, "--no-build")
    after = cli("inspect", new, "--json").json
    assert (after["layout"], after["has_optimizer"], after["has_ema"]) == ("new", True, False)
    assert after["has_config"]


@pytest.mark.parametrize(
    "stamp", [{}, {"tool": 3}, "text", {"tool": "x", "source_sha256": None}, {"plan": []}]
)
def test_a_stamp_that_is_none_of_ours(stamp: object, toy: Callable[..., Path], cli: Cli) -> None:
    path = toy(meta={"mm_ckpt_migrate": stamp})
    for option in ([], ["--json"]):
        assert cli("inspect", path, *option).code == 0
    assert cli("convert", "auto", "-", path, path.with_name("n.pth"), "--no-build").code == 0


def test_a_call_in_place_of_a_dict(inspect: Callable[..., Any]) -> None:
    found = inspect(torch_zip(stream(call("collections.Counter", flat("a.w")))))
    assert found["fault"]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            mapping(
                {
                    "meta": mapping({f"p{n}_version": plain("1") for n in range(3000)}),
                    "state_dict": flat("a.w"),
                }
            ),
            "written by",
        ),
        (
            mapping(
                {"state_dict": flat("a.w"), "x": mapping({str(n): name(f"evil.n{n}") for n in range(3000)})}
            ),
            "unknown names",
        ),
    ],
    ids=["versions", "names"],
)
def test_a_line_holds_what_a_person_reads(body: bytes, line: str, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "some.pth"
    path.write_bytes(torch_zip(stream(body)))
    shown = " ".join(cli("inspect", path).out.split())
    assert line in shown
    assert " and 2,980 more" in shown
    assert len(shown) < 4000


def test_a_quantized_tensor_of_no_storage(inspect: Callable[..., Any]) -> None:
    storage, scheme = Storage("x"), b"(" + name("torch.per_tensor_affine") + plain(1) + b"t"
    made = call(
        "torch._utils._rebuild_qtensor",
        storage.bytes(),
        plain(0),
        numbers([2]),
        numbers([1]),
        scheme,
        b"\x89",
        ORDERED_DICT,
    )
    found = inspect(torch_zip(stream(mapping({"a": tensor(), "b": made}))))
    assert found["fault"].startswith("a storage has the key 'x'")
