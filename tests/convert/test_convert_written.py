"""Who wrote a file, and what is in it that no rule knows: refused with names, before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, edited, run

from mm_ckpt_migrate.convert.api import plan
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import ExitCode, FamilyError, MigrateError, PlanError, TargetMismatchError
from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = pytest.mark.mm

MF, M2F, VIT = CASES["maskformer_r18"], CASES["mask2former_r18"], CASES["vit_upernet"]
DETR, DEFORMABLE, RPN = CASES["detr_r18"], CASES["deformable_detr_r18"], CASES["rpn_r18"]
YOLACT = CASES["yolact_r18"]
Change = Callable[[Any], Any]
Refused = Callable[..., MigrateError]


def meta(**entries: Any) -> Change:
    def change(content: Any) -> Any:
        return {"meta": entries, "state_dict": content["state_dict"]}

    return change


CLASSIFIER = "model = dict(type='ImageClassifier', backbone=dict(type='VisionTransformer'))\n"
SEGMENTOR = "model = dict(type='EncoderDecoder', backbone=dict(type='ResNet'))\n"


@pytest.mark.parametrize(
    ("case", "said", "name"),
    [
        (VIT, {"mmcls_version": "0.25.0"}, "MMPretrain"),
        (VIT, {"cfg": CLASSIFIER}, "MMPretrain"),
        (VIT, {"cfg": "default_scope = 'mmpretrain'\n" + SEGMENTOR}, "MMPretrain"),
        (VIT, {"config": "default_scope = 'mmseg'\n" + CLASSIFIER}, "MMPretrain"),
        (VIT, {"cfg": "default_scope = 'mmseg'\nmodel = dict(type='mmpretrain.X')\n"}, "MMPre"),
        (RPN, {"mmdet_version": "1.2.0"}, "mmdet 1.x"),
        (RPN, {"mmrotate_version": "0.3.4"}, "MMRotate"),
        (MF, {"mmtrack_version": "0.14.0"}, "MMTracking"),
        (MF, {"cfg": "default_scope = 'mmpose'\n" + SEGMENTOR}, "MMPose"),
        (RPN, {"config": "model = dict(type='FasterRCNN')"}, "FasterRCNN"),
        (DETR, {"mmseg_version": "0.30.0"}, "mmseg"),
        (YOLACT, {"mmyolo_version": "0.5.0"}, "MMYOLO"),
        (DEFORMABLE, {"mmdet3d_version": "1.0.0rc4"}, "MMDetection3D"),
    ],
)
def test_another_hand(case: Any, said: dict[str, str], name: str, refused: Refused) -> None:
    for family in ("auto", case.family):
        error = refused(case, meta(**said), family)
        assert isinstance(error, FamilyError)
        assert error.exit_code == ExitCode.FAMILY_REFUSED
        assert name in error.message
        assert case.family in error.message


@pytest.mark.parametrize("family", ["auto", "vit"])
def test_it_may_be_forced(family: str, attempt: Callable[..., ConvertReport]) -> None:
    report = attempt(VIT, meta(mmcls_version="0.25.0"), family, force_family=True)
    assert report.exit_code == ExitCode.ROLES_FAILED
    assert any(notice.startswith("UNPROVEN") for notice in report.notices)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (MF, {"mmseg_version": "0.30.0", "mmcv_version": "1.7.0"}),
        (MF, {"mmdet_version": "2.24.14d38edd"}),
        (DETR, {"mmdet_version": "2.25.0", "mmdet3d_version": "1.0.0", "mmseg_version": "0.29"}),
        (VIT, {"cfg": "default_scope = 'mine'\nmodel = dict(type='mmseg.EncoderDecoder')\n"}),
        (MF, {"cfg": "broken ("}),
        (MF, {}),
    ],
)
def test_what_agrees_or_says_nothing(
    case: Any, said: dict[str, str], attempt: Callable[..., ConvertReport]
) -> None:
    assert attempt(case, meta(**said)).exit_code == ExitCode.OK


def test_a_backbone_alone_is_anybodys(attempt: Callable[..., ConvertReport]) -> None:
    """One that MMPretrain trained is what mmseg starts from."""

    def change(content: Any) -> Any:
        state = {k: v for k, v in content["state_dict"].items() if k.startswith("backbone.")}
        return {"meta": {"mmpretrain_version": "1.2.0"}, "state_dict": state}

    assert attempt(VIT, change).exit_code == ExitCode.OK


def test_a_classifier_is_named_by_its_keys_alone(refused: Refused) -> None:
    for family in ("auto", "vit"):
        error = refused(VIT, added("head.layers.head.weight"), family)
        assert "an image classifier of MMPretrain" in error.message
        assert error.exit_code == ExitCode.FAMILY_REFUSED


# --- what no rule knows -------------------------------------------------------------------------


def added(*names: str) -> Change:
    def change(content: Any) -> Any:
        state = content["state_dict"]
        tensor = next(iter(state.values()))
        return {"state_dict": {**state, **dict.fromkeys(names, tensor)}}

    return change


UNKNOWN = [
    (M2F, "teacher_model.backbone.conv1.weight"),
    (M2F, "mask_head.convs.0.weight"),
    (MF, "decode_head.transformer_decoder.layers.0.adapter.weight"),
    (DETR, "bbox_head.mask_head.lay1.weight"),
    (DETR, "bbox_head.transformer.encoder.layers.0.attentions.1.attn.in_proj_weight"),
    (DEFORMABLE, "bbox_head.transformer.encoder.layers.0.attentions.1.value_proj.weight"),
    (RPN, "mask_branch.weight"),
    (YOLACT, "teacher.bbox_head.conv_cls.weight"),
    (VIT, "text_head.weight"),
]


@pytest.mark.parametrize(("case", "name"), UNKNOWN)
@pytest.mark.parametrize("auto", [True, False])
def test_without_a_target_it_is_refused(case: Any, name: str, auto: bool, refused: Refused) -> None:
    error = refused(case, added(name), "auto" if auto else case.family)
    assert isinstance(error, FamilyError)
    assert name.rpartition(".")[2] in error.message
    assert f"no rule of {case.family} knows" in error.message
    assert "--no-build" in error.hint


@pytest.mark.parametrize(("case", "name"), [UNKNOWN[0], UNKNOWN[2], UNKNOWN[4], UNKNOWN[8]])
def test_a_target_settles_it(case: Any, name: str, tmp_path: Path) -> None:
    old = edited(case, tmp_path / "old.pth", added(name))
    with pytest.raises(TargetMismatchError, match="unexpected"):
        plan("auto", case.new_config, old, Options())


def test_what_bears_an_old_mark_is_an_error_of_the_plan(refused: Refused) -> None:
    name = "decode_head.pixel_decoder.encoder.layers.0.attentions.1.value_proj.weight"
    assert isinstance(refused(M2F, added(name)), PlanError)


@pytest.mark.parametrize("case", [M2F, MF])
def test_an_auxiliary_head_is_fine(case: Any, attempt: Callable[..., ConvertReport]) -> None:
    report = attempt(case, added("auxiliary_head.conv_seg.weight", "auxiliary_head.convs.0.w"))
    assert report.exit_code == ExitCode.OK


def test_forced_it_goes_on(attempt: Callable[..., ConvertReport]) -> None:
    assert attempt(M2F, added("mask_head.w"), "2", force_family=True).destination


def test_the_genuine_ones_are_as_they_were(tmp_path: Path) -> None:
    for case in (M2F, VIT):
        assert run(case, tmp_path / f"{case.name}.pth").exit_code == ExitCode.OK


# --- what no shipped model has, in a part that a rule knows --------------------------------------


def of_no_model(report: ConvertReport) -> list[str]:
    return [notice for notice in report.notices if notice.startswith("no model that mmdet or mms")]


@pytest.mark.parametrize(
    ("case", "names", "said"),
    [
        (M2F, ["decode_head.mask_embed.zzz.weight"], "decode_head.mask_embed.zzz.weight:"),
        (MF, ["backbone.adapter.0.w", "backbone.adapter.1.w"], "backbone.adapter.{0…1}.w:"),
        (DETR, ["bbox_head.fc_cls.twin.weight"], "bbox_head.fc_cls.twin.weight:"),
        (VIT, [f"neck.{x}.w" for x in "abcd"], "neck.a.w, neck.b.w, neck.c.w and others:"),
        (RPN, [], ""),
        (YOLACT, [], ""),
        (DEFORMABLE, [], ""),
    ],
)
def test_names_of_no_model_are_said(case: Any, names: list[str], said: str, tmp_path: Path) -> None:
    old = edited(case, tmp_path / "old.pth", added(*names))
    _, report = plan("auto", "-", old, Options(build=False))
    notices = of_no_model(report)
    assert len(notices) == bool(names)
    assert all(f" has {said} " in notice for notice in notices)


def test_genuine_names_are_those_of_a_model() -> None:
    for case in CASES.values():
        _, report = plan("auto", "-", case.old, Options(build=False))
        assert not of_no_model(report)
