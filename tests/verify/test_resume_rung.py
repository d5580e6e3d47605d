"""The resume rung: the same file gives the same losses, and exchanged momentum does not.

The old release stands in this place where it is at hand; otherwise the current one does, whose
losses `tests/resume` holds against the old one's.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from migrated_files import Migrated

from mm_ckpt_migrate.configs.read.config import read_config_text
from mm_ckpt_migrate.configs.values import Config
from mm_ckpt_migrate.releases.old.environment import auto
from mm_ckpt_migrate.releases.process import ReleaseProcess
from mm_ckpt_migrate.verdicts import Status
from mm_ckpt_migrate.verify.raw_outputs import Side, model_request
from mm_ckpt_migrate.verify.rungs.resume import TOLERANCE, check_resume

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.mm


def config_of(path: Path) -> Config:
    content: Any = torch.load(path, weights_only=False)
    return read_config_text(content["meta"]["cfg"], str(path))


@pytest.fixture
def exchanged(migrated: Migrated, tmp_path: Path) -> Path:
    """The momentum of the two halves of a decoder layer's attention, exchanged."""
    content: Any = torch.load(migrated.new)
    state = content.get("optimizer", {"state": {}})["state"]
    shapes: dict[Any, list[int]] = {}
    for index, entry in state.items():
        shapes.setdefault(tuple(entry["exp_avg"].shape), []).append(index)
    for first, second in (group[:2] for group in shapes.values() if len(group) > 1):
        state[first], state[second] = state[second], state[first]
    torch.save(content, tmp_path / "exchanged.pth")
    return tmp_path / "exchanged.pth"


def test_the_next_steps(migrated: Migrated, exchanged: Path) -> None:
    if migrated.case.family == "maskformer":
        pytest.skip("this file has no optimizer")
    config = config_of(migrated.new)
    environment = auto()
    with ExitStack() as stack:
        first, second = (stack.enter_context(ReleaseProcess()) for _ in range(2))
        old, old_config = Side(first, model_request(config, "old"), migrated.new), config
        if environment is not None:
            old_config = config_of(migrated.case.old)
            process = stack.enter_context(ReleaseProcess(environment.python))
            old = Side(process, model_request(old_config, "old"), migrated.case.old)
        new = Side(second, model_request(config, "new"), migrated.new)
        verdict, result = check_resume(old, new, old_config, config)
        assert verdict.status is Status.PASS, verdict
        assert result is not None
        assert result.largest <= TOLERANCE
        wrong = Side(second, new.model, exchanged)
        verdict, _ = check_resume(old, wrong, old_config, config)
        assert verdict.status is Status.FAIL
        assert "differ" in verdict.summary
