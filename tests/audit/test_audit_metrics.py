"""Metrics of README and metafile."""

from __future__ import annotations

import pytest
from small_zoos import MakeZoo, entry

from mm_ckpt_migrate.audit.metrics import same

FILE = "maskformer_r50-d32_8xb2-160k_ade20k-512x512_20221030_182724-3a9cfe45.pth"
HEAD = "| Method | mIoU | mIoU(ms+flip) | box mAP | download |\n| - | -: | - | - | - |\n"


def row(file: str = FILE, miou: str = "44.29", box: str = "-") -> str:
    return f"| MaskFormer | {miou} | 45.1 | {box} | [model](https://host/x/{file}) \\| [log](x) |\n"


def results(**metrics: object) -> dict[str, object]:
    named = {name.replace("_", " "): value for name, value in metrics.items()}
    return {"Results": [{"Task": "t", "Dataset": "d", "Metrics": named}]}


def audited(zoo: MakeZoo, table: str, *, readme: str = "configs/x/README.md", **metrics: object):
    zoo.put(readme, HEAD + table)
    zoo.models(entry("configs/x/a.py", FILE, **results(**metrics)))
    return [finding.sentence for finding in zoo.findings("metric")]


@pytest.mark.parametrize(
    ("table", "metrics", "sentence"),
    [
        (row(), {"mIoU": 44.92}, "its mIoU is 44.92 here, and 44.29 in configs/x/README.md:3"),
        (row(miou="44.3"), {"mIoU": 44.2}, "44.3"),
        (row(box="41.5"), {"box_AP": 45.1}, "its box AP is 45.1 here, and 41.5"),
        (row("other.pth") + row(), {"mIoU": 1}, "README.md:4"),
    ],
)
def test_they_differ(zoo: MakeZoo, table: str, metrics: dict[str, object], sentence: str) -> None:
    (found,) = audited(zoo, table, **metrics)
    assert sentence in found


@pytest.mark.parametrize(
    ("table", "metrics"),
    [
        (row(), {"mIoU": 44.29}),
        (row(miou="44.3"), {"mIoU": 44.29}),
        (row(miou="-"), {"mIoU": 44.29}),
        (row(miou="44.29 (45.0)"), {"mIoU": 44.92}),
        (row(), {"mDice": 1.0}),
        (row("other.pth"), {"mIoU": 1.0}),
        (row(miou="44.3") + row(miou="44.9"), {"mIoU": 1.0}),
        ("", {"mIoU": 1.0}),
    ],
)
def test_they_agree_or_cannot_be_compared(zoo: MakeZoo, table: str, metrics: dict[str, object]) -> None:
    assert audited(zoo, table, **metrics) == []


def test_a_metric_of_two_data_sets_is_not_compared(zoo: MakeZoo) -> None:
    zoo.put("configs/x/README.md", HEAD + row())
    both = [{"Dataset": d, "Metrics": {"mIoU": v}} for d, v in (("a", 1.0), ("b", 2.0))]
    zoo.models(entry("configs/x/a.py", FILE, Results=both))
    assert zoo.findings("metric") == []


def test_a_file_of_two_entries_is_not_compared(zoo: MakeZoo) -> None:
    zoo.put("configs/x/README.md", HEAD + row())
    two = [entry(f"configs/x/{name}.py", FILE, **results(mIoU=1.0)) for name in "ab"]
    zoo.models(*two)
    assert zoo.findings("metric") == []


def test_the_readme_that_the_entry_names_comes_first(zoo: MakeZoo) -> None:
    zoo.put("docs/x.md", HEAD + row(miou="1.5"))
    zoo.put("configs/x/README.md", HEAD + row())
    zoo.models(entry("configs/x/a.py", FILE, README="docs/x.md", **results(mIoU=44.29)))
    (found,) = zoo.findings("metric")
    assert "1.5 in docs/x.md:3" in found.sentence


def test_a_readme_outside_the_zoo_is_not_read(zoo: MakeZoo) -> None:
    zoo.put("../outside.md", HEAD + row(miou="1.5"))
    zoo.models(entry("configs/x/a.py", FILE, README="../outside.md", **results(mIoU=44.29)))
    assert zoo.findings("metric") == []


@pytest.mark.parametrize(("a", "b"), [(44.29, 44.29), (44.3, 44.29), (44.25, 44.3), (44, 44.4)])
def test_same(a: float, b: float) -> None:
    assert same(a, b)
    assert same(b, a)


@pytest.mark.parametrize(("a", "b"), [(44.29, 44.28), (44.3, 44.2), (44.2, 44.29), (44, 45)])
def test_not_the_same(a: float, b: float) -> None:
    assert not same(a, b)
    assert not same(b, a)
