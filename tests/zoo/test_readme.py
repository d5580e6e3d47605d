"""Tables of READMEs, as mmsegmentation and mmdetection write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_ckpt_migrate.zoo.readme import Row, read_rows

MMSEG = r"""
### ADE20K

| Method     | Crop Size | Lr schd | mIoU  | mIoU(ms+flip) | config      | download |
| ---------- | --------- | ------: | ----: | ------------- | ----------- | -------- |
| MaskFormer | 512x512 | 160000 | 44.29 | - | [c](a) | [m](https://h/a_1-3a9cfe45.pth) \| [log](a) |
| MaskFormer | 512x512 | 160000 | 45.11 | - | [c](b) | [m](https://h/b_1-84adbfcb.pth) \| [log](b) |
"""
MMDET = """
|    Backbone    | Lr schd | box AP | Config | Download |
|:--------------:|:-------:|:------:|:------:|:--------:|
| R-50 | 1x | 37.4 (38.0) | [config](a.py) | [model](https://h/a-01234567.pth) &#124; [log](a) |
| R-50 | 1x | 38.4 | [config](./a.py) | [model]() &#124; [log]() |
"""


@pytest.fixture
def rows(tmp_path: Path):
    def make(text: str) -> tuple[Row, ...]:
        path = tmp_path / "README.md"
        path.write_text(text, encoding="utf-8")
        return read_rows(path)

    return make


def test_mmsegmentation(rows) -> None:
    first, second = rows(MMSEG)
    assert first == Row("a_1-3a9cfe45.pth", {"Lr schd": 160000.0, "mIoU": 44.29}, 6)
    assert (second.file, second.metrics["mIoU"], second.line) == ("b_1-84adbfcb.pth", 45.11, 7)


def test_mmdetection(rows) -> None:
    """A cell that holds more than a number states none, and a row without a link counts not."""
    assert rows(MMDET) == (Row("a-01234567.pth", {}, 4),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "| a | b |\n",
        "| a |\n| - |\n| [model](https://h/a.pth) | 3 |\n",
        "| a | a |\n| - | - |\n| [model](https://h/a.pth) | 3 |\n",
        "| a | b |\n| - | - |\n| [m](https://h/a.pth) | [m](https://h/b.pth) |\n",
        "| a | b |\n| - | - |\n\n| [m](https://h/a.pth) | 3 |\n",
        "| a | b |\n| - | - |\n| [m](javascript:a.pth) | 3 |\n",
        "| - | - |\n| [m](https://h/a.pth) | 3 |\n",
    ],
)
def test_what_is_no_row(rows, text: str) -> None:
    assert rows(text) == ()


def test_an_empty_last_cell_keeps_its_place(rows) -> None:
    (row,) = rows("| a | mIoU | b |\n| - | - | - |\n| [m](https://h/a.pth) | 3 ||\n")
    assert row.metrics == {"mIoU": 3.0}


def test_a_readme_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "README.md") == ()
    (tmp_path / "README.md").write_bytes(b"\xff\xfe|a|")
    assert read_rows(tmp_path / "README.md") == ()
    assert read_rows(tmp_path) == ()


def test_a_huge_table_takes_no_time(rows) -> None:
    assert rows("| a | b |\n| - | - |\n" + "| x](https://" * 50_000) == ()
