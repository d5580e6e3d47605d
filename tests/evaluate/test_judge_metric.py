"""The verdict: against the old release every digit counts, and NaN never passes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from evaluations import RECORDED

from mm_ckpt_migrate.errors import ConfigError, ExitCode, MigrateError
from mm_ckpt_migrate.verdicts import Status, Verdict
from mm_ckpt_migrate.verify.reference import Reference, choose_reference
from mm_ckpt_migrate.verify.rungs.metric import check_answer, judge_metric

OLD: dict[str, Any] = RECORDED["maskformer_scenes"]["result"]
BUILDING = 1


@pytest.fixture
def new() -> dict[str, Any]:
    return copy.deepcopy(OLD)


def against_old(new: dict[str, Any], old: dict[str, Any] = OLD) -> Verdict:
    return judge_metric(new, old, choose_reference(new, old=old), 0.01)[0]


def against(new: dict[str, Any], miou: float, tolerance: float = 0.01) -> Verdict:
    reference = Reference("expected", "as given", {"mIoU": miou})
    return judge_metric(new, None, reference, tolerance)[0]


def test_the_same(new: dict[str, Any]) -> None:
    verdict = against_old(new)
    assert verdict.status is Status.PASS
    assert "mIoU 42.05" in verdict.summary
    assert "mmsegmentation 1.0.0rc4" in verdict.summary


def test_one_digit_of_one_metric(new: dict[str, Any]) -> None:
    new["metrics"]["mAcc"] += 0.01
    new["classes"][BUILDING]["union"] += 1
    assert against_old(new).details == ("mAcc: 56.88 in the old release, 56.89 now",)


@pytest.mark.parametrize("score", ["IoU", "Acc"])
def test_one_digit_of_one_class(score: str, new: dict[str, Any]) -> None:
    new["classes"][BUILDING][score] += 0.01
    new["classes"][BUILDING]["union"] += 1
    verdict = against_old(new)
    assert verdict.status is Status.FAIL
    assert verdict.details[0].startswith(f"building: {score}")


def test_a_class_that_was_absent(new: dict[str, Any]) -> None:
    entry = new["classes"][0]
    entry.update(IoU=0.0, Acc=0.0, union=3.0, predicted=3.0)
    verdict = against_old(new)
    assert verdict.status is Status.FAIL
    assert "wall: IoU absent in the old release, 0.00 now" in verdict.details


def test_a_pixel_that_no_digit_shows(new: dict[str, Any]) -> None:
    new["classes"][BUILDING]["union"] += 1
    verdict = against_old(new)
    assert verdict.status is Status.PASS
    assert "differ by 1 pixels" in verdict.summary


def test_a_digit_that_numpy_rounds_differently(new: dict[str, Any]) -> None:
    new["metrics"]["mAcc"] += 0.01
    assert against_old(new).status is Status.PASS
    new["metrics"]["mAcc"] += 0.01
    assert against_old(new).status is Status.FAIL


@pytest.mark.parametrize("both", [False, True])
def test_nan_never_equals(both: bool, new: dict[str, Any]) -> None:
    old = copy.deepcopy(OLD)
    new["metrics"]["mIoU"] = None
    if both:
        old["metrics"]["mIoU"] = None
    assert against_old(new, old).status is Status.FAIL
    del new["metrics"]["mIoU"], old["metrics"]["mIoU"]
    assert against_old(new, old).status is Status.FAIL


def test_other_images(new: dict[str, Any]) -> None:
    new["images"] = 15
    assert against_old(new).details == ("16 images in the old release, 15 now",)


def test_other_pixels_are_named_as_a_cause(new: dict[str, Any]) -> None:
    new["metrics"]["mIoU"] -= 1
    new["inputs_crc32"] += 1
    assert "given different pixels (OpenCV 4.8.1" in against_old(new).details[-1]


@pytest.mark.parametrize(
    ("miou", "tolerance", "status"),
    [
        (42.05, 0.0, Status.PASS),
        (42.06, 0.01, Status.PASS),
        (42.04, 0.01, Status.PASS),
        (42.07, 0.01, Status.FAIL),
        (42.07, 0.02, Status.PASS),
        (float("nan"), 0.01, Status.FAIL),
        (42.05, float("nan"), Status.FAIL),
    ],
)
def test_a_number_has_a_tolerance(miou: float, tolerance: float, status: Status, new: dict[str, Any]) -> None:
    assert against(new, miou, tolerance).status is status


def test_a_result_that_is_nan(new: dict[str, Any]) -> None:
    new["metrics"]["mIoU"] = None
    assert against(new, 42.05).status is Status.FAIL


def test_nothing_to_hold_it_against_is_not_a_pass(new: dict[str, Any]) -> None:
    verdict, result = judge_metric(new, None, choose_reference(new), 0.01)
    assert verdict.status is Status.SKIPPED
    assert "mIoU 42.05 on 16 images" in verdict.summary
    assert result.old is None


def test_the_zoo_may_have_rounded(new: dict[str, Any]) -> None:
    reference = Reference("zoo", "old.pth", {"mIoU": 42.1})
    verdict, _ = judge_metric(new, None, reference, 0.01)
    assert verdict.status is Status.FAIL
    said = "mIoU 42.05 on 16 images; 42.1 is the zoo's, which is not within 0.01 of it"
    assert verdict.summary == said
    assert verdict.details == ("42.1: old.pth", "the zoo may have rounded it to one digit")


def test_the_result_is_plain_json(new: dict[str, Any]) -> None:
    new["samples"] = [{"name": "a.png", "image": "i.png", "prediction": "n.png"}]
    old = copy.deepcopy(new)
    old["samples"] = [{"name": "a.png", "image": "j.png", "prediction": "o.png"}]
    _, result = judge_metric(new, old, choose_reference(new, old=old), 0.01)
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert plain["samples"] == [{"name": "a.png", "image": "i.png", "old": "o.png", "new": "n.png"}]
    assert plain["classes"][0] == {"name": "wall", "old": None, "new": None}
    assert plain["classes"][BUILDING] == {"name": "building", "old": 55.9, "new": 55.9}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("data", ExitCode.USAGE),
        ("classes", ExitCode.USAGE),
        ("config", ExitCode.BAD_TARGET),
        ("missing", ExitCode.MISSING_SOFTWARE),
        ("weights", ExitCode.KEYS_FAILED),
        ("crash", ExitCode.METRIC_FAILED),
        ("else", ExitCode.METRIC_FAILED),
    ],
)
def test_what_went_wrong_there_is_raised_here(kind: str, code: ExitCode) -> None:
    with pytest.raises(MigrateError) as caught:
        check_answer({"ok": False, "kind": kind, "reason": "so\x1b[2J", "hint": "do"}, "c.py")
    assert caught.value.exit_code is code
    assert caught.value.hint == "do"
    assert "\x1b" not in caught.value.message
    assert isinstance(caught.value, ConfigError) == (kind == "config")


def test_an_answer_raises_nothing() -> None:
    check_answer(OLD, "c.py")
