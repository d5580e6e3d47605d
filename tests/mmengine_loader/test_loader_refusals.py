"""What `convert` refuses, `migrate://` refuses: an exception whose text says why and what to do."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.files import GOLDEN_FOLDER

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import (
    CheckpointError,
    DestinationError,
    FamilyError,
    IntegrityError,
    MigrateError,
)
from mm_ckpt_migrate.files.archive import publish
from mm_ckpt_migrate.verdicts import ConvertReport, Rung, failed

torch = pytest.importorskip("torch")
mmengine_loader = pytest.importorskip("mm_ckpt_migrate.mmengine_loader")
pytestmark = pytest.mark.mm

Load = Callable[..., Any]
OLD = GOLDEN_FOLDER / "maskformer_r18" / "old.pth"
TRAINED = GOLDEN_FOLDER / "mask2former_r18" / "old.pth"


class Foreign:
    """What unpickles it ends the process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (66,)


def half_migrated(content: Any) -> None:
    weights = content["state_dict"]
    key = next(key for key in weights if ".ffns.0." in key)
    weights[key.replace(".ffns.0.", ".ffn.")] = weights.pop(key)


def hostile(content: Any) -> None:
    content["callback"] = Foreign()


def of_no_family(content: Any) -> None:
    content["state_dict"] = {"stem.blocks.0.mixer.weight": torch.zeros(2)}


def of_hugging_face(content: Any) -> None:
    content["state_dict"] = {"model.pixel_level_module.decoder.weight": torch.zeros(2)}


def of_a_hostile_name(content: Any) -> None:
    content["state_dict"] = {"a\x1b[2Jb": torch.zeros(2)}


@pytest.mark.parametrize(
    ("change", "kind", "sentence", "hint"),
    [
        (half_migrated, FamilyError, "it was half migrated", "Start again from the file"),
        (hostile, CheckpointError, "which no checkpoint of OpenMMLab needs", "--keep-opaque"),
        (of_no_family, FamilyError, "of no family that the rules know", "need no renaming"),
        (of_hugging_face, FamilyError, "a Hugging Face MaskFormer", "transformers library"),
        (of_a_hostile_name, MigrateError, "", ""),
    ],
)
def test_a_file_that_convert_refuses(
    change: Callable[[Any], None],
    kind: type[MigrateError],
    sentence: str,
    hint: str,
    tmp_path: Path,
    load: Load,
) -> None:
    content = torch.load(OLD, "cpu", weights_only=False)
    change(content)
    old = tmp_path / "old.pth"
    torch.save(content, old)
    with pytest.raises(kind) as caught:
        load(old)
    text = str(caught.value)
    assert sentence in text
    assert hint in text
    assert str(old) in text
    assert text.replace("\n", "").isprintable()


def damaged(path: Path) -> None:
    data = bytearray(OLD.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def in_safetensors(path: Path) -> None:
    from safetensors.torch import save_file

    weights = torch.load(OLD, "cpu", weights_only=False)["state_dict"]
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (lambda path: path.write_text("<html>"), "an HTML or XML page"),
        (damaged, "CRC"),
        (in_safetensors, "a safetensors file, which mmengine does not load"),
    ],
    ids=["missing", "folder", "page", "damaged", "safetensors"],
)
def test_no_checkpoint_that_can_be_read(
    make: Callable[[Path], Any], sentence: str, tmp_path: Path, load: Load
) -> None:
    old = tmp_path / "old.pth"
    make(old)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        load(old)
    assert str(old) in str(caught.value)
    assert caught.value.hint in str(caught.value)


@pytest.mark.parametrize("name", ["a\0b", "/old.pth\0", "\ud800.pth", "a" * 5000, ""])
def test_a_name_that_no_file_has(name: str, load: Load) -> None:
    with pytest.raises(CheckpointError) as caught:
        load(name)
    assert str(caught.value).replace("\n", "").isprintable()


def test_a_new_file_that_torch_refuses(tmp_path: Path, load: Load) -> None:
    """mmengine's log buffers are objects, and nothing was converted that could simplify them."""
    new = tmp_path / "new.pth"
    convert("auto", "-", TRAINED, new, Options(build=False, keep_as_is=True))
    with pytest.raises(CheckpointError, match="beside the weights") as caught:
        load(new)
    assert "load it without migrate://, with TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" in str(caught.value)
    assert "HistoryBuffer" in str(caught.value.__cause__)


def test_an_object_that_convert_carries_over_and_torch_refuses(tmp_path: Path, load: Load) -> None:
    old = tmp_path / "old.pth"
    content = torch.load(OLD, "cpu", weights_only=False)
    torch.save(content | {"arguments": argparse.Namespace(lr=1)}, old)
    with pytest.raises(CheckpointError, match="beside the weights") as caught:
        load(old)
    assert "load the file that `mm-ckpt-migrate convert` makes" in str(caught.value)


def test_a_copy_that_is_not_the_source_is_not_loaded(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    def unproven(*args: Any, **kwargs: Any) -> ConvertReport:
        report = convert(*args, **kwargs)
        verdict = failed(Rung.INTEGRITY, "2 storages differ", ["a.weight", "b.weight"])
        return dataclasses.replace(report, verdicts=(verdict, *report.verdicts[1:]))

    monkeypatch.setattr(mmengine_loader, "convert", unproven)
    with pytest.raises(IntegrityError) as caught:
        load(OLD)
    assert str(caught.value) == f"{OLD}: 2 storages differ\n  a.weight\n  b.weight"


def test_no_room_for_the_copy(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs

    def full(path: Any) -> os.statvfs_result:
        values = list(real(path))
        values[4] = 0  # f_bavail
        return os.statvfs_result(values)

    monkeypatch.setattr(publish.os, "statvfs", full)
    with pytest.raises(DestinationError, match="the disk is full") as caught:
        load(OLD)
    assert "let TMPDIR be a folder with room" in str(caught.value)
