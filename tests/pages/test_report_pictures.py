"""Samples: no pixel that differs gets lost, and a damaged picture is said to be one."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report_examples import metric, scene, short

from mm_ckpt_migrate.pages.data import MetricData, Reference, Sample
from mm_ckpt_migrate.pages.pictures import palette, show_sample
from mm_ckpt_migrate.pages.write import write_report

if TYPE_CHECKING:
    from PIL.Image import Image

METRIC = MetricData({}, None, Reference("none", "", {}), 0.0)


def opened(uri: str | None) -> Image:
    from PIL import Image

    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def labels(path: Path, size: tuple[int, int], spots: dict[tuple[int, int], int]) -> Path:
    from PIL import Image

    image = Image.new("L", size, 2)
    for place, label in spots.items():
        image.putpixel(place, label)
    image.save(path)
    return path


def sample(folder: Path, size: tuple[int, int], spots: dict[tuple[int, int], int]) -> Sample:
    old = labels(folder / "old.png", size, {})
    return Sample("a", old, old, labels(folder / "new.png", size, spots))


@pytest.mark.parametrize("spot", [(0, 0), (2047, 1023), (1000, 333)])
@pytest.mark.parametrize("label", [3, 0, 255])
def test_one_pixel_of_two_millions_is_seen(tmp_path: Path, spot: tuple[int, int], label: int) -> None:
    picture = show_sample(sample(tmp_path, (2048, 1024), {spot: label}), METRIC)
    assert (picture.differing, picture.pixels) == (1, 2048 * 1024)
    mask = opened(picture.mask)
    assert mask.size == (picture.width, picture.height) == (480, 240)
    assert 1 <= mask.histogram()[1] <= 16


def test_equal_predictions_have_no_mask(tmp_path: Path) -> None:
    picture = show_sample(sample(tmp_path, (30, 20), {}), METRIC)
    assert picture.differing == 0
    assert picture.mask is None
    assert (picture.width, picture.height) == (30, 20)


def test_colours_are_the_data_sets(tmp_path: Path) -> None:
    given = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    picture = show_sample(
        sample(tmp_path, (8, 8), {(0, 0): 0, (1, 0): 9, (2, 0): 255}),
        replace(METRIC, palette=given, classes=metric(tmp_path, samples=0, classes=3).classes),
    )
    drawn = opened(picture.new).convert("RGB")
    assert drawn.getpixel((5, 5)) == (7, 8, 9)
    assert drawn.getpixel((0, 0)) == (1, 2, 3)
    assert [(label.name, label.new) for label in picture.labels] == [
        ("sky", "95 %"),
        ("wall", "1.6 %"),
        ("label 9", "1.6 %"),
        ("no label", "1.6 %"),
    ]
    assert picture.labels[0].colour == "#070809"
    assert picture.labels[0].old == "100 %"


def test_made_up_colours_are_all_different() -> None:
    assert len(set(palette(()))) > 250
    assert palette(()) == palette(())
    assert len(palette(((0, 0, 0),) * 300)) == 256


def test_without_an_old_prediction_nothing_is_compared(tmp_path: Path) -> None:
    picture = show_sample(replace(scene(tmp_path, 1), old=None), METRIC)
    assert picture.old is picture.mask is picture.differing is None
    assert picture.labels[0].old is None


def test_a_picture_that_cannot_be_shown_is_a_notice(tmp_path: Path) -> None:
    good = scene(tmp_path / "good", 1)
    torn = tmp_path / "torn.png"
    torn.write_bytes(good.new.read_bytes()[:300])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    broken = [
        replace(good, name="gone", image=tmp_path / "gone.png"),
        replace(good, name="torn", new=torn),
        replace(good, name="text", old=text),
        replace(good, name="colours", new=good.image),
        replace(good, name="sizes", old=labels(tmp_path / "small.png", (3, 3), {})),
    ]
    data = replace(short(), metric=replace(METRIC, samples=(good, *broken)))
    _, path = write_report(tmp_path / "report", data)
    page = path.read_text(encoding="utf-8")
    assert page.count("<article") == 1
    for sample in broken:
        assert f"the sample {sample.name} cannot be shown: " in page
