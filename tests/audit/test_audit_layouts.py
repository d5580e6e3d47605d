"""What files hold, by older releases' word, against what configs build."""

from __future__ import annotations

import pytest
from small_zoos import MakeZoo, entry

from mm_ckpt_migrate.audit.origin import origin_of
from mm_ckpt_migrate.audit.release import Release, is_release
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.rules.library import Library

SEG, DET = "mmsegmentation-1.2.2", "mmdet-3.3.0"
VIT = "configs/segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py"
VIT_FILE = "segmenter_vit-t_mask_8x1_512x512_160k_ade20k_20220105_151706-ffcf7509.pth"
YOLACT = "configs/yolact/yolact_r50_1xb8-55e_coco.py"
YOLACT_FILE = "yolact_r50_1x8_coco_20200908-f38d58df.pth"
MASK2FORMER = "configs/mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py"
OLD_FILE = "mask2former_r50_8xb2-160k_ade20k-512x512_20221204_000055-4c62652d.pth"
NEW_FILE = "mask2former_r50_8xb2-160k_ade20k-512x512_20221204_000055-2d1f55f1.pth"
RPN = "configs/rpn/rpn_r50_fpn_1x_coco.py"
RPN_FILE = "rpn_r50_fpn_1x_coco_20200218-5525fa2e.pth"
PSPNET = "configs/pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py"
PSPNET_FILE = "pspnet_r50-d8_512x1024_40k_cityscapes_20200605_003338-2966598c.pth"


def of_layouts(zoo: MakeZoo, release: str) -> dict[str, str]:
    found = zoo.findings(release=release)
    labels = ("old-layout", "dropped-tensors", "other-model")
    return {one.check.label: one.sentence for one in found if one.check.label in labels}


@pytest.mark.parametrize(
    ("release", "config", "file", "check", "words"),
    [
        (SEG, VIT, VIT_FILE, "dropped-tensors", "needs model.backbone.patch_bias=True"),
        ("mmsegmentation-1.2.0", VIT, VIT_FILE, "dropped-tensors", "1 tensor has no place"),
        (DET, YOLACT, YOLACT_FILE, "old-layout", "convert yolact yolact_r50_1xb8-55e_coco"),
        (SEG, MASK2FORMER, OLD_FILE, "old-layout", "convert mask2former mask2former_r50"),
        ("mmsegmentation-1.0.0rc5", MASK2FORMER, OLD_FILE, "old-layout", "1.0.0rc5 does not load"),
        (SEG, PSPNET.replace("r50", "r101"), PSPNET_FILE, "other-model", "builds another model"),
    ],
)
def test_found(zoo: MakeZoo, release: str, config: str, file: str, check: str, words: str) -> None:
    zoo.models(entry(config, file))
    found = of_layouts(zoo, release)
    assert list(found) == [check]
    assert words in found[check]


@pytest.mark.parametrize(
    ("release", "config", "file"),
    [
        ("mmsegmentation-1.1.2", VIT, VIT_FILE),
        ("mmsegmentation-1.0.0rc4", VIT, VIT_FILE),
        ("mmdet-2.28.2", YOLACT, YOLACT_FILE),
        ("mmsegmentation-1.0.0rc4", MASK2FORMER, OLD_FILE),
        ("mmsegmentation-1.0.0rc3", MASK2FORMER, OLD_FILE),
        (SEG, MASK2FORMER, NEW_FILE),
        (DET, RPN, RPN_FILE),
        (SEG, PSPNET, PSPNET_FILE),
        (SEG, "configs/own/own.py", OLD_FILE),
        (SEG, VIT, "own-01234567.pth"),
        ("mmdet-9.0.0", YOLACT, YOLACT_FILE),
    ],
)
def test_not_found(zoo: MakeZoo, release: str, config: str, file: str) -> None:
    zoo.models(entry(config, file))
    assert of_layouts(zoo, release) == {}


def test_a_config_that_was_mended(zoo: MakeZoo) -> None:
    """The zoo's own config goes before what the release shipped."""
    model = "model = dict(backbone=dict(type='VisionTransformer', patch_bias=%s))\n"
    zoo.models(entry(VIT, VIT_FILE))
    for value, found in (("True", []), ("False", ["dropped-tensors"])):
        zoo.put(VIT, model % value)
        assert list(of_layouts(zoo, SEG)) == found


def test_the_files_of_trackers_are_not_compared(zoo: MakeZoo) -> None:
    zoo.models(entry(VIT, (VIT_FILE, PSPNET_FILE)))
    assert of_layouts(zoo, SEG) == {}


def test_a_replacement_is_named(zoo: MakeZoo) -> None:
    zoo.models(entry(MASK2FORMER, OLD_FILE))
    (found,) = zoo.findings("old-layout", release=SEG)
    assert f"it was replaced by {NEW_FILE} (the same weights)" in found.evidence


def test_without_a_release_nothing_is_said(zoo: MakeZoo) -> None:
    zoo.models(entry(VIT, VIT_FILE))
    found = zoo.audit()
    assert (found.release, found.judged, found.findings) == (None, 0, ())
    assert any("--release" in note for note in found.notes)


@pytest.mark.parametrize(
    ("place", "text", "release"),
    [
        ("mmseg/version.py", "__version__ = '1.2.2'\n", "mmsegmentation-1.2.2"),
        ("mmdet/version.py", "# x\n__version__ = '3.0.0rc6'\n", "mmdet-3.0.0rc6"),
        ("mmdet/version.py", "__version__ = get()\n", None),
        ("mmpose/version.py", "__version__ = '1.2.2'\n", None),
        ("mmdet/version.py", "__version__ = '3.3.0.dev1'\n", None),
    ],
)
def test_the_zoo_tells_its_release(zoo: MakeZoo, place: str, text: str, release: str | None) -> None:
    zoo.models(entry("configs/x/a.py"))
    zoo.put(place, text)
    assert zoo.audit().release == release


@pytest.mark.parametrize("name", ["mmdet-3.3.0", "mmsegmentation-1.0.0rc4"])
def test_releases(name: str) -> None:
    assert is_release(name)


@pytest.mark.parametrize("name", ["mmdet", "mmseg-1.2.2", "mmdet-3", "mmdet-3.3.0\n", "mmdet 3.3.0"])
def test_no_releases(name: str) -> None:
    assert not is_release(name)


def release(library: Library, name: str) -> Release:
    return Release(name, load_table(), library.families)


def test_a_release_between_two_of_the_table(library: Library) -> None:
    """Both agree on most configs; the rules say since when the others build something else."""
    seg = load_table().releases
    old, new = seg["mmsegmentation-1.0.0rc4"], seg[SEG]
    name = MASK2FORMER.removeprefix("configs/")
    assert release(library, "mmsegmentation-1.0.0").layout(name) == new[name] != old[name]
    vit = VIT.removeprefix("configs/")
    assert release(library, "mmsegmentation-1.1.2").layout(vit) == old[vit] != new[vit]
    assert release(library, "mmsegmentation-1.2.1").layout(vit) == new[vit]
    psp = PSPNET.removeprefix("configs/")
    assert release(library, "mmsegmentation-1.1.0").layout(psp) == new[psp] == old[psp]


def test_a_config_that_was_renamed_in_between(library: Library) -> None:
    seg = load_table().releases
    old = "vit/vit_deit-s16-ln_mln_upernet_512x512_160k_ade20k-512x512.py"
    new = "vit/vit_deit-s16-ln_mln_upernet_8xb2-160k_ade20k-512x512.py"
    with_bias, without = seg["mmsegmentation-1.0.0rc4"][old], seg[SEG][new]
    for name in (old, new):
        assert release(library, "mmsegmentation-1.1.0").layout(name) == with_bias
        assert release(library, "mmsegmentation-1.2.0").layout(name) == without


def test_a_config_that_only_one_of_the_neighbours_has(library: Library) -> None:
    table = load_table()
    old, new = table.releases["mmsegmentation-1.0.0rc4"], table.releases[SEG]
    renamed = table.counterparts["mmsegmentation-1.0.0rc4"]
    gone = [name for name in old if name not in new and name not in renamed]
    added = [name for name in new if name not in old and name not in renamed.values()]
    between = release(library, "mmsegmentation-1.1.0")
    assert added
    assert {between.layout(name) for name in (*gone, *added)} == {None}


@pytest.mark.parametrize("name", ["mmsegmentation-0.20.0", "mmsegmentation-1.3.0"])
def test_a_release_outside_the_table(library: Library, name: str) -> None:
    assert release(library, name).layout(PSPNET) is None


def test_a_file_that_old_metafiles_disagree_on_is_judged_by_its_name(library: Library) -> None:
    """1.0.0rc4 names this R101 for an R50, as 1.2.2 does; the config it is called after decides."""
    file = "deeplabv3plus_r101-d8_480x480_40k_pascal_context_20200911_165459-d3c8a29e.pth"
    found = origin_of(file, release(library, SEG))
    assert found is not None
    assert "backbone.layer3.22.conv1.weight" in found.schema


def test_a_file_of_this_release_alone_has_no_origin(library: Library) -> None:
    assert origin_of(NEW_FILE, release(library, SEG)) is None
