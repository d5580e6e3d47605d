"""Each way of breaking a migrated file fails on the rung that is there for it."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from migrated_files import Migrated

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options, Purpose
from mm_ckpt_migrate.convert.target_config import open_target, read_target_config
from mm_ckpt_migrate.errors import PlanError
from mm_ckpt_migrate.mapping.rules.library import load_rules
from mm_ckpt_migrate.schema import TargetModel
from mm_ckpt_migrate.verdicts import Status, Verdict
from mm_ckpt_migrate.verify.files import open_files
from mm_ckpt_migrate.verify.rungs import static_rungs

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.thorough, pytest.mark.mm]

Content = dict[str, Any]
# A thousand of them are worth it before a release, not at each change.
EXCHANGES = int(os.environ.get("MM_CKPT_MIGRATE_EXCHANGES", "60"))


@pytest.fixture(scope="module")
def target(migrated: Migrated) -> TargetModel:
    config = read_target_config(migrated.case.new_config, None, load_rules().families)
    with open_target(config, Options()) as opened:
        return opened.schema()


@pytest.fixture
def content(migrated: Migrated) -> Content:
    loaded: Content = torch.load(migrated.new)
    return loaded


def integrity_of(new: Path, migrated: Migrated, target: TargetModel) -> Verdict:
    with ExitStack() as stack:
        files = open_files(stack, new, migrated.case.old, load_rules())
        return static_rungs.integrity(files, target)


def broken(content: Content, folder: Path) -> Path:
    torch.save(content, folder / "broken.pth")
    return folder / "broken.pth"


def floats(content: Content) -> list[str]:
    return [n for n, t in content["state_dict"].items() if t.is_floating_point() and t.numel() > 1]


def test_the_migrated_file_passes(migrated: Migrated, target: TargetModel) -> None:
    assert integrity_of(migrated.new, migrated, target).status is Status.PASS


def test_the_same_content_written_by_torch_passes(
    migrated: Migrated, target: TargetModel, content: Content, tmp_path: Path
) -> None:
    """So that what fails below fails for what was broken, and not for who wrote it."""
    verdict = integrity_of(broken(content, tmp_path), migrated, target)
    assert verdict.status is Status.PASS, verdict


def test_no_exchange_of_two_tensors_of_one_shape_passes(
    migrated: Migrated, target: TargetModel, tmp_path: Path
) -> None:
    """With the weights alone in the file, which is quicker to write two hundred times."""
    options = Options(build=False, purpose=Purpose.INFERENCE)
    convert("auto", "-", migrated.case.old, tmp_path / "whole.pth", options)
    content: Content = torch.load(tmp_path / "whole.pth")
    state = content["state_dict"]
    pairs = [
        (a, b)
        for a, b in itertools.combinations(floats(content), 2)
        if state[a].shape == state[b].shape and not torch.equal(state[a], state[b])
    ]
    for a, b in random.Random(0).sample(pairs, EXCHANGES):
        state[a], state[b] = state[b], state[a]
        verdict = integrity_of(broken(content, tmp_path), migrated, target)
        state[a], state[b] = state[b], state[a]
        assert verdict.status is Status.FAIL, (a, b)
        assert any("changed" in line for line in verdict.details)


def flip(content: Content) -> None:
    content["state_dict"][floats(content)[7]].view(-1)[0] += 1e-7


def not_a_number(content: Content) -> None:
    content["state_dict"][floats(content)[11]].view(-1)[1] = float("nan")


def lose(content: Content) -> None:
    del content["state_dict"][floats(content)[3]]


def add(content: Content) -> None:
    content["state_dict"]["decode_head.one_more.weight"] = torch.zeros(3)


@pytest.mark.parametrize("fault", [flip, not_a_number, lose, add])
def test_changed_lost_and_added_tensors_fail(
    fault: Callable[[Content], None],
    migrated: Migrated,
    target: TargetModel,
    content: Content,
    tmp_path: Path,
) -> None:
    fault(content)
    assert integrity_of(broken(content, tmp_path), migrated, target).status is Status.FAIL


def test_a_lost_average_fails(
    migrated: Migrated, target: TargetModel, content: Content, tmp_path: Path
) -> None:
    if content.pop("ema_state_dict", None) is None:
        pytest.skip("this training has no average")
    verdict = integrity_of(broken(content, tmp_path), migrated, target)
    assert verdict.status is Status.FAIL
    assert any("module." in line for line in verdict.details)


def test_exchanged_momentum_fails(
    migrated: Migrated, target: TargetModel, content: Content, tmp_path: Path
) -> None:
    if "optimizer" not in content:
        pytest.skip("this file has no optimizer")
    state = content["optimizer"]["state"]
    first, second = next(
        (a, b)
        for a, b in itertools.combinations(state, 2)
        if state[a]["exp_avg"].shape == state[b]["exp_avg"].shape
        and not torch.equal(state[a]["exp_avg"], state[b]["exp_avg"])
    )
    state[first], state[second] = state[second], state[first]
    verdict = integrity_of(broken(content, tmp_path), migrated, target)
    assert verdict.status is Status.FAIL
    assert all("the state of" in line for line in verdict.details)


@pytest.mark.parametrize("raw", [False, True])
def test_a_file_for_inference_passes_without_what_it_left_out(
    raw: bool, migrated: Migrated, target: TargetModel, content: Content, tmp_path: Path
) -> None:
    if raw and "ema_state_dict" not in content:
        pytest.skip("this training has no average")
    new = tmp_path / "inference.pth"
    options = Options(build=False, purpose=Purpose.INFERENCE, raw_weights=raw)
    convert("auto", "-", migrated.case.old, new, options)
    assert integrity_of(new, migrated, target).status is Status.PASS


def test_made_from_another_file(
    migrated: Migrated, target: TargetModel, content: Content, tmp_path: Path
) -> None:
    content["meta"]["mm_ckpt_migrate"]["source_sha256"] = "0" * 64
    verdict = integrity_of(broken(content, tmp_path), migrated, target)
    assert verdict.status is Status.FAIL
    assert "another file" in verdict.summary


def test_a_stamp_that_was_tampered_with(
    migrated: Migrated, target: TargetModel, content: Content, tmp_path: Path
) -> None:
    stamp = content["meta"]["mm_ckpt_migrate"]
    stamp["plan"] = stamp["plan"].replace("self_attn", "cross_attn")
    with pytest.raises(PlanError):
        integrity_of(broken(content, tmp_path), migrated, target)


def test_without_a_stamp_the_rules_say_what_was_to_be_done(
    migrated: Migrated, target: TargetModel, content: Content, tmp_path: Path
) -> None:
    del content["meta"]["mm_ckpt_migrate"]
    assert integrity_of(broken(content, tmp_path), migrated, target).status is Status.PASS
    flip(content)
    assert integrity_of(broken(content, tmp_path), migrated, target).status is Status.FAIL


def test_the_wrong_family_fails_the_roles(migrated: Migrated, tmp_path: Path) -> None:
    new = tmp_path / "wrong.pth"
    options = Options(build=False, force_family=True)
    if migrated.case.family == "maskformer":
        with pytest.raises(PlanError, match="fits no key"):
            convert("mask2former", "-", migrated.case.old, new, options)
        return
    convert("maskformer", "-", migrated.case.old, new, options)
    with ExitStack() as stack:
        files = open_files(stack, new, migrated.case.old, load_rules())
        assert static_rungs.roles(files).status is Status.FAIL
