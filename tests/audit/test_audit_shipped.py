"""The zoos that real releases ship: what is known to be wrong in them is found, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import perf_counter

import pytest

from mm_ckpt_migrate.audit.finding import Audit, Finding
from mm_ckpt_migrate.audit.run import audit
from mm_ckpt_migrate.configs.read.shipped import config_root
from mm_ckpt_migrate.mapping.rules.library import Library
from mm_ckpt_migrate.zoo.entries import entries

BIAS = "model.backbone.patch_bias=True"


def installed(package: str, library: Library) -> Audit:
    root = config_root(package)
    assert root is not None
    return audit(root.parent, library)


@pytest.fixture(scope="module")
def mmseg(library: Library) -> Audit:
    return installed("mmseg", library)


@pytest.fixture(scope="module")
def mmdet(library: Library) -> Audit:
    return installed("mmdet", library)


def counts(found: Audit) -> dict[str, int]:
    return dict(Counter(finding.check.label for finding in found.findings))


def named(found: Audit, check: str) -> set[str]:
    return {finding.entry for finding in found.findings if finding.check.label == check}


@pytest.mark.mm
def test_mmsegmentation(mmseg: Audit) -> None:
    assert (mmseg.release, mmseg.entries, mmseg.judged) == ("mmsegmentation-1.2.2", 626, 589)
    assert counts(mmseg) == {
        "name-twice": 9,
        "config-missing": 3,
        "model-twice": 1,
        "depth": 1,
        "weights-name": 7,
        "dropped-tensors": 28,
        "other-model": 2,
    }


@pytest.mark.mm
def test_the_bias_of_24_vision_transformers(mmseg: Audit) -> None:
    found = [finding for finding in mmseg.findings if BIAS in finding.sentence]
    assert len(found) == 24
    assert {finding.check.label for finding in found} == {"dropped-tensors"}
    assert {finding.place.split("/")[1] for finding in found} == {"dpt", "segmenter", "setr", "vit"}


@pytest.mark.mm
def test_sem_fpn_r101_builds_an_r50(mmseg: Audit) -> None:
    entry = "fpn_r101_4xb4-160k_ade20k-512x512"
    assert named(mmseg, "model-twice") == named(mmseg, "depth") == {entry}
    assert entry in named(mmseg, "dropped-tensors")


@pytest.mark.mm
def test_weights_of_another_model(mmseg: Audit) -> None:
    assert named(mmseg, "other-model") == {
        "pspnet_r50b-d32_4xb2-80k_cityscapes-512x1024",
        "twins_pcpvt-l_uperhead_8xb2-160k_ade20k-512x512",
    }
    assert "ocrnet_hr18_4xb4-80k_ade20k-512x512" in named(mmseg, "weights-name")
    assert "setr_vit-l_naive_8xb1-80k_cityscapes-768x768" not in named(mmseg, "weights-name")


@pytest.mark.mm
def test_files_that_were_republished_are_no_finding(mmseg: Audit) -> None:
    found = [finding.entry for finding in mmseg.findings]
    assert not [entry for entry in found if entry.startswith(("maskformer", "mask2former"))]


@pytest.mark.mm
def test_mmdetection(mmdet: Audit) -> None:
    assert (mmdet.release, mmdet.entries, mmdet.judged) == ("mmdet-3.3.0", 589, 470)
    assert counts(mmdet) == {
        "unlisted": 1,
        "name-twice": 1,
        "config-missing": 17,
        "weights-shared": 3,
        "old-layout": 3,
    }
    assert named(mmdet, "old-layout") == {
        "yolact_r50_1x8_coco",
        "yolact_r50_8x8_coco",
        "yolact_r101_1x8_coco",
    }


@pytest.mark.thorough
@pytest.mark.mm
def test_it_takes_seconds(library: Library) -> None:
    start = perf_counter()
    installed("mmseg", library)
    assert perf_counter() - start < 30


def replaced(found: list[Finding]) -> set[str]:
    """The old files, among those found, that the zoo replaced later."""
    files = {finding.sentence.partition(" ")[0] for finding in found}
    return {entry.old_file for entry in entries() if entry.old_file in files}


def test_mmdet_3_0_0rc6_names_old_files(replay: Callable[[str], list[Finding]]) -> None:
    """New code, and every one of the 17 files still the old one; the table lacks this release."""
    found = replay("mmdet-3.0.0rc6")
    assert replaced(found) == {e.old_file for e in entries() if e.project == "mmdet"}
    assert len(found) == 17 + 3


def test_mmdet_3_0_0_names_two_old_files(replay: Callable[[str], list[Finding]]) -> None:
    found = replay("mmdet-3.0.0")
    assert len(found) == 2 + 3
    assert {file.partition("_")[0] for file in replaced(found)} == {"maskformer"}
