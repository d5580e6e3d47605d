"""DETR's first generation, RPN, YOLACT and a Vision Transformer, from end to end."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, Case, edited, load, run, same_bytes, sha256, statuses
from support.equal import same

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.errors import ExitCode, FamilyError, PlanError, TargetMismatchError

pytestmark = pytest.mark.thorough

NAMES = ("detr_g1_r18", "rpn_r18", "yolact_r18", "vit_upernet")
BIAS = "backbone.patch_embed.projection.bias"
TRANSFORMER = "bbox_head.transformer"

golden = pytest.mark.parametrize("case", [CASES[name] for name in NAMES], ids=NAMES)
renamed = pytest.mark.parametrize("case", [CASES[name] for name in NAMES[:3]], ids=NAMES[:3])


def new_name(family: str, name: str) -> str:
    """What the key is called now, said in another way than in the rules."""
    if family == "rpn":
        return re.sub(r"^rpn_head\.", "bbox_head.", name)
    if family == "yolact":
        return name.replace("segm_head.", "mask_head.segm_branch.")
    if family == "detr_g1":
        name = name.replace("bbox_head.input_proj.", "neck.convs.0.conv.")
        name = name.replace("bbox_head.query_embedding.", "query_embedding.")
        name = name.replace("multihead_attn", "cross_attn").replace("decoder.norm", "decoder.post_norm")
        return name.removeprefix(f"{TRANSFORMER}.")
    return name


@pytest.mark.mm
@golden
@pytest.mark.parametrize("cfg", ["new_config", "old_config", "embedded"])
def test_each_rung_that_can_be_reached(case: Case, cfg: str, tmp_path: Path) -> None:
    path = "embedded" if cfg == "embedded" else getattr(case, cfg)
    report = run(case, tmp_path / "new.pth", cfg=path)
    assert report.exit_code == ExitCode.OK
    assert report.family == case.family
    assert statuses(report) == {
        "integrity": "pass",
        "keys": "pass",
        "roles": "skipped",
        "forward": "skipped",
        "resume": "skipped",
        "metric": "skipped",
    }


@golden
def test_every_tensor_has_its_new_name_and_its_bits(case: Case, tmp_path: Path) -> None:
    report = run(case, tmp_path / "new.pth", build=False)
    old, new = (load(path)["state_dict"] for path in (case.old, tmp_path / "new.pth"))
    assert {new_name(case.family, name) for name in old} == set(new)
    assert all(same_bytes(tensor, new[new_name(case.family, n)]) for n, tensor in old.items())
    assert report.moved == sum(new_name(case.family, name) != name for name in old)
    assert report.moved + report.kept == len(old)
    assert report.dropped == 0


@pytest.mark.mm
@golden
def test_the_model_takes_it_strictly(case: Case, tmp_path: Path) -> None:
    """And the order of the keys is that of a build, as is that of the module paths."""
    import torch

    from mm_ckpt_migrate.releases.current.child.build import import_stack

    import_stack("mmdet", ["mmseg.models"], ("mmdet", "mmseg", "mmcv", "mmengine"), ())
    from mmengine.config import ConfigDict

    run(case, tmp_path / "new.pth")
    model: Any = read_config(case.folder / "new_config.py")["model"]
    scope = "mmseg" if case.family == "vit" else "mmdet"
    registry = __import__(f"{scope}.registry", fromlist=["MODELS"]).MODELS
    # A Vision Transformer asks a tensor for its value while it is built.
    built = registry.build(ConfigDict(model | {"_scope_": scope}))
    state = load(tmp_path / "new.pth")["state_dict"]
    assert list(state) == list(built.state_dict())
    outcome = torch.nn.Module.load_state_dict(built, state, strict=True)
    assert (outcome.missing_keys, outcome.unexpected_keys) == ([], [])
    if hasattr(load(case.old)["state_dict"], "_metadata"):
        paths = list(state._metadata)
        assert paths == [path for path in built.state_dict()._metadata if path in set(paths)]
        assert {name.rpartition(".")[0] for name in state} <= set(paths)


@pytest.mark.mm
@golden
def test_the_same_bytes_again(case: Case, tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        run(case, tmp_path / name)
    assert sha256(tmp_path / "a.pth") == sha256(tmp_path / "b.pth")


@pytest.mark.mm
@golden
@pytest.mark.parametrize("build", [True, False])
def test_it_comes_back(case: Case, build: bool, tmp_path: Path) -> None:
    """Byte for byte, where no training state stays behind."""
    import torch

    content = load(case.old)
    old, new, back = (tmp_path / f"{name}.pth" for name in ("old", "new", "back"))
    for section in case.training_state:
        del content[section]
    torch.save(content, old, _use_new_zipfile_serialization=case.container == "zip")
    cfg = case.new_config if build else "-"
    convert("auto", cfg, old, new, Options(build=build, keep_as_is=True))
    report = convert("auto", "-", new, back, Options(reverse=True))
    assert report.exit_code == ExitCode.OK
    assert sha256(new) != sha256(old)
    assert sha256(back) == sha256(old)


@pytest.mark.mm
@golden
def test_the_genuine_file_comes_back_without_its_training(case: Case, tmp_path: Path) -> None:
    new, back = tmp_path / "new.pth", tmp_path / "back.pth"
    run(case, new, keep_as_is=True)
    convert("auto", "-", new, back, Options(reverse=True))
    old, found = load(case.old), load(back)
    for section in case.training_state:
        del old[section]
    assert same(old, found)
    if not case.training_state:
        assert sha256(back) == case.sha256


@golden
def test_again_there_is_nothing_to_do(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path / "new.pth", build=False)
    report = convert("auto", "-", tmp_path / "new.pth", tmp_path / "x.pth", Options(build=False))
    assert report.exit_code == ExitCode.OK
    assert any("nothing to do" in notice for notice in report.notices)
    assert not (tmp_path / "x.pth").exists()


@renamed
def test_new_names_alone_are_nothing_to_do(case: Case, tmp_path: Path) -> None:
    """Without a stamp, as after another tool."""

    def rename(content: Any) -> None:
        state = content["state_dict"]
        content["state_dict"] = type(state)(
            (new_name(case.family, name), tensor) for name, tensor in state.items()
        )

    old = edited(case, tmp_path / "old.pth", rename)
    report = convert("auto", "-", old, tmp_path / "new.pth", Options(build=False))
    assert any("nothing to do" in notice for notice in report.notices)
    assert report.family == ("detr" if case.family == "detr_g1" else case.family)


@renamed
def test_the_config_inside_is_for_the_current_release(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path / "new.pth", build=False)
    meta = load(tmp_path / "new.pth")["meta"]
    text = meta.get("cfg") or meta["config"]
    model: Any = read_config_text(text, "inside")["model"]
    assert "transformer" not in model.get("bbox_head", {})
    assert "segm_head" not in model


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.mm
@golden
@pytest.mark.parametrize("how", ["missing", "extra", "shape"])
def test_a_changed_model_is_refused_in_a_sentence(case: Case, how: str, tmp_path: Path) -> None:
    import torch

    key = {"rpn": "rpn_head.rpn_cls.bias", "vit": "decode_head.conv_seg.bias"}.get(
        case.family, "bbox_head.fc_cls.bias" if case.family == "detr_g1" else "bbox_head.conv_cls.bias"
    )

    def change(content: Any) -> None:
        state = content["state_dict"]
        assert key in state
        if how == "missing":
            del state[key]
        elif how == "extra":
            state[f"{key}_x"] = state[key]
        else:
            state[key] = torch.zeros(99)
        for section in case.training_state:
            del content[section]

    old = edited(case, tmp_path / "old.pth", change)
    with pytest.raises(TargetMismatchError) as caught:
        convert("auto", case.new_config, old, tmp_path / "new.pth", Options())
    name = new_name(case.family, key)
    word = {
        "missing": f"missing: {name}",
        "extra": f"unexpected: {name}_x",
        "shape": f"different: {name} is float32[99]",
    }[how]
    assert word in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["old.pth"]


def with_keys(*keys: str, drop: str = "") -> Callable[[Any], None]:
    def change(content: Any) -> None:
        state = content["state_dict"]
        some = next(iter(state.values()))
        state.update(dict.fromkeys(keys, some))
        for name in [name for name in state if drop and name.startswith(drop)]:
            del state[name]

    return change


@pytest.mark.parametrize(
    ("name", "keys", "drop"),
    [("rpn_r18", ["roi_head.bbox_head.fc_cls.weight"], ""), ("vit_upernet", [], BIAS)],
)
def test_what_needs_no_family_is_not_touched(name: str, keys: list[str], drop: str, tmp_path: Path) -> None:
    """Part of a two-stage detector, and a Vision Transformer that never had the bias."""
    old = edited(CASES[name], tmp_path / "old.pth", with_keys(*keys, drop=drop))
    report = convert("auto", "-", old, tmp_path / "new.pth", Options(build=False))
    assert report.family != CASES[name].family
    assert report.destination is None
    assert [path.name for path in tmp_path.iterdir()] == ["old.pth"]


@pytest.mark.parametrize(
    ("name", "keys", "drop", "error", "words"),
    [
        ("detr_g1_r18", [f"{TRANSFORMER}.x"], "", PlanError, "has an old name that no rule"),
        ("detr_g1_r18", [], f"{TRANSFORMER}.decoder.norm", PlanError, "fits no key"),
        ("detr_g1_r18", [f"{TRANSFORMER}.encoder.norm.weight"], "", FamilyError, "not one to migrate"),
        ("rpn_r18", ["bbox_head.rpn_conv.weight"], "", FamilyError, "half migrated"),
        ("rpn_r18", ["rpn_head.stages.0.rpn_conv.weight"], "", FamilyError, "no family"),
        ("yolact_r18", ["mask_head.segm_branch.segm_conv.bias"], "", FamilyError, "half migrated"),
        ("vit_upernet", ["backbone.layers.0.gamma_1"], "", FamilyError, "no family"),
    ],
)
def test_what_is_not_ours(
    name: str, keys: list[str], drop: str, error: type[Exception], words: str, tmp_path: Path
) -> None:
    old = edited(CASES[name], tmp_path / "old.pth", with_keys(*keys, drop=drop))
    with pytest.raises(error, match=re.escape(words)):
        convert("auto", "-", old, tmp_path / "new.pth", Options(build=False))
    assert [path.name for path in tmp_path.iterdir()] == ["old.pth"]


OTHERS = [("rpn_r18", "yolact"), ("yolact_r18", "detr"), ("detr_g1_r18", "detr"), ("vit_upernet", "rpn")]


@pytest.mark.parametrize(("name", "family"), OTHERS)
def test_another_family_is_refused_by_name(name: str, family: str, tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=f"this is a {CASES[name].family} checkpoint"):
        run(CASES[name], tmp_path / "new.pth", family, build=False)


@golden
def test_for_inference(case: Case, tmp_path: Path) -> None:
    run(case, tmp_path / "new.pth", build=False, purpose=Purpose.INFERENCE)
    new = load(tmp_path / "new.pth", weights_only=True)
    assert not {"optimizer", "param_schedulers"} & set(new)
    assert len(new["state_dict"]) == len(load(case.old)["state_dict"])
