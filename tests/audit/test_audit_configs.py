"""What a config's own text gives away."""

from __future__ import annotations

import pytest
from small_zoos import MakeZoo, entry

R50 = "model = dict(backbone=dict(type='ResNet', depth=50))\n"


@pytest.mark.parametrize(
    "text",
    [
        "model = dict(pretrained='r101')\nmodel = dict(decode_head=dict(num_classes=150))\n",
        "x = model = dict(a=1)\ny = 2\nmodel = {'b': 1}\n",
    ],
)
def test_model_assigned_twice(zoo: MakeZoo, text: str) -> None:
    zoo.put("configs/x/a.py", text)
    zoo.models(entry("configs/x/a.py"))
    (found,) = zoo.findings("model-twice")
    assert "line 1 and again in line" in found.sentence


@pytest.mark.parametrize(
    "text",
    [
        "model = dict(a=1)\n",
        "model = dict(a=1)\nmodel = dict(model, b=2)\n",
        "model = dict(a=1)\nmodel.update(dict(b=2))\n",
        "model = dict(a=1)\nmodel['b'] = 2\n",
        "base = dict(a=1)\nother = dict(model=dict(a=1))\nmodel = dict(b=2)\n",
        "model = (\n",
        "\x00",
    ],
)
def test_model_assigned_once(zoo: MakeZoo, text: str) -> None:
    zoo.put("configs/x/a.py", text)
    zoo.models(entry("configs/x/a.py"))
    assert zoo.findings("model-twice") == []


@pytest.mark.parametrize(
    ("name", "text", "built"),
    [
        ("fpn_r101_4xb4-160k", R50, 50),
        ("faster-rcnn_x101-32x4d_fpn_1x", R50, 50),
        ("resnest_s101-d8_x", R50, 50),
        ("icnet_r50-d8", "model = dict(backbone=dict(backbone_cfg=dict(depth=18)))\n", 18),
        ("soft-teacher_r101", "model = dict(detector=dict(backbone=dict(depth=50)))\n", 50),
    ],
)
def test_another_depth(zoo: MakeZoo, name: str, text: str, built: int) -> None:
    zoo.put(f"configs/x/{name}.py", text)
    zoo.models(entry(f"configs/x/{name}.py"))
    (found,) = zoo.findings("depth")
    assert found.sentence.endswith(f"builds {built}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fpn_r50_4xb4-160k", R50),
        ("ld_r50-gflv1-r101_fpn", R50),
        ("mask-rcnn_r50-gcb-r16-c3-c5_fpn", R50),
        ("segformer_mit-b0", R50),
        ("ocrnet_hr18_r", R50),
        ("fpn_r101", "model = dict(backbone=dict(type='Swin'))\n"),
        ("fpn_r101", "model = dict(backbone=dict(depth=True))\n"),
        ("fpn_r101", "model = [1]\n"),
        ("fpn_r101", "import os\nmodel = os.environ\n"),
        ("fpn_r101", "_base_ = '../../../etc/passwd'\n"),
        ("mask2former_r1010", R50),
    ],
)
def test_no_other_depth(zoo: MakeZoo, name: str, text: str) -> None:
    zoo.put(f"configs/x/{name}.py", text)
    zoo.models(entry(f"configs/x/{name}.py"))
    assert zoo.findings("depth") == []


def test_a_depth_from_a_base(zoo: MakeZoo) -> None:
    zoo.put("configs/_base_/r50.py", R50)
    zoo.put("configs/x/fpn_r101.py", "_base_ = '../_base_/r50.py'\nmodel = dict(head=dict(a=1))\n")
    zoo.models(entry("configs/x/fpn_r101.py"))
    assert len(zoo.findings("depth")) == 1
