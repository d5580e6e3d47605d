"""Entries of metafiles, in every shape that real ones have."""

from __future__ import annotations

import pytest

from mm_ckpt_migrate.zoo.metafile import Metric, ZooModel, file_name, models, number
from mm_ckpt_migrate.zoo.yamltree import read_yaml


def entries(text: str) -> list[ZooModel]:
    return list(models(read_yaml(text.encode()), "configs/x/metafile.yml"))


RESULTS = """\
Models:
- Name: x
  Config: configs/x/x.py
  Results:
    Task: Semantic Segmentation
    Dataset: ADE20K
    Metrics:
      mIoU: 44.29
      mIoU(ms+flip): '-'
  Weights: https://host/x/x-01234567.pth
"""


def test_results_as_one_mapping() -> None:
    (model,) = entries(RESULTS)
    assert model == ZooModel(
        name="x",
        configs=("configs/x/x.py",),
        weights=("https://host/x/x-01234567.pth",),
        metrics=(Metric("Semantic Segmentation", "ADE20K", "mIoU", 44.29),),
        readme="",
        metafile="configs/x/metafile.yml",
        line=2,
    )
    assert (model.config, model.file) == ("configs/x/x.py", "x-01234567.pth")


def test_results_as_a_list() -> None:
    (model,) = entries(
        "Models:\n- Name: x\n  Results:\n"
        "  - {Task: Object Detection, Dataset: COCO, Metrics: {box AP: 45}}\n"
        "  - {Task: Instance Segmentation, Dataset: COCO, Metrics: {mask AP: 41.5}}\n"
    )
    assert [(m.name, m.value) for m in model.metrics] == [("box AP", 45.0), ("mask AP", 41.5)]


def test_a_file_that_is_a_list() -> None:
    assert [model.name for model in entries("- Name: x\n- Name: y\n")] == ["x", "y"]


def test_several_weights_and_configs() -> None:
    (model,) = entries("Models:\n- {Name: x, Config: [a.py, b.py], Weights: [h/a.pth, h/b.pth]}\n")
    assert model.files == ("a.pth", "b.pth")
    assert (model.config, model.file) == (None, None)


def test_an_entry_with_nothing_in_it() -> None:
    (model,) = entries("Models:\n- Name:\n  Config:\n  Weights: null\n")
    assert (model.name, model.configs, model.weights, model.metrics) == ("", (), (), ())


def test_the_readme_of_the_collection() -> None:
    text = "Collections:\n- {Name: X, README: configs/x/README.md}\nModels:\n"
    first, second = entries(f"{text}- {{Name: a, In Collection: X}}\n- {{Name: b, README: other.md}}\n")
    assert (first.readme, second.readme) == ("configs/x/README.md", "other.md")


@pytest.mark.parametrize(
    "text",
    [
        "Models: 3\n",
        "Models:\n",
        "Models: [1, [2], x]\n",
        "Import: [a.yml]\n",
        "3\n",
        "- a\n- b\n",
        "Collections: [1]\n",
        "- {dataset: x}\n",
    ],
)
def test_no_entries(text: str) -> None:
    assert entries(text) == []


@pytest.mark.parametrize("results", ["3", "[3]", "{Metrics: 3}", "[{Metrics: [1]}]", "{Metrics: {a: [1]}}"])
def test_results_of_wrong_types(results: str) -> None:
    (model,) = entries(f"Models:\n- {{Name: x, Results: {results}}}\n")
    assert model.metrics == ()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://host/v2/gn%2Bws/x_gn%2Bws-0123.pth", "x_gn+ws-0123.pth"),
        ("https://host/x.pth?raw=1", "x.pth"),
        ("x.pth", "x.pth"),
        ("https://host/x/", "x"),
        ("https://host/a%2F..%2Fb.pth", "a/../b.pth"),
    ],
)
def test_file_names(address: str, name: str) -> None:
    assert file_name(address) == name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("44.29", 44.29),
        (" 41 ", 41.0),
        ("77.5%", 77.5),
        ("-", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("44.3 (45.1)", None),
        ("1" * 400, None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value
