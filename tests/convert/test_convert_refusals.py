"""What is refused before a byte is written, and what the error says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, Case, edited, load, run

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import (
    CheckpointError,
    ConfigError,
    DestinationError,
    ExitCode,
    MigrateError,
    PlanError,
    TargetMismatchError,
)
from mm_ckpt_migrate.verdicts import ConvertReport

pytestmark = pytest.mark.mm

MF, M2F = CASES["maskformer_r18"], CASES["mask2former_r18"]
Change = Callable[[Any], Any]


# --- the target config --------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "other"), [(MF, M2F), (M2F, MF)], ids=lambda c: c.family)
def test_a_config_with_another_head(case: Case, other: Case, tmp_path: Path) -> None:
    with pytest.raises(TargetMismatchError, match=f"builds a {other.family} model") as caught:
        run(case, tmp_path / "new.pth", cfg=other.new_config)
    assert caught.value.hint == f"Give a {case.family} config of the current release."
    assert list(tmp_path.iterdir()) == []


def test_a_config_of_another_size(tmp_path: Path) -> None:
    cfg = tmp_path / "cfg.py"
    text = Path(MF.new_config).read_text().replace("num_queries=12", "num_queries=13")
    cfg.write_text(text)
    with pytest.raises(TargetMismatchError) as caught:
        run(MF, tmp_path / "new.pth", cfg=str(cfg))
    line = "decode_head.query_embed.weight is float32[12, 24] in the checkpoint and float32[13, 24]"
    assert line in caught.value.message
    assert "number of classes, queries and layers" in caught.value.hint
    assert list(tmp_path.iterdir()) == [cfg]


@pytest.mark.parametrize(
    ("cfg", "reason"),
    [
        ("/nowhere/cfg.py", "no such file"),
        ("maskformer_r50-d32_8xb2-160k_ade20k-512x51", "no such file"),
        ("/", "is a folder"),
        ("-", "no such file"),
    ],
)
def test_a_config_that_cannot_be_the_target(cfg: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        run(MF, tmp_path / "new.pth", cfg=cfg)
    assert caught.value.exit_code == ExitCode.BAD_TARGET
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", [MF, M2F], ids=lambda case: case.family)
def test_an_old_config_with_a_setting_that_has_no_counterpart(case: Case, tmp_path: Path) -> None:
    cfg = tmp_path / "cfg.py"
    text = Path(case.old_config).read_text()
    cfg.write_text(text.replace("operation_order=", "no_counterpart=1, operation_order="))
    with pytest.raises(ConfigError, match="no_counterpart") as caught:
        run(case, tmp_path / "new.pth", cfg=str(cfg))
    assert caught.value.exit_code == ExitCode.BAD_TARGET
    assert list(tmp_path.iterdir()) == [cfg]


@pytest.mark.parametrize("text", ["", "x = 1\n", "model = None\n", "model = 'ResNet'\n"])
def test_a_config_without_a_model(text: str, tmp_path: Path) -> None:
    (tmp_path / "cfg.py").write_text(text)
    with pytest.raises(ConfigError, match="it has no `model`"):
        run(MF, tmp_path / "new.pth", cfg=str(tmp_path / "cfg.py"))


def test_a_close_name_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run(MF, tmp_path / "new.pth", cfg="maskformer_r50-d32_8xb2-160k_ade20k-512x51")
    assert "did you mean mmseg::maskformer/maskformer_r50-d32" in caught.value.hint


# --- the checkpoint -----------------------------------------------------------------------------


def rename(old: str, new: str, section: str = "state_dict") -> Change:
    def change(content: Any) -> None:
        table = content[section]
        key = next(key for key in table if old in key)
        table[key.replace(old, new)] = table.pop(key)

    return change


def test_a_half_migrated_checkpoint(refused: Callable[..., MigrateError]) -> None:
    error = refused(M2F, rename(".ffns.0.", ".ffn."))
    assert "it was half migrated" in error.message
    assert error.exit_code == ExitCode.FAMILY_REFUSED


def test_averaged_weights_with_a_name_of_their_own(refused: Callable[..., MigrateError]) -> None:
    error = refused(M2F, rename("module.backbone.conv1", "module.stem", "ema_state_dict"))
    assert isinstance(error, PlanError)
    assert "says nothing about the key 'module.stem.weight'" in error.message


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (["model.pixel_level_module.encoder.w"], "Hugging Face"),
        (["sem_seg_head.predictor.w"], "detectron2"),
        (["bbox_head.transformer.encoder.layers.0.attentions.0.w"], "a DETR"),
        (["backbone.w", "decode_head.conv_seg.w"], "of no family that the rules know"),
    ],
)
@pytest.mark.parametrize("family", ["auto", "1", "mask2former"])
def test_other_models(
    keys: list[str], reason: str, family: str, refused: Callable[..., MigrateError]
) -> None:
    def change(content: Any) -> Any:
        tensor = next(iter(content["state_dict"].values()))
        return dict.fromkeys(keys, tensor)

    error = refused(MF, change, family)
    assert reason in error.message
    assert error.exit_code == ExitCode.FAMILY_REFUSED
    assert refused(MF, change, family, force_family=family != "auto")


class Foreign:
    """A class that no checkpoint of OpenMMLab needs."""


def test_an_object_of_an_unknown_class(
    refused: Callable[..., MigrateError], attempt: Callable[..., ConvertReport], tmp_path: Path
) -> None:
    def change(content: Any) -> None:
        content["callback"] = Foreign()

    error = refused(MF, change)
    assert isinstance(error, CheckpointError)
    assert "test_convert_refusals.Foreign" in error.message
    assert attempt(MF, change, keep_opaque=True).exit_code == ExitCode.OK
    assert type(load(tmp_path / "new.pth")["callback"]) is Foreign


# --- the destination ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda old, new: new.write_text("mine"), "the destination exists"),
        (lambda old, new: new.symlink_to(old), "the source itself"),
        (lambda old, new: new.symlink_to("nowhere"), "a symbolic link"),
        (lambda old, new: new.hardlink_to(old), "the source itself"),
        (lambda old, new: new.mkdir(), "not a regular file"),
        (lambda old, new: new.parent.rmdir(), "its folder does not exist"),
    ],
)
def test_a_destination_that_is_taken(
    prepare: Callable[[Path, Path], None], reason: str, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.pth", tmp_path / "out" / "new.pth"
    old.write_bytes(MF.old.read_bytes())
    new.parent.mkdir()
    prepare(old, new)
    for force in (False, True):
        if force and reason == "the destination exists":
            convert("auto", "-", old, new, Options(build=False, force=True))
            assert load(new)["state_dict"]
        else:
            with pytest.raises(DestinationError, match=reason):
                convert("auto", "-", old, new, Options(build=False, force=force))
    assert old.read_bytes() == MF.old.read_bytes()


@pytest.mark.parametrize("meta", [None, 3, "text", [1], deque([1])], ids=repr)
def test_a_meta_that_no_stamp_can_go_into(meta: Any, tmp_path: Path) -> None:
    old = edited(MF, tmp_path / "old.pth", lambda content: {**content, "meta": meta})
    with pytest.raises(CheckpointError, match="its `meta` is no dict"):
        convert("auto", "-", old, tmp_path / "new.pth", Options(build=False))
    assert list(tmp_path.iterdir()) == [old]
