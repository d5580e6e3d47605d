"""Forward: what is concluded from which measurements. No model runs here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mm_ckpt_migrate.mapping.plan import ModuleMove, Move, Plan
from mm_ckpt_migrate.releases.allowed.request import TargetRequest
from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.rungs.forward import Recorded, Side, check_forward
from mm_ckpt_migrate.verify.rungs.forward_measure import module_names

MODEL = TargetRequest(model="{}", scope="mmseg", imports=(), packages=(), needs=(), source="config.py")


@dataclass
class Release:
    """A process that answers what it was told to."""

    folder: Path = Path("/nowhere")
    run: dict[str, Any] = field(default_factory=dict)
    float32: float = 0.0
    float64: float = 0.0
    control: float = 3.0
    other: float = 2.0
    scale: float = 2.0
    other64: float | None = None
    control64: float | None = None
    module: str | None = None
    unseen: list[str] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    def send(self, request: Any, _out: Path | None = None) -> None:
        self.asked.append(request)

    def receive(self) -> dict[str, Any]:
        request = self.asked[-1]
        if request["do"] == "unseen":
            return {"ok": True, "unseen": self.unseen, "untried": self.untried, "tensors": 5}
        answer = {"repeats": True, "spread": 0.5, "seconds": 0.1, "about": None}
        return {"ok": True, **answer, **self.run}

    def checked(self, answer: dict[str, Any], *_names: str) -> dict[str, Any]:
        return answer

    def demand(self, request: Any, **_names: str) -> dict[str, Any]:
        files = (Path(request["first"]).stem, Path(request["second"]).stem)
        largest = {
            ("old", "new"): self.float32,
            ("reference", "new"): self.float32,
            ("new", "other"): self.other,
            ("old", "control"): self.control,
            ("reference", "control"): self.control,
            ("old64", "new64"): self.float64,
            ("new64", "other64"): self.other if self.other64 is None else self.other64,
            ("new64", "control64"): self.control if self.control64 is None else self.control64,
        }[files]
        differences = [["cls_logits", largest, self.scale], ["mask_logits", largest, 20.0]]
        return {"differences": differences, "points": [[1.0, 1.0]], "module": self.module}


def verdict_of(new: Release, old: Release | None = None, **options: Any) -> Any:
    sides = [Side(release, MODEL, Path("a.pth")) for release in (old or Release(), new)]  # type: ignore[arg-type]
    return check_forward(*sides, {"a": "b"}, **options)


def test_equal_to_the_last_bit() -> None:
    verdict, result = verdict_of(Release(unseen=["a.0.bias[key]", "a.1.bias[key]"]))
    assert verdict.status is Status.PASS
    assert verdict.summary == (
        "raw outputs equal those of the old code to the last bit; with two parts exchanged, they differ by 3"
    )
    assert "  a.{0…1}.bias[key]" in verdict.details
    assert any("integrity proves" in line for line in verdict.details)
    assert (result.control, result.repeats, result.alive, result.reaches) == (3.0, True, True, True)
    assert result.differences64 is None


def test_rounding_is_reported_as_rounding() -> None:
    verdict, result = verdict_of(Release(float32=1.1e-5, float64=2.8e-14))
    assert verdict.status is Status.PASS
    assert "differ by 1.1e-05" in verdict.summary
    assert "in float32 and by 2.8e-14 in float64: rounding" in verdict.summary
    assert [d.largest for d in result.differences64] == [2.8e-14, 2.8e-14]


@pytest.mark.parametrize(
    ("float32", "float64"),
    [
        (1e-7, 1e-7),  # small, and an error
        (1e-7, 1e-8),
        (0.1, 1e-14),  # no sum of roundings is so large
        (math.nan, math.nan),
        (math.nan, 0.0),
        (1e-7, math.nan),
        (math.inf, math.inf),  # another shape
    ],
)
def test_an_error_is_no_rounding(float32: float, float64: float) -> None:
    new = Release(float32=float32, float64=float64, module="head.layers.0")
    verdict, result = verdict_of(new)
    assert verdict.status is Status.FAIL
    assert "an error, no rounding; the first that differs is head.layers.0" in verdict.summary
    assert result.first_module == "head.layers.0"
    assert not result.unseen


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (Release(run={"repeats": False}), "the same run gives other outputs each time"),
        (Release(run={"spread": 0.0}), "all queries give the same class logits"),
        (Release(other=0.0), "another image gives the same outputs"),
        (Release(other=4e-9), "another image gives the same outputs"),  # one of two is reached
        (Release(other64=0.0, other=1e-4), "another image gives the same outputs"),
        (Release(control=0.0), "the wrong mapping gives the same outputs"),
        (Release(control=1e-10), "the wrong mapping gives the same outputs"),
        (Release(control64=0.0, control=1e-6), "the wrong mapping gives the same outputs"),
        (Release(run={"spread": 1e-10}), "all queries give the same class logits"),
        (Release(float32=1e-4, float64=1e-11, control=1e-9), "the wrong mapping gives the same"),
    ],
)
def test_a_check_that_cannot_fail_proves_nothing(new: Release, said: str) -> None:
    verdict, _ = verdict_of(new)
    assert verdict.status is Status.SKIPPED
    assert "this proves nothing" in verdict.summary
    assert said in verdict.summary


def test_the_old_side_must_repeat_too() -> None:
    assert verdict_of(Release(), Release(run={"repeats": False}))[0].status is Status.SKIPPED


def test_a_difference_fails_though_the_comparison_is_weak() -> None:
    """It could not have failed everywhere, and it did."""
    for weak in (Release(other=0.0), Release(control=0.0), Release(run={"spread": 0.0})):
        new = replace(weak, float32=0.5, float64=0.5)
        assert verdict_of(new)[0].status is Status.FAIL


def test_a_model_that_never_repeats_differs_by_nothing_that_tells() -> None:
    verdict, _ = verdict_of(Release(float32=0.5, run={"repeats": False}))
    assert verdict.status is Status.SKIPPED


def test_outputs_that_are_no_numbers_in_the_old_code_tell_nothing() -> None:
    verdict, _ = verdict_of(Release(float32=math.nan, scale=math.nan))
    assert verdict.status is Status.SKIPPED
    assert "the old code's own outputs are no numbers" in verdict.summary


@pytest.mark.parametrize(
    "new",
    [
        Release(other=1e-4),
        Release(control=1e-6),
        Release(run={"spread": 1e-6}),
        Release(float32=1e-4, float64=0.0, control=2e-4),
    ],
)
def test_float64_shows_what_float32_does_not(new: Release) -> None:
    verdict, result = verdict_of(new)
    assert verdict.status is Status.PASS, verdict
    assert result.closer
    assert "in float64" in verdict.summary


def test_float64_that_differs_where_float32_does_not_tells_nothing() -> None:
    verdict, _ = verdict_of(Release(other=0.0, float64=1e-6))
    assert verdict.status is Status.SKIPPED


def test_a_model_without_queries_is_not_asked_for_them() -> None:
    assert verdict_of(Release(run={"spread": None}))[0].status is Status.PASS


def test_another_familys_rules_are_recognised() -> None:
    verdict, _ = verdict_of(Release(float32=3.0, float64=3.0, control=0.0))
    assert verdict.status is Status.FAIL
    assert "exchanged, they are equal: another family's rules made this file" in verdict.summary


@pytest.mark.parametrize(
    ("largest", "status"),
    [
        (0.0, Status.PASS),
        (9e-6, Status.PASS),
        (1.9e-5, Status.PASS),
        (3e-5, Status.FAIL),
        (math.nan, Status.FAIL),
    ],
)
def test_a_record_is_met_within_the_tolerance(largest: float, status: Status, tmp_path: Path) -> None:
    record = tmp_path / "reference.npz"
    record.touch()
    new = Side(Release(float32=largest), MODEL, Path("a.pth"))  # type: ignore[arg-type]
    verdict, result = check_forward(Recorded(record), new, {"a": "b"})
    assert verdict.status is status
    assert result.differences64 is None


def test_what_there_was_no_time_for_is_named() -> None:
    verdict, _ = verdict_of(Release(unseen=["bn.num_batches_tracked"], untried=["x.0", "x.1"]))
    assert "  1 named num_batches_tracked: training alone reads them" in verdict.details
    assert "no time to look at 2 more:" in verdict.details
    assert "  x.{0…1}" in verdict.details


def test_no_time_at_all() -> None:
    verdict, result = verdict_of(Release(unseen=["a"]), budget=0)
    assert verdict.status is Status.PASS
    assert (result.unseen, result.tensors) == ((), 0)


def test_module_names_go_from_new_to_old() -> None:
    moves = (Move("l.attentions.0.w", "l.self_attn.w"), Move("x.w", "x.w"), Move("gone.w", None))
    plan = Plan(
        family="f", released_from="a", released_to="b", rules_digest="", rules=(), moves=moves, modules=()
    )
    assert module_names(plan) == {"l.self_attn": "l.attentions.0", "x": "x"}
    moved = ModuleMove("l.ffns.0", "l.ffn", 1), ModuleMove("l.ffns", None, 1)
    plan = Plan(
        family="f", released_from="a", released_to="b", rules_digest="", rules=(), moves=moves, modules=moved
    )
    assert module_names(plan)["l.ffn"] == "l.ffns.0"
