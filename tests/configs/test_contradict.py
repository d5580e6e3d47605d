"""What two configs of one model say differently; and nothing of what means nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mm_ckpt_migrate.configs.contradict import differing_settings

MODEL: dict[str, Any] = {
    "type": "mmdet.EncoderDecoder",
    "data_preprocessor": {"mean": [123.675, 116.28, 103.53], "bgr_to_rgb": True},
    "pretrained": "somewhere",
    "backbone": {
        "type": "SwinTransformer",
        "num_heads": (3, 6),
        "drop_path_rate": 0.3,
        "strides": (1, 2),
        "init_cfg": {"type": "Pretrained", "checkpoint": "x"},
        "act_cfg": {"type": "ReLU", "inplace": True},
    },
    "decode_head": {
        "type": "mmseg.Head",
        "align_corners": False,
        "ignore_index": 255,
        "encoder": {"layer_cfg": {"num_heads": 2, "ffn_cfg": {"ffn_drop": 0.0}}},
    },
    "test_cfg": {"mode": "slide", "crop_size": (64, 64), "score_thr": 0.05},
    "train_cfg": {"num_points": 12544},
}


def differences(place: str, value: Any) -> list[tuple[str, str, str]]:
    """Between the model and the same with one setting changed, or gone where the value is `...`."""
    other = copy.deepcopy(MODEL)
    *path, last = place.split(".")
    table: Any = other
    for segment in path:
        table = table[int(segment) if isinstance(table, list) else segment]
    if value is ...:
        del table[last]
    else:
        table[int(last) if isinstance(table, list) else last] = value
    there = differing_settings({"model": other}, {"model": MODEL})
    back = differing_settings({"model": MODEL}, {"model": other})
    assert [(path, b, a) for path, a, b in there] == back
    return there


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("decode_head.encoder.layer_cfg.num_heads", 4, ("4", "2")),
        ("backbone.drop_path_rate", 0.2, ("0.2", "0.3")),
        ("backbone.drop_path_rate", ..., ("nothing", "0.3")),
        ("backbone.frozen_stages", 1, ("1", "nothing")),
        ("data_preprocessor.mean.1", 0.0, ("0.0", "116.28")),
        ("data_preprocessor.bgr_to_rgb", False, ("False", "True")),
        ("data_preprocessor.bgr_to_rgb", ..., ("nothing", "True")),
        ("test_cfg.mode", "whole", ("'whole'", "'slide'")),
        ("test_cfg.score_thr", 0.3, ("0.3", "0.05")),
        ("test_cfg", None, ("None", "{'mode': 'slide', 'crop_size': (64, 64), 'score_thr': 0.05}")),
        ("train_cfg.num_points", 100, ("100", "12544")),
        ("decode_head.align_corners", True, ("True", "False")),
        ("decode_head.type", "mmseg.OtherHead", ("'mmseg.OtherHead'", "'mmseg.Head'")),
        ("backbone.strides", (1, 2, 2), ("(1, 2, 2)", "(1, 2)")),
        ("decode_head.ignore_index", "\x1b[31m", ("'\\x1b[31m'", "255")),
    ],
)
def test_a_setting_that_differs(place: str, value: Any, expected: tuple[str, str]) -> None:
    assert differences(place, value) == [(f"model.{place}", *expected)]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("backbone.strides", [1, 2]),
        ("backbone.init_cfg", None),
        ("backbone.init_cfg", ...),
        ("pretrained", ...),
        ("pretrained", None),
        ("type", "EncoderDecoder"),
        ("decode_head.type", "Head"),
        ("backbone.act_cfg.inplace", ...),
        ("backbone.norm_eval", None),
        ("decode_head.encoder.layer_cfg.ffn_cfg.ffn_drop", ...),
        ("decode_head.encoder.layer_cfg.batch_first", True),
        ("train_cfg.num_points", ...),
    ],
)
def test_what_means_nothing(place: str, value: Any) -> None:
    assert differences(place, value) == []


def test_the_order_of_keys_means_nothing() -> None:
    turned = dict(reversed(MODEL.items()))
    assert differing_settings({"model": turned}, {"model": MODEL}) == []


def test_before_mmengine_the_model_did_not_normalise() -> None:
    old = {key: value for key, value in MODEL.items() if key != "data_preprocessor"}
    assert differing_settings({"model": MODEL}, {"model": old}) == []
    assert differing_settings({"model": old}, {"model": MODEL}) != []


def test_without_a_model_there_is_nothing_to_say() -> None:
    assert differing_settings({}, {"model": MODEL}) == differing_settings({"model": MODEL}, {}) == []
