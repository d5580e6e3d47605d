"""`inspect` says which model a file is of, and what leads to the current release."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.layouts import checkpoint_of

from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.schema import Schema

Cli = Callable[..., Any]
Inspect = Callable[..., tuple[Any, str]]
TABLE = load_table()
M2F = "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py"
OLD, NEW = "mmsegmentation-1.0.0rc4", "mmsegmentation-1.2.2"


def layout_of(release: str, config: str) -> Schema:
    return TABLE.schema(TABLE.releases[release][config])


@pytest.fixture
def inspect(cli: Cli, tmp_path: Path) -> Inspect:
    """Write a checkpoint of a layout and inspect it: the JSON, and the text."""

    def run(schema: Schema, file: str = "some.pth") -> tuple[Any, str]:
        path = tmp_path / file
        path.write_bytes(checkpoint_of(schema))
        told, shown = cli("inspect", path, "--json"), cli("inspect", path)
        assert (told.code, shown.code) == (0, 0), told.err
        return told.json, " ".join(shown.out.split())

    return run


def test_an_old_model(inspect: Inspect) -> None:
    found, text = inspect(layout_of(OLD, M2F))
    told = found["diagnosis"]
    assert (told["finding"], found["family"], found["layout"]) == ("migrate", "mask2former", "old")
    assert (told["loads_in"], told["goal"]["release"]) == ([OLD], NEW)
    name = "mask2former_r50_8xb2-160k_ade20k-512x512"
    assert f"model {name} of mmsegmentation 1.0.0rc4" in text
    assert "loads as is in mmsegmentation 1.0.0rc4 now" in text
    assert f"now {name} of mmsegmentation 1.2.2" in text
    assert "resume 72 of 451 parameters move" in text
    assert f"Migrate it: mm-ckpt-migrate convert mask2former {name} OLD NEW." in text


def test_a_current_model(inspect: Inspect) -> None:
    found, text = inspect(layout_of("mmdet-2.28.2", "retinanet/retinanet_r50_fpn_1x_coco.py"))
    assert found["diagnosis"]["finding"] == "current"
    assert "loads as is in mmdet 2.28.2, mmdet 3.0.0rc4, mmdet 3.3.0" in text
    assert "Nothing to rename: all " in text
    assert "resume parameters keep their order" in text


def test_another_number_of_classes(inspect: Inspect) -> None:
    schema = layout_of(NEW, "pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py")
    specs = [
        replace(spec, shape=(11, *spec.shape[1:])) if ".conv_seg." in spec.name else spec
        for spec in schema.tensors
    ]
    found, text = inspect(Schema(tuple(specs)))
    assert found["diagnosis"]["finding"] == "current"
    assert "with another number of classes" in text
    assert "decode_head.conv_seg.weight is [11, 512, 1, 1], not [" in text
    assert "Its config must say what differs." in text


def test_a_model_that_the_current_config_does_not_build(inspect: Inspect) -> None:
    found, text = inspect(layout_of("mmsegmentation-0.30.0", "sem_fpn/fpn_r101_512x512_160k_ade20k.py"))
    assert found["diagnosis"]["finding"] == "cannot"
    assert "but unexpected: backbone.layer3.{6…22}.conv1.weight" in text
    assert "builds another model, and no rules lead to it" in text


def test_a_setting_that_is_needed(inspect: Inspect) -> None:
    found, text = inspect(layout_of(OLD, "setr/setr_vit-l_pup_8xb2-160k_ade20k-512x512.py"))
    assert found["diagnosis"]["needs"] == {"model.backbone.patch_bias": True}
    assert "the config needs model.backbone.patch_bias=True" in text


def test_a_name_of_the_zoo_and_other_content(inspect: Inspect) -> None:
    found, text = inspect(layout_of(OLD, M2F), "maskformer_r50-d32_2022-cbd39cc1.pth")
    assert (found["download"], found["name_hash"]) == (None, False)
    assert "download" not in text


def test_a_file_of_the_zoo_by_its_name(inspect: Inspect) -> None:
    found, text = inspect(layout_of(NEW, M2F), "ddq_detr_swinl_30e.pth")
    assert found["download"]["release"] == "mmdet-3.3.0"
    assert "download the zoo's, of ddq-detr" in text


def test_a_training_of_a_golden_case(golden: dict[str, Any], cli: Cli) -> None:
    """A model that no config builds: its family is known, and what it is nearest to."""
    told = cli("inspect", golden["mask2former_r18"].old, "--json").json
    assert told["diagnosis"]["finding"] == "migrate"
    assert told["diagnosis"]["identity"]["config"].startswith("mask2former/mask2former_r50")
    assert told["frozen_groups"] is True
    text = cli("inspect", golden["mask2former_r18"].old).out
    assert "nearest is mask2former_r50" in text
    assert "groups of frozen parameters must go" in text
    assert "convert mask2former CFG OLD NEW" in text


def test_neither_torch_nor_numpy_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    path.write_bytes(checkpoint_of(layout_of(OLD, M2F)))
    script = (
        "import sys\n"
        "from mm_ckpt_migrate.mapping.rules.library import load_rules\n"
        "from mm_ckpt_migrate.identify.survey import survey\n"
        "from pathlib import Path\n"
        "found = survey(Path(sys.argv[1]), load_rules())\n"
        "assert found.diagnosis.finding == 'migrate'\n"
        "print(sorted({'torch', 'numpy', 'mmengine', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
