"""The current release scores a migrated file as the old release scored the old one."""

from __future__ import annotations

from typing import Any

import pytest
from evaluations import MEASURED, NAMES, RECORDED

from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.reference import choose_reference
from mm_ckpt_migrate.verify.rungs.metric import judge_metric

pytestmark = pytest.mark.mm
both = pytest.mark.parametrize("name", NAMES)


@both
@pytest.mark.parametrize("what", MEASURED)
def test_everything_measured_is_the_old_releases(name: str, what: str, answers: dict[str, Any]) -> None:
    assert answers[name]["ok"], answers[name]
    assert answers[name][what] == RECORDED[name]["result"][what]


@both
def test_the_scenes_are_those_that_were_recorded(name: str) -> None:
    import scenes

    assert scenes.digest() == RECORDED[name]["scenes_crc32"]


@both
def test_the_old_model_had_learned_something(name: str) -> None:
    result = RECORDED[name]["result"]
    assert result["metrics"]["mIoU"] >= 40
    assert sum(entry["labelled"] > 0 for entry in result["classes"]) == 12


@both
def test_the_rung_passes(name: str, answers: dict[str, Any]) -> None:
    old = RECORDED[name]["result"]
    reference = choose_reference(answers[name], old=old)
    verdict, result = judge_metric(answers[name], old, reference, 0.01)
    assert verdict.status is Status.PASS, verdict
    assert "150 classes" in verdict.summary
    assert "to the pixel" in verdict.summary
    assert (result.new, result.tolerance, result.images) == (result.old, 0.0, 16)


@both
def test_a_wrong_mapping_collapses(name: str, answers: dict[str, Any]) -> None:
    """It loads strictly, too; and it is as bad in the old release."""
    wrong, old = answers[f"{name}/control"], RECORDED[name]["result"]
    assert wrong["ok"]
    assert wrong["metrics"] == RECORDED[name]["control_metrics"]
    assert wrong["metrics"]["mIoU"] < old["metrics"]["mIoU"] / 5
    verdict, _ = judge_metric(wrong, old, choose_reference(wrong, old=old), 0.01)
    assert verdict.status is Status.FAIL
    assert "mIoU" in verdict.summary


@both
def test_both_releases_side_by_side(name: str, answers: dict[str, Any], old_answers: dict[str, Any]) -> None:
    old = old_answers[name]
    assert old["versions"]["mmseg"].startswith("1.0.0rc")
    assert {key: old[key] for key in MEASURED} == {key: answers[name][key] for key in MEASURED}


def test_averaging_of_weights_changes_nothing(answers: dict[str, Any]) -> None:
    """The hook exchanges the weights for its own averages before a test: they have to be equal."""
    averaged, plain = answers["averaging"], answers[NAMES[1]]
    assert {key: averaged[key] for key in MEASURED} == {key: plain[key] for key in MEASURED}
