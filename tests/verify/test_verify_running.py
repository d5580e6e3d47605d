"""Which image models are run on, and what it means where they cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from mm_ckpt_migrate.errors import CheckpointError, ConfigError, MissingSoftwareError
from mm_ckpt_migrate.verdicts import Rung, Status
from mm_ckpt_migrate.verify.raw_outputs import Image
from mm_ckpt_migrate.verify.rungs.both_sides import CannotRunError, images_for, on_an_image

USUAL = Image(3, (128, 192))
OF_MODEL = ConfigError("c.py", "the model cannot be built or run: RuntimeError: 97 is not 17")
REFUSED = ConfigError("c.py", "the model cannot be built or run: PermissionError: 'X' is not on")
GONE = MissingSoftwareError("python gave no answer: killed")


def sizes(config: Any) -> list[tuple[int, int]]:
    return [image.size for image in images_for(USUAL, config)]


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"model": {"backbone": {"img_size": 64}}}, (64, 64)),
        ({"model": {"backbone": {"img_size": (64, 96)}}}, (64, 96)),
        ({"model": {"backbone": {"pretrain_img_size": 224}}}, (224, 224)),
        ({"model": {"data_preprocessor": {"size": [512, 1024]}}}, (512, 1024)),
        ({"model": {"test_cfg": {"crop_size": (480, 480)}}}, (480, 480)),
        ({"crop_size": (640, 640)}, (640, 640)),
    ],
)
def test_the_size_that_a_config_names_comes_second(config: Any, size: tuple[int, int]) -> None:
    assert sizes(config) == [USUAL.size, size]


def test_each_size_once() -> None:
    model = {"backbone": {"img_size": 64}, "data_preprocessor": {"size": (64, 64)}}
    assert sizes({"model": model, "crop_size": (128, 192)}) == [(128, 192), (64, 64)]


@pytest.mark.parametrize(
    "value", [True, 0, -64, 1.5, "64", None, (64,), (64, 64, 3), (64, "64"), (64, 10**9), {}, []]
)
def test_what_is_no_size_is_passed_over(value: Any) -> None:
    assert sizes({"model": {"backbone": {"img_size": value}}, "crop_size": value}) == [USUAL.size]
    assert sizes({"model": value}) == [USUAL.size]


class Models:
    """Can be run on images of one size; else as told."""

    def __init__(self, size: tuple[int, int], *failures: CannotRunError) -> None:
        self.size = size
        self.failures = list(failures)
        self.tried: list[tuple[int, int]] = []

    def __call__(self, image: Image) -> str:
        self.tried.append(image.size)
        if image.size != self.size:
            raise self.failures.pop(0) if self.failures else CannotRunError(OF_MODEL, OF_MODEL)
        return "outputs"


IMAGES = images_for(USUAL, {"crop_size": (64, 64), "image_size": 32})


def test_the_first_image_that_the_models_can_be_run_on() -> None:
    models = Models((64, 64))
    assert on_an_image(IMAGES, models) == ("outputs", Image(3, (64, 64)))
    assert models.tried == [(128, 192), (64, 64)]


def test_what_the_old_release_can_and_the_current_one_cannot_is_what_counts() -> None:
    both, new = CannotRunError(OF_MODEL, OF_MODEL), CannotRunError(new=OF_MODEL)
    with pytest.raises(CannotRunError) as caught:
        on_an_image(IMAGES, Models((1, 1), both, new, both))
    assert caught.value is new


def test_a_process_that_is_gone_is_not_asked_again() -> None:
    models = Models((64, 64), CannotRunError(GONE))
    with pytest.raises(CannotRunError):
        on_an_image(IMAGES, models)
    assert models.tried == [(128, 192)]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CannotRunError(new=OF_MODEL), Status.FAIL, "the current one cannot: c.py: the model"),
        (CannotRunError(new=CheckpointError("n.pth", "no")), Status.FAIL, "n.pth: no"),
        (CannotRunError(new=REFUSED), Status.SKIPPED, "cannot tell: c.py: the model"),
        (CannotRunError(old=OF_MODEL), Status.SKIPPED, "cannot tell: the old release gives no"),
        (CannotRunError(OF_MODEL, OF_MODEL), Status.SKIPPED, "97 is not 17"),
        (CannotRunError(GONE, OF_MODEL), Status.SKIPPED, "killed"),
        (CannotRunError(old=CheckpointError("o.pth", "no")), Status.SKIPPED, "o.pth: no"),
    ],
)
def test_what_it_means(error: CannotRunError, status: Status, said: str) -> None:
    verdict = error.verdict(Rung.FORWARD)
    assert verdict.status is status
    assert said in verdict.summary


def test_a_broken_installation_is_no_verdict() -> None:
    for error in (CannotRunError(new=GONE), CannotRunError(OF_MODEL, GONE)):
        with pytest.raises(MissingSoftwareError):
            error.verdict(Rung.RESUME)
