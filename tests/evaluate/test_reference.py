"""What a metric is held against: the order of the evidence, and when the zoo's number counts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.verify.reference import RecordError, choose_reference, metrics_of, write_record

OLD = "maskformer_r50-d32_8xb2-160k_ade20k-512x512_20221030_182724-cbd39cc1.pth"
COARSE = "mask2former_r101_8xb2-160k_ade20k-512x512_20221203_233905-b1169bc0.pth"
DIGEST = "cbd39cc1" + "0" * 56


def answer(miou: float | None = 44.29, images: int = 2000, **more: Any) -> dict[str, Any]:
    metrics = {"aAcc": 80.0, "mIoU": miou, "mAcc": 60.0}
    return {
        "ok": True,
        "metrics": metrics,
        "classes": [],
        "images": images,
        "seconds": 1.0,
        "dataset": "ADE20KDataset",
        "versions": {"mmseg": "1.0.0rc4"},
        "samples": [],
        **more,
    }


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "recorded.json"
    write_record(path, answer(43.0))
    return path


def test_the_strongest_evidence_counts(recorded: Path) -> None:
    known: dict[str, Any] = {"old": answer(41.0), "recorded": recorded, "expected": 42.0, "names": [OLD]}
    for kind, miou in (("legacy", 41.0), ("recorded", 43.0), ("expected", 42.0), ("zoo", 44.29)):
        reference = choose_reference(answer(), **known)
        assert (reference.kind, reference.metrics["mIoU"]) == (kind, miou)
        known.pop(next(iter(known)))
    reference = choose_reference(answer(), **known)
    assert (reference.kind, reference.metrics) == ("none", {})


def test_the_zoo_is_found_by_the_digest_in_the_stamp() -> None:
    reference = choose_reference(answer(), names=["new.pth"], digests=[DIGEST])
    assert (reference.kind, reference.source) == ("zoo", OLD)
    assert not reference.coarse
    assert choose_reference(answer(), names=[COARSE]).coarse


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        ({"images": 20}, "all 2000 images of ADE20K; 20 of ADE20KDataset were tested"),
        ({"dataset": "CityscapesDataset"}, "2000 of CityscapesDataset were tested"),
    ],
)
def test_the_zoo_counts_for_its_own_images_only(measured: dict[str, Any], why: str) -> None:
    reference = choose_reference(answer(**measured), names=[OLD])
    assert reference.kind == "none"
    assert "44.29" in reference.source
    assert why in reference.source


def test_the_zoo_says_nothing_of_miou_on_coco() -> None:
    old = "detr_r50_8x2_150e_coco_20201130_194835-2c4b8974.pth"
    reference = choose_reference(answer(), names=[old])
    assert reference.kind == "none"
    assert "no mIoU" in reference.source


def test_a_record_keeps_nan(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    write_record(path, answer(None))
    metrics = choose_reference(answer(), recorded=path).metrics
    assert metrics["mIoU"] != metrics["mIoU"]
    assert metrics["aAcc"] == 80.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "\x00",
        '{"format": "mm-ckpt-migrate metric 1"}',
        "[" * 100_000,
        '{"format": "mm-ckpt-migrate metric 1", "metrics": {"mIoU": "44.29"}}',
    ],
)
def test_what_is_no_record(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    path.write_text(text)
    with pytest.raises(RecordError) as caught:
        choose_reference(answer(), recorded=path)
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_record_of_other_images(recorded: Path) -> None:
    with pytest.raises(RecordError, match="another data set: images 2000, not of 20"):
        choose_reference(answer(images=20), recorded=recorded)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: None])
def test_a_record_that_is_no_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "recorded.json")
    with pytest.raises(RecordError, match="cannot be read"):
        choose_reference(answer(), recorded=tmp_path / "recorded.json")


def test_metrics_have_nan_where_json_has_null() -> None:
    assert metrics_of(answer(None))["mIoU"] != metrics_of(answer(None))["mIoU"]
