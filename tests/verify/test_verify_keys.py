"""Keys: names, shapes, dtypes and module versions are exactly the model's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from layouts.tables import NEW, OLD, layout

from mm_ckpt_migrate.convert.checks.keys import check_keys, check_load
from mm_ckpt_migrate.mapping.plan import make_plan, migrated_schema
from mm_ckpt_migrate.mapping.rules.ruleset import RuleSet
from mm_ckpt_migrate.releases.current.process import LoadOutcome
from mm_ckpt_migrate.schema import Schema, TargetModel
from mm_ckpt_migrate.verdicts import Status

R50 = "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
BN = "backbone.layer1.0.bn1"


@pytest.fixture(scope="module")
def target() -> TargetModel:
    return TargetModel(
        schema=layout(NEW, R50),
        parameters=(),
        frozen=(),
        stack={"torch": "2.13.0", "mmseg": "1.2.2"},
        device="cpu",
    )


@pytest.fixture(scope="module")
def migrated(families: dict[str, RuleSet]) -> Schema:
    old = layout(OLD, R50)
    return migrated_schema(make_plan(old, families["maskformer"]), old)


def test_the_right_names_pass(migrated: Schema, target: TargetModel) -> None:
    verdict = check_keys(migrated, target)
    assert verdict.status is Status.PASS
    assert "all 462 names" in verdict.summary
    assert "built on cpu by torch 2.13.0, mmseg 1.2.2" in verdict.summary
    assert "cached from torch" in check_keys(migrated, replace(target, cached=True)).summary


def test_the_old_names_fail(target: TargetModel) -> None:
    verdict = check_keys(layout(OLD, R50), target)
    assert verdict.status is Status.FAIL
    assert any(line.startswith("missing: ") for line in verdict.details)
    assert any(line.startswith("unexpected: ") for line in verdict.details)


def test_without_metadata_names_are_compared_all_the_same(migrated: Schema, target: TargetModel) -> None:
    assert check_keys(Schema(migrated.tensors), target).status is Status.PASS


@pytest.mark.parametrize("version", [None, 1, 3])
def test_a_modules_version(version: int | None, migrated: Schema, target: TargetModel) -> None:
    """Version hooks rewrite tensors while loading: the wrong one fires them, or does not."""
    assert migrated.modules is not None
    assert migrated.modules[BN] == 2
    verdict = check_keys(replace(migrated, modules={**migrated.modules, BN: version}), target)
    assert verdict.status is Status.FAIL
    assert verdict.details == (f"different: module '{BN}' has version {version} and in the model 2",)


OK = LoadOutcome(ok=True, missing=(), unexpected=(), errors=(), refused=None, torch="2.13.0")


@pytest.mark.parametrize(
    ("outcome", "status", "said"),
    [
        (OK, Status.PASS, "torch 2.13.0 loads it strictly"),
        (replace(OK, ok=False, missing=("a.0.w", "a.1.w")), Status.FAIL, "missing: a.{0…1}.w"),
        (replace(OK, ok=False, unexpected=("b",)), Status.FAIL, "unexpected: b"),
        (replace(OK, ok=False, errors=("size mismatch",)), Status.FAIL, "size mismatch"),
        (replace(OK, ok=False, refused="os.system"), Status.PASS, "refuses it: os.system"),
    ],
)
def test_what_torch_said(
    outcome: LoadOutcome, status: Status, said: str, migrated: Schema, target: TargetModel
) -> None:
    verdict = check_load(outcome, check_keys(migrated, target))
    assert verdict.status is status
    assert said in "\n".join([verdict.summary, *verdict.details])
