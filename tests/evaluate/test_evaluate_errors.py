"""What is wrong with a data set, or does not fit, is said in a sentence before it costs hours."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.mm

CASES = {
    "nowhere": ("data", "not a folder", "images/validation/*.png and annotations/validation/*.png"),
    "above": ("data", "not a folder", "colours has them"),
    "empty": ("data", "there is no image *.png in", ""),
    "colours": ("data", "is an image in RGB", "indices"),
    "size": ("data", "has 40 x 32, its image 80 x 64", ""),
    "lonely": ("data", "scene_0000.png has no annotation", ""),
    "another": ("data", "cannot be opened", ""),
    "label": ("classes", "has the value 151, but the classes of ADE20KDataset end with 150", ""),
    "classes": ("classes", "tells 150 classes apart, CityscapesDataset has 19", ""),
    "unmigrated": ("weights", "does not fit the config: Missing key", ""),
    "evaluator": ("config", "no IoUMetric", ""),
    "device": ("missing", "there is no device cuda:0", ""),
    "launcher": ("config", "torchrun", ""),
    "hostile": ("weights", "holds no state dict", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong(name: str, answers: dict[str, Any]) -> None:
    kind, reason, hint = CASES[name]
    answer = answers[name]
    assert not answer["ok"]
    assert answer["kind"] == kind, answer
    assert reason in answer["reason"]
    assert hint in answer["hint"]
    assert "\n" not in answer["reason"]


def test_loading_ran_nothing(answers: dict[str, Any], tmp_path_factory: Any) -> None:
    assert answers["hostile"]
    assert not list(Path(tmp_path_factory.getbasetemp()).rglob("harmed"))


def test_a_limit_takes_the_first_images(answers: dict[str, Any]) -> None:
    answer = answers["limited"]
    assert (answer["images"], answer["all_images"]) == (5, 16)
    assert [event["done"] for event in answer["events"]][-1] == 5
    assert answer["events"][-1]["seconds_left"] == 0


def test_samples_show_images_and_predictions(answers: dict[str, Any]) -> None:
    from PIL import Image

    samples = answers["limited"]["samples"]
    assert [sample["name"] for sample in samples] == ["scene_0000.png", "scene_0002.png"]
    for sample in samples:
        pictures = (io.BytesIO(b64decode(sample[kind])) for kind in ("image", "prediction"))
        image, prediction = map(Image.open, pictures)
        assert (image.mode, prediction.mode) == ("RGB", "L")
        assert image.size == prediction.size == (80, 64)
        assert prediction.getextrema()[1] < 150
