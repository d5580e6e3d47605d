"""Trainings of the old release: golden checkpoints, and those that `tests/resume` trains on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golden_cases import load
from support.equal import same
from support.files import GOLDEN_FOLDER
from support.training import by_name, is_parameter, new_name, new_order

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options

pytestmark = [pytest.mark.mm, pytest.mark.filterwarnings("ignore")]

RESUME = GOLDEN_FOLDER.parent / "resume"
FILES = [
    *(GOLDEN_FOLDER / name / "old.pth" for name in ("maskformer_r18_encoder", "mask2former_r18")),
    *sorted(RESUME.glob("*.pth")),
]


def name_of(path: Path) -> str:
    return path.parent.name if path.stem == "old" else path.stem


def names_of(content: dict[str, Any]) -> list[str]:
    """In the order of the state dict, which is that of the parameters; of tied ones the first."""
    found: dict[int, str] = {}
    for name, tensor in content["state_dict"].items():
        if is_parameter(name):
            found.setdefault(tensor.data_ptr(), name)
    return [*found.values()]


def untrained_groups(optimizer: dict[str, Any]) -> list[int]:
    """Indices of parameters that have a group of their own and no state."""
    groups = [group["params"] for group in optimizer["param_groups"]]
    state = optimizer["state"]
    return [g[0] for g in groups if len(g) == 1 and len(groups) > 1 and g[0] not in state]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_without_a_target_it_follows_or_is_left_out(path: Path, tmp_path: Path) -> None:
    report = convert("auto", "-", path, tmp_path / "new.pth", Options(build=False))
    old, new = load(path), load(tmp_path / "new.pth", weights_only=True)
    said = [notice for notice in report.notices if notice.startswith("optimizer")]
    assert report.verdicts[0].status.value == "pass"
    count = len(untrained_groups(old["optimizer"]))
    if count:
        assert not {"optimizer", "param_schedulers"} & set(new)
        assert f"{count} of its parameters were never trained" in said[0]
        return
    before, names = old["optimizer"], names_of(old)
    family = report.family
    after = new_order(names, family)
    assert after == names_of(new)
    found = by_name(new["optimizer"], after)
    for name, content in by_name(before, names).items():
        assert same(content, found[new_name(name, family)]), name
    # MaskFormer's parameters alone keep their places.
    moved = [new_name(name, family) for name in names] != after
    assert moved == (family != "maskformer")
    assert f" {len(names)} parameters keep their state, " in said[0]
    assert (" 0 in other places" in said[0]) == (not moved)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_schedulers_have_a_value_for_each_group(path: Path, tmp_path: Path) -> None:
    convert("auto", "-", path, tmp_path / "new.pth", Options(build=False))
    new = load(tmp_path / "new.pth", weights_only=True)
    if "optimizer" not in new:
        return
    groups = new["optimizer"]["param_groups"]
    made = "base_param_settings" in new["optimizer"]
    assert made == (len(groups) > 1)
    for scheduler, before in zip(new["param_schedulers"], load(path)["param_schedulers"], strict=True):
        rates = [group["initial_lr"] for group in groups]
        assert scheduler["base_values"][: len(groups)] == rates
        assert len(scheduler["base_values"]) == len(scheduler["_last_value"]) == len(rates) + made
        lists = ("base_values", "_last_value")
        assert {k: v for k, v in scheduler.items() if k not in lists} == {
            k: v for k, v in before.items() if k not in lists
        }
