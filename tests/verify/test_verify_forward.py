"""Forward: outputs recorded with the old release, and a comparison that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, run

from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
from mm_ckpt_migrate.demo import cases
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.current.resolve import Target
from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.forward import check_record, control_names

CASE = CASES["mask2former_swin"]
RECORD = CASE.folder / "reference.npz"


@pytest.fixture(scope="module")
def control(families: dict[str, RuleSet]) -> dict[str, str]:
    from mm_ckpt_migrate.files.archive.source import Source
    from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

    with Source(CASE.old) as source:
        return control_names(open_checkpoint(source).schema, families[CASE.family])


def test_the_control_exchanges_names_within_the_model(control: dict[str, str]) -> None:
    assert set(control) == set(control.values())
    changed = {name for name, other in control.items() if name != other}
    assert len(changed) == 24
    assert all(control[control[name]] == name for name in changed)


def test_the_bundled_cases_are_the_golden_ones() -> None:
    assert [case.name for case in cases()] == list(CASES)
    # From a wheel they lie inside the package.
    bundled = [case.checkpoint.read_bytes() for case in cases()]
    assert bundled == [case.old.read_bytes() for case in CASES.values()]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    config = read_target_config(CASE.new_config, None, load_rules().families)
    with open_target(config, Options(cache=False)) as target:
        yield target


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forward") / "new.pth"
    run(CASE, path, build=False)
    return path


@pytest.mark.mm
def test_the_right_file_passes(target: Target, new: Path, control: dict[str, str]) -> None:
    verdict = check_record(target, new, RECORD, control)
    assert verdict.status is Status.PASS, verdict
    assert "with two parts exchanged, by" in verdict.summary


@pytest.mark.mm
def test_without_a_difference_under_the_control_nothing_is_proven(target: Target, new: Path) -> None:
    verdict = check_record(target, new, RECORD, {})
    assert verdict.status is Status.SKIPPED
    assert "this proves nothing" in verdict.summary


@pytest.mark.mm
@pytest.mark.parametrize(
    ("recorded", "found", "difference"),
    [(13.0, 13.0 + 1.3e-4, 1e-5), (-20.0, -20.1, 0.005), (0.5, 0.5 + 1e-4, 1e-4), (0.0, 1e9, 1e9)],
)
def test_a_difference_is_relative_to_numbers_above_one(
    recorded: float, found: float, difference: float
) -> None:
    """Other processors sum in other orders, which shows in large numbers first."""
    import numpy as np

    from mm_ckpt_migrate.releases.current.child.forward import _difference

    one, other = np.array([0.1, found]), np.array([0.1, recorded])
    assert _difference(one, other) == pytest.approx(difference)
    assert not _difference(one, np.array([0.1, np.nan])) <= 1e9
    assert not _difference(one, np.array([0.1, np.inf])) <= 1e9
    assert not _difference(np.array([0.1, np.nan]), other) <= 1e9


@pytest.mark.mm
def test_a_wrong_file_fails(target: Target, new: Path, control: dict[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pth"
    run(CASE, wrong, CASE.other_family, build=False, force_family=True)
    verdict = check_record(target, wrong, RECORD, {})
    assert verdict.status is Status.FAIL
    assert "outputs differ by" in verdict.summary
    assert any(line.startswith("mask_logits: ") for line in verdict.details)


@pytest.mark.mm
def test_not_a_number_fails(target: Target, new: Path, control: dict[str, str], tmp_path: Path) -> None:
    import torch

    content: Any = torch.load(new, map_location="cpu", weights_only=False)
    content["state_dict"]["decode_head.query_feat.weight"][0, 0] = float("nan")
    torch.save(content, tmp_path / "nan.pth")
    assert check_record(target, tmp_path / "nan.pth", RECORD, control).status is Status.FAIL
