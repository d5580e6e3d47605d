"""A folder of weights: files as real as their names, layouts and digests, and of zeros."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from math import prod
from pathlib import Path

import pytest
from small_zoos import MakeZoo, entry
from support.zips import STATE_DICT, torch_zip

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.identify.layouts.table import load_table

SEG = "mmsegmentation-1.2.2"
OLD_VIT = "segmenter/segmenter_vit-t_mask_8x1_512x512_160k_ade20k.py"
VIT = "segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py"
CGNET = "cgnet/cgnet_fcn_4xb8-60k_cityscapes-512x1024.py"
# An old RPN, whose names mmdet 3 changes while it loads them.
OLD_RPN, RPN = "rpn/rpn_r50_fpn_1x_coco.py", "rpn/rpn_r50_fpn_1x_coco.py"
ITEM = {"float32": ("F32", 4), "int64": ("I64", 8)}

Save = Callable[..., str]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


@pytest.fixture
def save(weights: Path) -> Save:
    """A safetensors file with a shipped config's layout, called after its digest."""

    def make(release: str, config: str, *, mark: str = "", drop: str = "", name: str = "") -> str:
        table, header, end = load_table(), {"__metadata__": {"mark": mark}}, 0
        for spec in table.schema(table.releases[release][config]).tensors:
            kind, size = ITEM[spec.dtype]
            start, end = end, end + size * prod(spec.shape)
            if not drop or not spec.name.endswith(drop):
                place = {"dtype": kind, "shape": list(spec.shape), "data_offsets": [start, end]}
                header[spec.name] = place
            else:
                end = start
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = weights / "new"
        with path.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + end)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        name = name or f"{Path(config).stem}-{digest}.safetensors"
        path.rename(weights / name)
        return name

    return make


def labels(zoo: MakeZoo, weights: Path, release: str = SEG) -> list[str]:
    return [found.check.label for found in zoo.findings(weights=weights, release=release)]


def test_the_file_that_the_config_builds(zoo: MakeZoo, weights: Path, save: Save) -> None:
    zoo.models(entry(f"configs/{CGNET}", save(SEG, CGNET)))
    assert labels(zoo, weights) == []


def test_a_trained_tensor_is_dropped(zoo: MakeZoo, weights: Path, save: Save) -> None:
    file = save("mmsegmentation-0.30.0", OLD_VIT)
    zoo.models(entry(f"configs/{VIT}", file))
    (found,) = zoo.findings(weights=weights, release=SEG)
    assert found.check.label == "dropped-tensors"
    assert found.evidence == (f"{file} holds that", "unexpected: backbone.patch_embed.projection.bias")


def test_the_file_goes_before_what_metafiles_said_of_its_name(
    zoo: MakeZoo, weights: Path, save: Save
) -> None:
    """Someone put a file without the bias where the zoo's own lay."""
    name = "segmenter_vit-t_mask_8x1_512x512_160k_ade20k_20220105_151706-ffcf7509.pth"
    zoo.models(entry(f"configs/{VIT}", name))
    assert labels(zoo, weights) == ["dropped-tensors"]
    save(SEG, VIT, name=name)
    assert labels(zoo, weights) == ["hash"]


def test_another_model(zoo: MakeZoo, weights: Path, save: Save) -> None:
    zoo.models(entry(f"configs/{VIT}", save(SEG, CGNET, name="some.safetensors")))
    assert labels(zoo, weights) == ["other-model"]


def test_names_that_the_release_changes_while_it_loads(zoo: MakeZoo, weights: Path, save: Save) -> None:
    zoo.models(entry(f"configs/{RPN}", save("mmdet-2.28.2", OLD_RPN)))
    assert labels(zoo, weights, "mmdet-3.3.0") == []


def test_counters_may_be_missing(zoo: MakeZoo, weights: Path, save: Save) -> None:
    zoo.models(entry(f"configs/{CGNET}", save(SEG, CGNET, drop=".num_batches_tracked")))
    assert labels(zoo, weights) == []


def test_weights_may_not_be_missing(zoo: MakeZoo, weights: Path, save: Save) -> None:
    zoo.models(entry(f"configs/{CGNET}", save(SEG, CGNET, drop="conv_seg.weight")))
    assert labels(zoo, weights) == ["other-model"]


def test_another_digest(zoo: MakeZoo, weights: Path) -> None:
    file = weights / "a-01234567.pth"
    file.write_bytes(torch_zip(STATE_DICT))
    zoo.models(entry("configs/x/a.py", file.name))
    (found,) = zoo.findings(weights=weights)
    assert found.check.label == "hash"
    assert hashlib.sha256(file.read_bytes()).hexdigest() in found.sentence


@pytest.mark.parametrize("name", ["a_20200101.pth", "a-20200101.pth", "a-012345678.pth", "a.pth"])
def test_a_name_without_a_digest_promises_none(zoo: MakeZoo, weights: Path, name: str) -> None:
    (weights / name).write_bytes(torch_zip(STATE_DICT))
    zoo.models(entry("configs/x/a.py", name))
    assert labels(zoo, weights) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data.replace(b"state_dict", b"state_dicT", 1),
        lambda data: b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
    ],
    ids=["truncated", "empty", "flipped", "hostile"],
)
def test_damage(zoo: MakeZoo, weights: Path, damage: Callable[[bytes], bytes]) -> None:
    (weights / "a.pth").write_bytes(damage(torch_zip(STATE_DICT)))
    zoo.models(entry("configs/x/a.py", "a.pth"))
    assert labels(zoo, weights) == ["damaged"]


def test_one_file_under_two_names(zoo: MakeZoo, weights: Path) -> None:
    for name in ("a.pth", "b.pth"):
        (weights / name).write_bytes(torch_zip(STATE_DICT))
    (weights / "c.pth").write_bytes(torch_zip(STATE_DICT, {".format_version": b"1"}))
    zoo.models(*(entry(f"configs/x/{name}.py", f"{name}.pth") for name in "abc"))
    (found,) = [one for one in zoo.findings(weights=weights) if one.check.label == "same-file"]
    assert found.sentence == "a.pth and b.pth are one file"


def test_files_below_and_files_that_nobody_names(zoo: MakeZoo, weights: Path) -> None:
    (weights / "deep").mkdir()
    (weights / "deep" / "a.pth").write_bytes(b"")
    (weights / "nobody.pth").write_bytes(b"")
    zoo.models(entry("configs/x/a.py", "a.pth"), entry("configs/x/b.py", "b.pth"))
    found = zoo.audit(weights=weights)
    assert [one.entry for one in found.findings] == ["a"]
    assert found.opened == 1
    assert "1 of the 2 files that are named are not there" in found.notes


def test_a_folder_that_is_not_there(zoo: MakeZoo, weights: Path) -> None:
    zoo.models(entry("configs/x/a.py", "a.pth"))
    with pytest.raises(ConfigError, match="no folder with weights"):
        zoo.audit(weights=weights / "gone")


def test_names_with_folders_in_them_open_nothing(zoo: MakeZoo, weights: Path) -> None:
    (weights.parent / "secret.pth").write_bytes(b"")
    zoo.models(entry("configs/x/a.py", "..%2Fsecret.pth"))
    assert labels(zoo, weights) == []
