"""What metafiles alone give away: each check with a case that it must not report."""

from __future__ import annotations

import pytest
from small_zoos import METAFILE, MakeZoo, entry


def test_a_zoo_without_fault(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a.py", "a-01234567.pth"), entry("configs/x/b.py", "b-76543210.pth"))
    assert zoo.findings() == []


def test_a_broken_metafile(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a.py"))
    zoo.put("configs/y/metafile.yml", "a: &x [1]\n")
    (found,) = zoo.findings()
    assert (found.check.label, found.place) == ("metafile", "configs/y/metafile.yml:1")


def test_a_forgotten_metafile(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/y/b.py"), metafile="configs/y/metafile.yml")
    zoo.models(entry("configs/x/a.py"))
    (found,) = zoo.findings()
    assert (found.check.label, found.place) == ("unlisted", "configs/y/metafile.yml")


def test_without_an_index_nothing_is_forgotten(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a.py"))
    (zoo.root / "model-index.yml").unlink()
    assert zoo.findings() == []


def test_one_name_twice(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a.py", "a.pth"), entry("configs/y/a.py", "b.pth"))
    (found,) = zoo.findings()
    assert (found.check.label, found.entry, found.place) == ("name-twice", "a", f"{METAFILE}:3")
    assert found.evidence == ("a.pth", "b.pth")


def test_entries_without_a_name_do_not_share_it(zoo: MakeZoo) -> None:
    nameless = {"Name": "", "Config": "configs/x/a.py", "Weights": []}
    zoo.models(nameless, nameless)
    assert zoo.findings() == []


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("", "it names no config"),
        ("../../etc/passwd", "leads out of the zoo"),
        ("/etc/passwd", "leads out of the zoo"),
        ("configs/y/z.py", "there is no configs/y/z.py"),
        ("configs/wrong/a.py", "; configs/x/a.py is there"),
        ("x/a.py", "; configs/x/a.py is there"),
        ("configs/x/%61.py", "; configs/x/a.py is there"),
        ("configs/x", "there is no configs/x"),
    ],
)
def test_a_config_that_is_not_there(zoo: MakeZoo, config: str, sentence: str) -> None:
    zoo.models(entry("configs/x/a.py"))
    shipped = {"Name": "a", "Config": "configs/x/a.py"}
    wrong = {"Name": "wrong", "Config": config, "Weights": "https://host/w.pth"}
    zoo.put(METAFILE, f"Models: {[shipped, wrong]!r}\n")
    (found,) = zoo.findings("config-missing")
    assert sentence in found.sentence
    assert found.entry == "wrong"


def test_the_nearest_name_is_no_other_model(zoo: MakeZoo) -> None:
    long = "_4xb2-80k_cityscapes-512x1024.py"
    zoo.models(entry(f"configs/x/emanet_r50-d8{long}"))
    for wrong, near in ((f"eemanet_r50-d8{long}", True), (f"emanet_r18-d8{long}", False)):
        zoo.put(METAFILE, f"Models: [{{Name: a, Config: configs/x/{wrong}}}]\n")
        (found,) = zoo.findings()
        assert ("the nearest name is emanet" in found.sentence) is near


def test_two_entries_with_one_file(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a.py", "a-01234567.pth"), entry("configs/x/b.py", "a-01234567.pth"))
    (found,) = zoo.findings("weights-shared")
    assert "a-01234567.pth is also the file of b" in found.sentence


def test_one_digest_under_two_names(zoo: MakeZoo) -> None:
    zoo.models(entry("configs/x/a.py", "a-01234567.pth"), entry("configs/x/b.py", "b-01234567.pth"))
    assert len(zoo.findings("weights-shared")) == 1


def test_parts_of_trackers_are_shared_rightly(zoo: MakeZoo) -> None:
    parts = ("detector-01234567.pth", "reid-76543210.pth")
    zoo.models(entry("configs/x/a.py", parts), entry("configs/x/b.py", parts))
    assert zoo.findings() == []


@pytest.mark.parametrize(
    ("config", "file", "kind"),
    [
        ("pspnet_r50-d8_4xb2-80k_cityscapes-512x1024", "pspnet_r101-d8_512x1024_80k_x", "depth"),
        ("pspnet_r50b-d8_4xb2-80k_cityscapes", "pspnet_r50-d8_512x1024_80k_x", "depth"),
        ("ocrnet_hr18s_4xb4-80k_ade20k", "ocrnet_hr18_512x512_80k_ade20k", "width"),
        ("ocrnet_hr18_4xb4-80k_ade20k", "ocrnet_hr18_512x512_160k_ade20k", "iterations"),
        ("retinanet_r50_fpn_1x_coco", "retinanet_r50_fpn_2x_coco", "schedule"),
        ("detr_r50_8xb2-150e_coco", "detr_r50_8x2_500e_coco", "epochs"),
        ("fcn_r50_4xb4-80k_x-512x512", "fcn_r50_769x769_80k_x", "crop"),
    ],
)
def test_weights_of_another_model(zoo: MakeZoo, config: str, file: str, kind: str) -> None:
    zoo.models(entry(f"configs/x/{config}.py", f"{file}_20200101_000000-01234567.pth"))
    (found,) = zoo.findings("weights-name")
    assert f"says {kind} " in found.sentence


@pytest.mark.parametrize(
    ("config", "file"),
    [
        ("setr_vit-l_naive_8xb1-80k_x-768x768", "setr_naive_vit-large_8x1_768x768_80k_x"),
        ("mask-rcnn_r50_fpn_ms-3x_coco", "mask_rcnn_r50_fpn_mstrain_3x_coco"),
        ("ddq-detr-5scale_r50_8xb2-12e_coco", "ddq_detr_5scale_coco_1x"),
        ("glip_atss_swin-t_a_fpn_dyhead", "glip_tiny_a_mmdet"),
        ("mask-rcnn_r50-gcb-r16-c3-c5_fpn_1x_coco", "mask_rcnn_r50_fpn_r16_gcb_c3-c5_1x_coco"),
        ("ld_r18-gflv1-r101_fpn_1x_coco", "ld_r18_gflv1_r101_fpn_coco_1x"),
        ("icnet_r18-d8-in1k-pre_4xb2-80k_x-832x832", "icnet_r18-d8_in1k-pre_832x832_80k_x"),
    ],
)
def test_the_same_model_spelled_otherwise(zoo: MakeZoo, config: str, file: str) -> None:
    zoo.models(entry(f"configs/x/{config}.py", f"{file}_20200101_000000-01234567.pth"))
    assert zoo.findings("weights-name") == []


def test_a_thousand_entries_of_one_name_and_file_make_short_sentences(zoo: MakeZoo) -> None:
    same = entry("configs/x/a.py", "a.pth")
    zoo.models(*[same] * 1000)
    found = zoo.findings()
    assert [one.check.label for one in found] == ["name-twice", "weights-shared"]
    assert all("and 996 more" in one.sentence and len(one.sentence) < 300 for one in found)
