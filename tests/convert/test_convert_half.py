"""Half precision: carried as it is, said, and taken by a model that computes in float32."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, load
from support.equal import same

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.errors import TargetMismatchError
from mm_ckpt_migrate.schema import fits
from mm_ckpt_migrate.verdicts import ConvertReport, Status

torch = pytest.importorskip("torch")

CASE = CASES["mask2former_r18"]
Chosen = Callable[[str], bool]


def cast(tensors: Any, kind: str, chosen: Chosen) -> Any:
    """Tensors of floats in another type, where their names are chosen."""
    made = OrderedDict(
        (name, value.to(getattr(torch, kind)) if value.is_floating_point() and chosen(name) else value)
        for name, value in tensors.items()
    )
    if hasattr(tensors, "_metadata"):
        made._metadata = tensors._metadata  # type: ignore[attr-defined]
    return made


def is_weight(name: str) -> bool:
    return "running_" not in name


def saved(folder: Path, kind: str, chosen: Chosen = lambda name: True, **sections: Any) -> Path:
    content = load(CASE.old)
    content["state_dict"] = cast(content["state_dict"], kind, chosen)
    torch.save({**content, **sections}, folder / "old.pth")
    return folder / "old.pth"


def converted(old: Path, **options: Any) -> tuple[ConvertReport, Any]:
    new = old.with_name("new.pth")
    report = convert("auto", CASE.new_config, old, new, Options(**options))
    return report, load(new, weights_only=True)


@pytest.mark.mm
@pytest.mark.parametrize("chosen", [lambda name: True, is_weight], ids=["all", "but for buffers"])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_it_is_converted_and_said(kind: str, chosen: Chosen, tmp_path: Path) -> None:
    old = saved(tmp_path, kind, chosen)
    report, new = converted(old)
    integrity, keys = report.verdicts[:2]
    assert (integrity.status, keys.status) == (Status.PASS, Status.PASS)
    before, after = load(old)["state_dict"], new["state_dict"]
    count = sum(value.dtype == getattr(torch, kind) for value in before.values())
    assert f"torch widens {count} in half precision, without loss" in keys.summary
    (said,) = [notice for notice in report.notices if "half precision" in notice]
    assert said == (f"its weights are in half precision ({count} of {len(before)} {kind}), and stay so")
    kept = {name: value for name, value in before.items() if name in after}
    assert kept
    assert all(same(value, after[name]) for name, value in kept.items())
    assert {value.dtype for value in after.values()} == {value.dtype for value in before.values()}


@pytest.mark.mm
@pytest.mark.parametrize(("section", "raw"), [("state_dict", False), ("ema_state_dict", True)])
def test_one_of_two_sets_of_weights(section: str, raw: bool, tmp_path: Path) -> None:
    """Averaged in half precision and raw in single, or the other way round; each for inference."""
    content = load(CASE.old)
    content[section] = cast(content[section], "float16", lambda name: True)
    old = saved(tmp_path, "float32", **{section: content[section]})
    report, new = converted(old, purpose=Purpose.INFERENCE, raw_weights=raw)
    assert [verdict.status for verdict in report.verdicts[:2]] == [Status.PASS] * 2
    assert torch.float16 in {value.dtype for value in new["state_dict"].values()}
    report, new = converted(old, purpose=Purpose.INFERENCE, raw_weights=not raw, force=True)
    assert [verdict.status for verdict in report.verdicts[:2]] == [Status.PASS] * 2
    assert torch.float16 not in {value.dtype for value in new["state_dict"].values()}


@pytest.mark.mm
@pytest.mark.parametrize("kind", ["float64", "int32"])
def test_what_a_model_cannot_take_without_loss_is_refused(kind: str, tmp_path: Path) -> None:
    old = saved(tmp_path, kind, lambda name: name == "backbone.conv1.weight")
    with pytest.raises(TargetMismatchError, match=f"backbone.conv1.weight is {kind}"):
        converted(old)


@pytest.mark.mm
def test_a_counter_in_half_precision_is_refused(tmp_path: Path) -> None:
    content = load(CASE.old)
    name = "backbone.bn1.num_batches_tracked"
    content["state_dict"][name] = content["state_dict"][name].half()
    torch.save(content, tmp_path / "old.pth")
    with pytest.raises(TargetMismatchError, match=f"{name} is float16"):
        converted(tmp_path / "old.pth")


@pytest.mark.parametrize("have", ["float16", "bfloat16"])
def test_every_number_of_it_is_one_of_float32(have: str) -> None:
    numbers = torch.arange(1 << 16, dtype=torch.int32).to(torch.uint16).view(getattr(torch, have))
    wide = numbers.float()
    assert fits(have, "float32")
    assert torch.equal(
        wide.to(numbers.dtype).view(torch.uint16)[~wide.isnan()], numbers.view(torch.uint16)[~wide.isnan()]
    )
    assert not fits("float32", have)
    assert not fits("float64", "float32")
