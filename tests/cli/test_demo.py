"""`demo`: which genuine checkpoints it takes, and that it would tell of a wrong file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from golden_cases import CASES, run

from mm_ckpt_migrate import demo
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verdicts import Rung, Status, Verdict
from mm_ckpt_migrate.verify.raw_outputs import model_request
from mm_ckpt_migrate.verify.rungs.forward import Side

CASE = CASES["mask2former_panoptic_r18"]


def test_the_bundled_cases_are_golden_ones() -> None:
    assert [case.name for case in demo.cases()] == list(demo.SHIPPED)
    assert [case.family for case in demo.cases()] == ["detr", "mask2former", "maskformer"]
    # From a wheel they lie inside the package.
    for case in demo.cases():
        assert case.checkpoint.read_bytes() == CASES[case.name].old.read_bytes()


def test_without_the_stack(tmp_path: Path) -> None:
    reports = list(demo.demonstrate(tmp_path, build=False))
    assert [report.destination for report in reports] == [f"{name}.pth" for name in demo.SHIPPED]
    for report in reports:
        statuses = [verdict.status.value for verdict in report.verdicts]
        assert statuses == ["pass", "skipped", "pass", *["skipped"] * 3]
        assert (tmp_path / str(report.destination)).exists()


@pytest.mark.mm
def test_with_the_stack(tmp_path: Path) -> None:
    reports = list(demo.demonstrate(tmp_path))
    assert len(reports) == len(demo.SHIPPED)
    for report in reports:
        statuses = [verdict.status.value for verdict in report.verdicts]
        assert statuses == [*["pass"] * 4, "skipped", "skipped"]
        assert report.verdicts[3].rung is Rung.FORWARD
        assert "with self- and cross-attention exchanged, they differ by" in report.verdicts[3].summary


@pytest.fixture(scope="module")
def process() -> Iterator[ReleaseProcess]:
    with ReleaseProcess() as process:
        yield process


def judged(process: ReleaseProcess, new: Path, rules: RuleSet) -> Verdict:
    """What `demo` says of a file's outputs."""
    (case,) = [case for case in demo.cases() if case.name == CASE.name]
    side = Side(process, model_request(read_config(case.config), case.config), new)
    return demo.forward(case, rules, side)


@pytest.mark.mm
def test_a_wrong_mapping_fails(process: ReleaseProcess, families: dict[str, RuleSet], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pth"
    run(CASE, wrong, CASE.other_family, build=False, force_family=True)
    verdict = judged(process, wrong, families[CASE.family])
    assert verdict.status is Status.FAIL
    assert "outputs differ by" in verdict.summary
    assert any(line.startswith("mask_logits: ") for line in verdict.details)


@pytest.mark.mm
def test_without_a_difference_under_the_control_nothing_is_proven(
    process: ReleaseProcess, families: dict[str, RuleSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = tmp_path / "right.pth"
    run(CASE, right, build=False)
    monkeypatch.setattr(demo, "control_names", lambda *_: {})
    verdict = judged(process, right, families[CASE.family])
    assert verdict.status is Status.SKIPPED
    assert "this proves nothing" in verdict.summary
