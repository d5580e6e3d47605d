"""`--fold`: the bias of a ViT's patch embedding goes into the positions of its patches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fold_case import BIAS, FOLD, POSITIONS, STAMP, VIT, check_weights, folded
from golden_cases import load, run, same_bytes, sha256
from support.equal import same

from mm_ckpt_migrate.convert.api import convert, plan
from mm_ckpt_migrate.convert.options import EMBEDDED, Options
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.files.archive.format import Format
from mm_ckpt_migrate.mapping.plan import plan_from_json
from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

Attempt = Callable[..., ConvertReport]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The config as the current release ships it: without a word of the bias."""
    text = (VIT.folder / "new_config.py").read_text()
    assert text.count("patch_bias=True,") == 1
    path = tmp_path_factory.mktemp("config") / "shipped.py"
    path.write_text(text.replace("patch_bias=True,", ""))
    return str(path)


# --- the new file -------------------------------------------------------------------------------


def test_by_value(tmp_path: Path) -> None:
    report = run(VIT, tmp_path / "new.pth", build=False, **FOLD)
    assert (report.moved, report.kept, report.dropped, report.folded) == (0, 149, 0, 1)
    assert report.verdicts[0].summary == (
        "149 tensors, each in one place; 148 storages with 353,016 bytes equal to the source's by "
        "their CRC-32; backbone.pos_embed, folded, equal to the last bit"
    )
    old, new = load(VIT.old), load(tmp_path / "new.pth", weights_only=True)
    check_weights(new["state_dict"], old["state_dict"])
    assert same(new["state_dict"]._metadata, old["state_dict"]._metadata)
    assert new["meta"]["cfg"] == new["message_hub"]["runtime_info"]["cfg"] == old["meta"]["cfg"]
    assert "patch_bias" not in new["meta"]["cfg"]
    assert any(note.startswith(f"{BIAS} is folded into {POSITIONS}: ") for note in report.notices)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_sum_is_torchs(dtype: str, attempt: Attempt, tmp_path: Path) -> None:
    """Ties of rounding, sums that vanish or overflow, subnormals, zeros of either sign."""
    import torch

    def change(content: Any) -> None:
        state, kind = content["state_dict"], getattr(torch, dtype)
        generator = torch.Generator().manual_seed(0)
        bits = {"float32": torch.int32, "float64": torch.int64}[dtype]
        for name in (BIAS, POSITIONS):
            limits = torch.iinfo(bits)
            shape = state[name].shape
            drawn = torch.randint(limits.min, limits.max, shape, dtype=bits, generator=generator)
            values = drawn.view(kind).nan_to_num(1.0, posinf=torch.finfo(kind).max)
            state[name] = torch.where(values.abs() > 1e30, values.sign() * 3e38, values)
        tiny, most = torch.finfo(kind).tiny, torch.finfo(kind).max
        state[BIAS][:6] = torch.tensor([tiny / 4, most, -1.0, -0.0, 0.0, 1.0], dtype=kind)
        half = torch.finfo(kind).eps / 2
        row = torch.tensor([tiny / 8, most, 1.0, -0.0, -0.0, half], dtype=kind)
        state[POSITIONS][0, 1, :6] = row

    attempt(VIT, change, **FOLD)
    old, new = (load(tmp_path / name)["state_dict"] for name in ("old.pth", "new.pth"))
    assert old[POSITIONS].dtype == getattr(torch, dtype)
    assert new[POSITIONS][0, 1, 1] == float("inf")
    check_weights(new, old)


def test_it_loads_into_the_model_as_it_is_shipped(shipped: str, tmp_path: Path) -> None:
    import numpy as np
    import record_outputs
    import vit_case

    report = run(VIT, tmp_path / "new.pth", cfg=shipped, **FOLD)
    assert [v.status.value for v in report.verdicts[:2]] == ["pass", "pass"]
    assert not any("patch_bias = True" in note for note in report.notices)
    reference = record_outputs.read_arrays(VIT.folder / "reference.npz")

    def furthest(state: Any) -> float:
        outputs = vit_case.outputs_of(Path(shipped), state, reference["image"])
        recorded = reference["seg_logits"]
        return float(np.abs(outputs["seg_logits"] - recorded).max() / np.abs(recorded).max())

    state = load(tmp_path / "new.pth")["state_dict"]
    assert furthest(state) < 1e-5
    state[POSITIONS] = load(VIT.old)["state_dict"][POSITIONS]
    assert furthest(state) > 1e-2


def test_the_config_inside_builds_that_model(shipped: str, tmp_path: Path) -> None:
    for number, cfg in enumerate((shipped, EMBEDDED, VIT.old_config)):
        report = run(VIT, tmp_path / f"{number}.pth", cfg=cfg, **FOLD)
        assert report.verdicts[1].status.value == "pass"
    assert len({sha256(tmp_path / f"{number}.pth") for number in range(3)}) == 1


@pytest.mark.parametrize("build", [True, False])
def test_the_config_that_is_written(build: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {"cfg": EMBEDDED, "config_out": tmp_path / "new.py", "build": build}
    run(VIT, tmp_path / "new.pth", **options, **FOLD)
    assert "patch_bias" not in (tmp_path / "new.py").read_text()
    options["config_out"] = tmp_path / "other.py"
    run(VIT, tmp_path / "other.pth", **options)
    assert "patch_bias=True" in (tmp_path / "other.py").read_text()


def test_same_input_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        run(VIT, tmp_path / name, build=False, **FOLD)
    assert sha256(tmp_path / "a.pth") == sha256(tmp_path / "b.pth")


def test_a_large_embedding(attempt: Attempt, tmp_path: Path) -> None:
    """As large as ViT-L's at 512 x 512, and enough to have the storages aligned."""
    import torch

    def change(content: Any) -> None:
        content["state_dict"] |= {
            BIAS: torch.randn(1024),
            POSITIONS: torch.randn(1, 1025, 1024),
            "backbone.extra": torch.randn(4 << 20),
        }

    attempt(VIT, change, **FOLD)
    old, new = (load(tmp_path / n, mmap=True)["state_dict"] for n in ("old.pth", "new.pth"))
    check_weights(new, old)


# --- containers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("legacy", [True, False])
def test_torchs_containers(wrapped: bool, legacy: bool, tmp_path: Path) -> None:
    import torch

    content = load(VIT.old)
    old, new, state = tmp_path / "old.pth", tmp_path / "new.pth", content["state_dict"]
    torch.save(content if wrapped else state, old, _use_new_zipfile_serialization=not legacy)
    convert("auto", "-", old, new, Options(build=False, **FOLD))
    check_weights(load(new, weights_only=True)["state_dict"], state)


@pytest.mark.parametrize("source", ["zip", "legacy", "safetensors"])
def test_safetensors(source: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    state, old, new = load(VIT.old)["state_dict"], tmp_path / "old", tmp_path / "new"
    if source == "safetensors":
        save_file(dict(state), old)
    else:
        torch.save({"state_dict": state}, old, _use_new_zipfile_serialization=source == "zip")
    convert("auto", "-", old, new, Options(build=False, format=Format.SAFETENSORS, **FOLD))
    found, wanted = load_file(new), folded(state)
    assert sorted(found) == sorted(wanted)
    assert all(same_bytes(tensor.contiguous(), found[n]) for n, tensor in wanted.items())


@pytest.mark.parametrize("raw", [True, False])
def test_of_two_sets_of_weights(raw: bool, attempt: Attempt, tmp_path: Path) -> None:
    import torch

    def change(content: Any) -> None:
        averaged = {f"module.{n}": t + 1 for n, t in content["state_dict"].items()}
        content["ema_state_dict"] = {"steps": torch.tensor(3), **averaged}

    attempt(VIT, change, raw_weights=raw, **FOLD)
    old = load(tmp_path / "old.pth")
    if raw:
        raws = old["ema_state_dict"]
        old["state_dict"].update({n: raws[f"module.{n}"] for n in old["state_dict"]})
    check_weights(load(tmp_path / "new.pth")["state_dict"], old["state_dict"])


def test_a_bias_that_is_a_part_of_another_storage(attempt: Attempt, tmp_path: Path) -> None:
    def change(content: Any) -> None:
        state = content["state_dict"]
        state[BIAS] = state["backbone.layers.0.ffn.layers.0.0.weight"][3]

    attempt(VIT, change, **FOLD)
    old, new = (load(tmp_path / name)["state_dict"] for name in ("old.pth", "new.pth"))
    check_weights(new, old)


# --- the plan, the stamp, and the way back ------------------------------------------------------


def test_the_plan_says_it() -> None:
    table, report = plan("auto", "-", VIT.old, Options(build=False, **FOLD))
    assert table is not None
    assert table.table[BIAS] is None
    assert (report.folded, report.dropped) == (1, 0)
    data = table.to_json()
    assert (data["fold"]["from"], data["fold"]["into"]) == (BIAS, POSITIONS)
    assert plan_from_json(json.loads(json.dumps(data))) == table
    plain, _ = plan("auto", "-", VIT.old, Options(build=False))
    assert plain is not None
    assert "fold" not in plain.to_json()
    assert plain.digest != table.digest


@pytest.mark.parametrize(
    "change",
    [{"operation": "eval"}, {"from": POSITIONS}, {"from": "a"}, {"into": BIAS}, {"into": "a"}],
    ids=str,
)
def test_a_plan_that_folds_otherwise_than_it_says(change: dict[str, str]) -> None:
    table, _ = plan("auto", "-", VIT.old, Options(build=False, **FOLD))
    assert table is not None
    data = table.to_json()
    with pytest.raises(PlanError):
        plan_from_json(data | {"fold": data["fold"] | change})
    for fold in ({}, None, [], "fold"):
        with pytest.raises(PlanError):
            plan_from_json(data | {"fold": fold})


@pytest.mark.parametrize("saved", [True, False])
def test_there_is_no_way_back(saved: bool, tmp_path: Path) -> None:
    table = tmp_path / "plan.json"
    run(VIT, tmp_path / "new.pth", build=False, plan_file=table, **FOLD)
    options = Options(reverse=True, plan_file=table if saved else None)
    with pytest.raises(PlanError, match="was folded into") as caught:
        convert("auto", "-", tmp_path / "new.pth", tmp_path / "back.pth", options)
    assert caught.value.hint == "Use the original file: it still has both."
    assert not (tmp_path / "back.pth").exists()


def test_the_stamp(shipped: str, tmp_path: Path) -> None:
    report = run(VIT, tmp_path / "new.pth", cfg=shipped, **FOLD)
    stamp = load(tmp_path / "new.pth")["meta"][STAMP]
    assert stamp["plan_sha256"] == report.plan_digest
    assert json.loads(stamp["plan"])["fold"]["operation"] == "add_to_tokens"
    assert stamp["configs"] == []
